"""The choice of a saved strategy, which is applied to the lists of all models."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import show, state
from pages.ui.queries import strategy_queries
from pages.ui.text import _

if TYPE_CHECKING:
    from recsys_core.strategy.cards import Strategy

NONE = ""


def choose(key: str) -> "Strategy | None":
    """Show the choice of a saved strategy, if there are any; the demo view applies the one that was chosen before."""
    strategies = strategy_queries.named_strategies()
    if not strategies:
        return None
    if state.is_demo():
        return strategies.get(str(st.session_state.get(key, NONE)))
    names = {NONE: _("None: the lists of the models")} | {name: name for name in strategies}
    return strategies.get(show.select(_("Strategy"), names, key, width=320))
