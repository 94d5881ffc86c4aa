"""Follow the catalog through the cards: which items pass the filters, and which of them each card concerns."""

from collections.abc import Iterable

import numpy as np

from recsys_core.contracts import BoolArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.card import Card
from recsys_core.strategy.cards import Boost, Exposure, FairRatio, Filter, Pin, Quota, Slots
from recsys_core.strategy.conditions import Condition, values_of
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.findings import Finding, finding
from recsys_core.text import _, later

ALL_PASS = later("Card {card} has no effect: every item passes it.")
NONE_PASSES = later("Card {card} leaves every list empty: no item passes it.")
NOTHING_LEFT = later("Card {card} leaves every list empty: no item passes both it and the filters before it.")
ALREADY = later("Card {card} has no effect: earlier filters drop all items that it would drop.")
NONE_MEETS = later("Card {card} has no effect: no item meets {condition}.")
DROPPED = later("Card {card} has no effect: earlier filters drop all items that meet {condition}.")
UNPROTECTED = later("Card {card} has no protected items: none meets {condition} and passes the filters.")
UNPINNED = later("Card {card} has no effect: card {other} drops item {item} afterwards.")
UNDONE = later(
    "Card {card} moves the items that meet {condition} back: card {other} moved the same items the other way."
)
SAME = later("Card {card} moves the same items as card {other}: one card can do both.")
NO_USER = later("Card {card} has no effect: no user meets {condition}.")


def walk(cards: Iterable[tuple[int, Card]], facts: Facts) -> tuple[list[Finding], BoolArray]:
    """Return the findings about conditions over items, and (I,) which items pass all filters over items."""
    found: list[Finding] = []
    passing = np.ones(facts.data.n_items, dtype=np.bool_)
    moved: list[tuple[int, Boost, BoolArray]] = []
    pins: list[tuple[int, Pin, int]] = []
    for number, card in cards:
        condition = condition_of(card)
        if condition is not None and condition.about_users:
            found += _about_users(number, condition, facts)
        if isinstance(card, Pin):
            if card.item not in facts.item_position:
                raise ConfigError(_("There is no item '{item}' to pin.").format(item=card.item))
            pins.append((number, card, facts.item_position[card.item]))
        if condition is None or not condition.about_items:
            continue
        met = condition.of_items(facts)
        if isinstance(card, Filter):
            stays = met if card.action == "keep" else ~met
            found += _filtered(number, stays, passing)
            found += [
                finding("warning", "shadowed", pinned, UNPINNED, other=number + 1, item=pin.item)
                for pinned, pin, item in pins
                if not stays[item]
            ]
            passing = passing & stays
        else:
            found += _concerned(number, card, condition, met, passing)
        if isinstance(card, Boost):
            found += _moved_before(number, card, met & passing, moved)
            moved.append((number, card, met & passing))
    return found, passing


def condition_of(card: Card) -> Condition | None:
    """Return the condition of a card, None for cards without one."""
    if isinstance(card, Filter | Boost | FairRatio | Slots | Quota | Exposure):
        return card.when
    return None


def _filtered(number: int, stays: BoolArray, passing: BoolArray) -> list[Finding]:
    """Return findings about a filter, given the items that pass those before it."""
    if stays.all():
        return [finding("warning", "dead", number, ALL_PASS)]
    if not stays.any():
        return [finding("error", "dead", number, NONE_PASSES)]
    if not (stays & passing).any():
        return [finding("error", "contradiction", number, NOTHING_LEFT)] if passing.any() else []
    if stays[passing].all():
        return [finding("warning", "shadowed", number, ALREADY)]
    return []


def _concerned(number: int, card: Card, condition: Condition, met: BoolArray, passing: BoolArray) -> list[Finding]:
    """Return findings about a card that concerns some items."""
    if (met & passing).any():
        return []
    if isinstance(card, FairRatio):
        return [finding("error", "supply", number, UNPROTECTED, condition=condition)]
    if isinstance(card, Slots) or (isinstance(card, Quota | Exposure) and card.least > 0):
        return []  # told as a lack of supply
    if met.any():
        return [finding("warning", "shadowed", number, DROPPED, condition=condition)]
    return [finding("warning", "dead", number, NONE_MEETS, condition=condition)]


def _moved_before(number: int, card: Boost, met: BoolArray, moved: list[tuple[int, Boost, BoolArray]]) -> list[Finding]:
    """Return findings about a boost of the same items as an earlier one."""
    for other, earlier, items in moved:
        if met.any() and (items == met).all():
            if upwards(card) != upwards(earlier):
                values = {"condition": card.when, "other": other + 1}
                return [finding("warning", "contradiction", number, UNDONE, **values)]
            return [finding("note", "shadowed", number, SAME, other=other + 1)]
    return []


def upwards(card: Boost) -> bool:
    """Return whether a boost moves items up."""
    return card.places > 0 if card.by == "places" else card.factor > 1


def _about_users(number: int, condition: Condition, facts: Facts) -> list[Finding]:
    """Return a finding if no user meets a condition about users alone."""
    users = np.arange(facts.data.n_users)
    for name in condition.fields:
        values_of(name, facts, users, users)
    met = condition.holds(facts, users, np.zeros((len(users), 1), dtype=np.int64))
    return [] if met.any() else [finding("warning", "dead", number, NO_USER, condition=condition)]
