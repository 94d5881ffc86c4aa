"""Where a strategy cannot be applied as it stands: campaigns with dates, and one user at a time."""

from collections.abc import Sequence
from datetime import date

from recsys_core.strategy.cards import Card, Exposure, Mix, Pin, Strategy


def as_running(strategy: Strategy) -> Strategy:
    """Return the strategy with every campaign running: pins without their dates, as price tags need it."""
    return _with(strategy, [_undated(card) if _is_dated(card) else card for card in strategy.cards])


def has_campaigns(strategy: Strategy) -> bool:
    """Return whether a pin that is on has dates."""
    return any(card.on and _is_dated(card) for card in strategy.cards)


def on_day(strategy: Strategy, day: date) -> Strategy:
    """Return the strategy on a day: campaigns that do not run then are off, the others have no dates."""
    cards = []
    for card in strategy.cards:
        if isinstance(card, Pin) and _is_dated(card):
            runs = (card.start is None or card.start <= day) and (card.end is None or day <= card.end)
            cards.append(_undated(card).model_copy(update={"on": card.on and runs}))
        else:
            cards.append(card)
    return _with(strategy, cards)


def for_one_user(strategy: Strategy) -> tuple[Strategy, tuple[int, ...]]:
    """Return the strategy without the cards that one user's list of one model cannot have, and their places.

    A mix needs the lists of several models, and shares of exposure those of all users.
    """
    off = tuple(place for place, card in enumerate(strategy.cards) if card.on and isinstance(card, Mix | Exposure))
    cards = [
        card.model_copy(update={"on": False}) if place in off else card for place, card in enumerate(strategy.cards)
    ]
    return _with(strategy, cards), off


def _is_dated(card: Card) -> bool:
    return isinstance(card, Pin) and (card.start is not None or card.end is not None)


def _undated(card: Card) -> Card:
    return card.model_copy(update={"start": None, "end": None})


def _with(strategy: Strategy, cards: Sequence[Card]) -> Strategy:
    return strategy.model_copy(update={"cards": tuple(cards)})
