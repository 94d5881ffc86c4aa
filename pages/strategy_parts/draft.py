"""The strategy that is being edited: kept in the session, one per data set, and in the link, until it is saved."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import state
from pages.ui.text import safe

if TYPE_CHECKING:
    from recsys_core.strategy.cards import Card, Strategy

DRAFTS, SELECTED, OPENED = "strategy_drafts", "strategy_selected", "strategy_opened"
"""Session keys: data set -> strategy as JSON; position of the card whose settings are shown; data set -> id of the
saved strategy that is edited."""
POOL = 100
"""Candidates per user that a new strategy reads."""


def current(k: int) -> "Strategy":
    """Return the strategy being edited for the data set in the URL; a new one has no cards.

    Args:
        k: Length of the lists of a new strategy.
    """
    from recsys_core.strategy.cards import Strategy

    kept = st.session_state.get(DRAFTS, {}).get(state.get("data"))
    return Strategy(k=k, pool=max(POOL, k)) if kept is None else Strategy.model_validate_json(kept)


def is_begun() -> bool:
    """Return whether a strategy is being edited for the data set in the URL."""
    return state.get("data") in st.session_state.get(DRAFTS, {})


def opened() -> str | None:
    """Return the id of the saved strategy that is edited for the data set in the URL; None for a new one."""
    key = st.session_state.get(OPENED, {}).get(state.get("data"))
    return str(key) if key else None


def open_as(key: str | None) -> None:
    """Say which saved strategy is edited for the data set in the URL; it is also in the URL."""
    st.session_state.setdefault(OPENED, {})[state.get("data")] = key
    state.put("strategy", key)


def forget() -> None:
    """Begin with a new strategy."""
    st.session_state.get(DRAFTS, {}).pop(state.get("data"), None)
    state.put("cards", None)


def keep(strategy: "Strategy") -> None:
    """Replace the strategy being edited."""
    st.session_state.setdefault(DRAFTS, {})[state.get("data")] = strategy.model_dump_json()


def selected(strategy: "Strategy") -> int | None:
    """Return the position of the selected card, None if there is none."""
    at = st.session_state.get(SELECTED)
    return at if isinstance(at, int) and 0 <= at < len(strategy.cards) else None


def select(at: int | None) -> None:
    """Show the settings of a card."""
    st.session_state[SELECTED] = at


def add(strategy: "Strategy", card: "Card") -> None:
    """Add a card and select it: a mix in front, others at the end, before a card that explores."""
    from recsys_core.strategy.cards import Explore, Mix

    last = len(strategy.cards)
    explores = bool(last) and isinstance(strategy.cards[-1], Explore)
    at = 0 if isinstance(card, Mix) else last - explores
    if _keep_cards(strategy, (*strategy.cards[:at], card, *strategy.cards[at:])):
        select(at)


def edit(strategy: "Strategy", at: int, card: "Card") -> None:
    """Replace a card."""
    _keep_cards(strategy, (*strategy.cards[:at], card, *strategy.cards[at + 1 :]))


def act(strategy: "Strategy", action: Any) -> None:
    """Do what was asked for in the list of cards; an action that names no card, such as a late one, does nothing.

    Args:
        strategy: The strategy being edited.
        action: `what` (select, switch, move, duplicate, delete), `at`, and for a move `to`: positions of cards; `of`:
            the number of cards when it was sent.
    """
    what, at, to = action.get("what"), action.get("at"), action.get("to")
    if not all(isinstance(one, int) and 0 <= one < len(strategy.cards) for one in (at, to)):
        return
    if action.get("of", len(strategy.cards)) != len(strategy.cards):  # a second click, sent before the list was redrawn
        return
    cards = list(strategy.cards)
    if what == "switch":
        cards[at] = cards[at].model_copy(update={"on": not cards[at].on})
    elif what == "move":
        cards.insert(to, cards.pop(at))
        at = to
    elif what == "duplicate":
        cards.insert(at + 1, cards[at])
        at += 1
    elif what == "delete":
        del cards[at]
        at = None
    if _keep_cards(strategy, tuple(cards)):
        select(at)


def _keep_cards(strategy: "Strategy", cards: "tuple[Any, ...]") -> bool:
    """Keep the strategy with other cards, if they go together; else show the reason. Return whether they are kept."""
    from pydantic import ValidationError

    try:
        keep(type(strategy).model_validate(strategy.model_dump() | {"cards": [card.model_dump() for card in cards]}))
    except ValidationError as error:
        st.toast(safe(error.errors()[0]["msg"].removeprefix("Value error, ")), icon=":material/block:")
        return False
    return True
