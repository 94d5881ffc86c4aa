"""The choice of how lists are shown: as they are, epsilon, or softmax."""

import streamlit as st

from pages.ui import show
from pages.ui.text import _


def how_shown(key: str) -> tuple[str, float]:
    """Show the choice of how lists are shown, and return it with its strength (epsilon or temperature)."""
    from recsys_core.viz.off_policy import POLICY_NAMES

    kind = show.select(_("Lists are shown"), {name: _(words) for name, words in POLICY_NAMES.items()}, f"{key}_show")
    if kind == "epsilon":
        return kind, st.slider(_("Epsilon"), 0.0, 1.0, 0.1, 0.05, key=f"{key}_epsilon")
    if kind == "softmax":
        return kind, st.slider(_("Temperature (places)"), 0.5, 20.0, 3.0, 0.5, key=f"{key}_temperature")
    return kind, 0.1
