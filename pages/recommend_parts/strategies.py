"""The choice of a saved strategy, which is applied to the lists of all models."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import show, state
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.strategy.cards import Strategy

NONE = ""


def choose(key: str) -> "Strategy | None":
    """Show the choice of a saved strategy, if there are any; the demo view applies the one that was chosen before.

    It is returned for today, without cards that one user's list cannot have; these are named.
    """
    strategies = strategy_queries.named_strategies()
    if not strategies:
        return None
    kept = f"{key}_kept"  # the demo view has no select box, whose key would be forgotten
    if not state.is_demo():
        names = {NONE: _("None: the lists of the models")} | {name: name for name in strategies}
        st.session_state[kept] = show.select(_("Strategy"), names, key, width=320)
    return _for_today(strategies.get(str(st.session_state.get(kept, NONE))))


def _for_today(strategy: "Strategy | None") -> "Strategy | None":
    if strategy is None:
        return None
    from recsys_core.strategy.campaigns import for_one_user, on_day
    from recsys_core.strategy.card_text import title

    today, off = for_one_user(on_day(strategy, datetime.now(UTC).date()))
    if off and not state.is_demo():
        names = ", ".join(f"{place + 1}. {title(type(strategy.cards[place]))}" for place in off)
        paragraph("Left out here, since they need several models or all users at once: {cards}.", cards=safe(names))
    return today
