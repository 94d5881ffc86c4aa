"""Rules that cannot all hold: demand over supply, pins against pins, slots and caps, minima against maxima."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import BoolArray, IntArray
from recsys_core.strategy.card import Card
from recsys_core.strategy.cards import Cap, Exposure, Pin, Quota, Slots
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.findings import Finding, finding
from recsys_core.text import later, percent

OVER_SUPPLY = later("Card {card} demands {demand} items of {group}, but only {supply} pass the filters.")
OVER_PLACES = later("Card {card} demands {demand} items in {places} places: {least} of each of {groups} values.")
APART_OVER_PLACES = later("Cards {card} and {other} demand {demand} different items in {places} places.")
LEAST_OVER_PLACES = later("Card {card} demands {least} items of {group} in {places} places.")
LEAST_OVER_MOST = later("Card {card} demands {least} items of {group}, but card {other} allows {most} of them.")
ONE_PLACE = later("Cards {other} and {card} pin items at the same place, {place}; the one of card {other} stays there.")
PINNED_TWICE = later("Card {card} pins item {item}, which card {other} pins already.")
PIN_IN_SLOT = later("Card {card} pins item {item} at place {place}, which card {other} keeps for {condition}.")
PINS_OVER_CAP = later(
    "The pins up to card {card} are {count} items of {group}, but card {other} allows {most} of them."
)
SLOTS_APART = later(
    "Cards {other} and {card} keep place {place} for items that meet both conditions, but there is none."
)
WEAKER = later("Card {card} has no effect: card {other} caps the same field more strictly.")
SHARES_OVER_1 = later(
    "The exposure minima of cards {other} and {card} add up to {total}, but their items are different."
)
SHARE_LIMITS = later("Card {card} demands {least} of the exposure for {group}, but card {other} allows {most}.")


@dataclass(frozen=True, eq=False)
class Group:
    """A group of a bound.

    Args:
        number: Number of the card.
        name: Name of the group.
        items: Positions of its items, increasing.
        least: Smallest count, or share.
        most: Largest count, or share; infinity for none.
        places: Number of places that the bound is about, from 1 to k.
        sliding: Whether it holds in any consecutive places.
    """

    number: int
    name: str
    items: IntArray
    least: float
    most: float
    places: int
    sliding: bool


def conflicting_rules(cards: Sequence[tuple[int, Card]], passing: BoolArray, k: int, facts: Facts) -> list[Finding]:
    """Return the findings about rules.

    Args:
        cards: Cards that are on, with their numbers.
        passing: (I,) items that pass all filters.
        k: Length of the lists.
        facts: Facts of the data.
    """
    bounds = [group for number, card in cards for group in _groups(number, card, k, facts)]
    slots = [(number, card) for number, card in cards if isinstance(card, Slots) and card.when.about_items]
    pins = [(number, card, facts.item_position[card.item]) for number, card in cards if isinstance(card, Pin)]
    found = [*_supply(bounds, slots, passing, k, facts), *_minima(bounds), *_caps(cards, k)]
    found += [*_pins(pins, slots, bounds, facts), *_slots(slots, passing, facts)]
    shares = [group for number, card in cards for group in _exposed(number, card, k, facts)]
    found += _shares(shares, passing)
    told: dict[tuple[int, str], Finding] = {}
    for one in found:
        told.setdefault((one.card, one.sentence.template), one)
    return list(told.values())


def _inside(group: Group, other: Group) -> bool:
    """Return whether a group has items, all of them in another one."""
    return len(group.items) > 0 and bool(np.isin(group.items, other.items).all())


def _apart(group: Group, other: Group) -> bool:
    """Return whether two groups have no common item."""
    return not np.isin(group.items, other.items).any()


def _members(card: Cap | Quota | Exposure, facts: Facts) -> Iterator[tuple[str, IntArray]]:
    """Yield the names and items of the groups of a card; none if they depend on the user."""
    when = None if isinstance(card, Cap) else card.when
    if when is not None:
        if when.about_items:
            yield str(when), np.flatnonzero(when.of_items(facts))
        return
    field = card.field if isinstance(card, Cap) else card.each
    entries = facts.entries(field)
    owners = np.repeat(np.arange(facts.data.n_items), np.diff(entries.start))
    order = np.argsort(entries.entry, kind="stable")
    ends = np.cumsum(np.bincount(entries.entry, minlength=len(entries.names)))
    for code, name in enumerate(entries.names):
        yield f"{field} = {name}", owners[order[(ends[code - 1] if code else 0) : ends[code]]]


def _groups(number: int, card: Card, k: int, facts: Facts) -> Iterator[Group]:
    if isinstance(card, Cap):
        for name, items in _members(card, facts):
            yield Group(number, name, items, 0, card.most, min(card.window or k, k), card.window > 0)
    elif isinstance(card, Quota):
        most = np.inf if card.most is None else card.most
        for name, items in _members(card, facts):
            yield Group(number, name, items, card.least, most, min(card.places or k, k), card.sliding)


def _exposed(number: int, card: Card, k: int, facts: Facts) -> Iterator[Group]:
    if isinstance(card, Exposure):
        for name, items in _members(card, facts):
            yield Group(number, name, items, card.least, card.most, k, False)


def _supply(
    bounds: Sequence[Group], slots: Sequence[tuple[int, Slots]], passing: BoolArray, k: int, facts: Facts
) -> Iterator[Finding]:
    """Yield quotas and slots that demand more items than there are."""
    for group in bounds:
        supply = int(passing[group.items].sum())
        if group.least > supply:
            values = {"demand": int(group.least), "group": group.name, "supply": supply}
            yield finding("error", "supply", group.number, OVER_SUPPLY, **values)
    for number, card in slots:
        supply = int((card.when.of_items(facts) & passing).sum())
        demand = min(card.last, k) - card.first + 1
        if demand > supply:
            yield finding("error", "supply", number, OVER_SUPPLY, demand=demand, group=card.when, supply=supply)


def _minima(bounds: Sequence[Group]) -> Iterator[Finding]:
    """Yield minima that exceed a maximum, or that do not fit in their places together."""
    needy = [group for group in bounds if group.least > 0]
    for group in needy:
        if group.least > group.places:
            values = {"least": int(group.least), "group": group.name, "places": group.places}
            yield finding("error", "contradiction", group.number, LEAST_OVER_PLACES, **values)
        for other in bounds:
            if other.most < group.least and covers(other, group) and _inside(group, other):
                values = {"least": int(group.least), "group": group.name, "other": other.number + 1}
                yield finding("error", "contradiction", group.number, LEAST_OVER_MOST, **values, most=int(other.most))
    for number in sorted({group.number for group in needy}):
        own = [group for group in needy if group.number == number]
        demand = int(sum(group.least for group in own))
        apart = len(own) > 1 and np.bincount(np.concatenate([group.items for group in own])).max() <= 1
        if apart and demand > own[0].places:
            values = {"demand": demand, "places": own[0].places, "least": int(own[0].least), "groups": len(own)}
            yield finding("error", "contradiction", number, OVER_PLACES, **values)
    for index, group in enumerate(needy):
        for other in needy[:index]:
            demand, places = int(group.least + other.least), max(group.places, other.places)
            if group.number != other.number and demand > places and _apart(group, other):
                values = {"other": other.number + 1, "demand": demand, "places": places}
                yield finding("error", "contradiction", group.number, APART_OVER_PLACES, **values)


def covers(limit: Group, demand: Group) -> bool:
    """Return whether all places of a minimum lie within those of a maximum."""
    if limit.sliding:
        return demand.places <= limit.places
    return limit.places >= demand.places


def _caps(cards: Sequence[tuple[int, Card]], k: int) -> Iterator[Finding]:
    """Yield caps that a stricter cap on the same field makes idle."""
    caps = [(number, card, min(card.window or k, k)) for number, card in cards if isinstance(card, Cap)]
    for number, card, width in caps:
        for other, stricter, other_width in caps:
            same = card.field == stricter.field and other != number
            tighter = stricter.most <= card.most and other_width >= width
            equal = stricter.most == card.most and other_width == width
            if same and tighter and (not equal or other < number):
                yield finding("warning", "shadowed", number, WEAKER, other=other + 1)
                break


def _pins(
    pins: Sequence[tuple[int, Pin, int]],
    slots: Sequence[tuple[int, Slots]],
    bounds: Sequence[Group],
    facts: Facts,
) -> Iterator[Finding]:
    """Yield pins that other pins, slots or maxima prevent."""
    for index, (number, pin, item) in enumerate(pins):
        for other, earlier, other_item in pins[:index]:
            if item == other_item:
                yield finding("warning", "shadowed", number, PINNED_TWICE, item=pin.item, other=other + 1)
            elif pin.place == earlier.place:
                yield finding("error", "contradiction", number, ONE_PLACE, other=other + 1, place=pin.place)
        for other, slot in slots:
            if slot.first <= pin.place <= slot.last and not slot.when.of_items(facts)[item]:
                values = {"item": pin.item, "place": pin.place, "other": other + 1, "condition": slot.when}
                yield finding("error", "contradiction", number, PIN_IN_SLOT, **values)
        for group in bounds:
            if item not in group.items:
                continue
            inside = [
                place.place
                for _, place, one in pins[: index + 1]
                if one in group.items and (group.sliding or place.place <= group.places)
            ]
            near = [place for place in inside if not group.sliding or abs(place - pin.place) < group.places]
            crowded = pin.place in near and len(near) > group.most and max(near) - min(near) < group.places
            if crowded:
                values = {"count": len(near), "group": group.name, "other": group.number + 1, "most": int(group.most)}
                yield finding("error", "contradiction", number, PINS_OVER_CAP, **values)


def _slots(slots: Sequence[tuple[int, Slots]], passing: BoolArray, facts: Facts) -> Iterator[Finding]:
    """Yield overlapping slots whose conditions no item meets together."""
    for index, (number, slot) in enumerate(slots):
        own = slot.when.of_items(facts) & passing
        for other, earlier in slots[:index]:
            place = max(slot.first, earlier.first)
            theirs = earlier.when.of_items(facts) & passing
            if place <= min(slot.last, earlier.last) and own.any() and theirs.any() and not (own & theirs).any():
                yield finding("error", "contradiction", number, SLOTS_APART, other=other + 1, place=place)


def _shares(shares: Sequence[Group], passing: BoolArray) -> Iterator[Finding]:
    """Yield exposure bounds that cannot hold together."""
    for index, group in enumerate(shares):
        if group.least > 0 and not passing[group.items].any():
            values = {"demand": percent(group.least), "group": group.name, "supply": 0}
            yield finding("error", "supply", group.number, OVER_SUPPLY, **values)
        for other in shares[:index]:
            total = group.least + other.least
            if total > 1 and group.least > 0 and other.least > 0 and _apart(group, other):
                values = {"other": other.number + 1, "total": percent(total)}
                yield finding("error", "contradiction", group.number, SHARES_OVER_1, **values)
        for other in shares:
            if group.number != other.number and other.most < group.least and _inside(group, other):
                values = {"least": percent(group.least), "group": group.name, "most": percent(other.most)}
                yield finding("error", "contradiction", group.number, SHARE_LIMITS, **values, other=other.number + 1)
