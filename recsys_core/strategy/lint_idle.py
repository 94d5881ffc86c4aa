"""Cards that change nothing by their settings, and campaigns outside their dates."""

from collections.abc import Iterable
from datetime import UTC, datetime

from recsys_core.strategy.card import Card
from recsys_core.strategy.cards import (
    Boost,
    Calibration,
    Cap,
    Explore,
    Exposure,
    FairRatio,
    Mmr,
    Pin,
    Quota,
    Slots,
    Xquad,
)
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.findings import Finding, finding
from recsys_core.text import later

NO_EFFECT = later("Card {card} has no effect: with {setting} all lists stay the same.")
CAP_IDLE = later("Card {card} has no effect: {places} places can never hold more than {most} such items.")
BEHIND = later("Card {card} has no effect: place {place} is behind the end of lists of {k}.")
PINNED_BEHIND = later(
    "Card {card} keeps item {item} out of all full lists: place {place} is behind the end of lists of {k}."
)
UNBOUND = later("Card {card} has no effect: it has neither a minimum nor a maximum.")
ENDED = later("Card {card} has no effect: its campaign ended on {day}.")
NOT_BEGUN = later("Card {card} has no effect yet: its campaign starts on {day}.")


def idle_settings(cards: Iterable[tuple[int, Card]], k: int, facts: Facts) -> list[Finding]:
    """Return the findings about cards whose settings have no effect on lists of k."""
    found = []
    for number, card in cards:
        one = _idle(number, card) or _idle_rule(number, card, k, facts)
        if one is not None:
            found.append(one)
    return found


def _idle(number: int, card: Card) -> Finding | None:
    """Return a finding about a re-ranking card."""
    setting = ""
    if isinstance(card, Boost) and card.by == "places" and card.places == 0:
        setting = "places = 0"
    elif isinstance(card, Boost) and card.by == "factor" and card.factor == 1:
        setting = "factor = 1"
    elif isinstance(card, Mmr) and card.weight == 1:
        setting = "weight = 1"
    elif isinstance(card, Calibration | Xquad) and card.weight == 0:
        setting = "weight = 0"
    elif isinstance(card, FairRatio) and card.share == 0:
        setting = "share = 0"
    elif isinstance(card, Explore) and card.method == "epsilon" and card.epsilon == 0:
        setting = "epsilon = 0"
    return finding("warning", "dead", number, NO_EFFECT, setting=setting) if setting else None


def _idle_rule(number: int, card: Card, k: int, facts: Facts) -> Finding | None:
    """Return a finding about a rule, an exposure card or a campaign."""
    if isinstance(card, Pin) and (card.start or card.end) and not card.active(facts.at):
        assert facts.at is not None
        today = datetime.fromtimestamp(facts.at / 1000, UTC).date()
        if card.start is not None and today < card.start:
            return finding("note", "date", number, NOT_BEGUN, day=card.start)
        return finding("warning", "date", number, ENDED, day=card.end)
    place = card.place if isinstance(card, Pin) else card.first if isinstance(card, Slots) else 0
    if place > k:
        words = PINNED_BEHIND if isinstance(card, Pin) else BEHIND  # a pinned item leaves the lists that have it
        return finding("warning", "dead", number, words, item=getattr(card, "item", ""), place=place, k=k)
    if (
        isinstance(card, Exposure | Quota)
        and card.least == 0
        and card.most == (1 if isinstance(card, Exposure) else None)
    ):
        return finding("warning", "dead", number, UNBOUND)
    if isinstance(card, Cap | Quota):
        span = card.window if isinstance(card, Cap) else card.places
        places, most = min(span or k, k), card.most
        if most is not None and most >= places and (isinstance(card, Cap) or card.least == 0):
            return finding("warning", "dead", number, CAP_IDLE, places=places, most=most)
    return None
