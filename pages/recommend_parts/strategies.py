"""The choice of a stored strategy, which is applied to the lists of all models."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, show, state
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.strategy.cards import Strategy

FOLDER = "strategies"
"""Folder of the workspace with stored strategies, a JSON file each."""
NONE = ""


def stored() -> "dict[str, Strategy]":
    """Return the stored strategies by name; files that are not strategies are named on the page."""
    from recsys_core.strategy.files import read_strategy

    found = {}
    for path in sorted((services.root() / FOLDER).glob("*.json")):
        try:
            strategy = read_strategy(path)
        except RecscopeError as error:
            st.warning(safe(error))
            continue
        found[strategy.name or path.stem] = strategy
    return found


def choose(key: str) -> "Strategy | None":
    """Show the choice of a stored strategy, if there are any; the demo view applies the one that was chosen before."""
    found = stored()
    if not found:
        return None
    if state.is_demo():
        return found.get(str(st.session_state.get(key, NONE)))
    names = {NONE: _("None: the lists of the models")} | {name: name for name in found}
    return found.get(show.select(_("Strategy"), names, key, width=320))
