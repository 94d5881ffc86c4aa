"""Rules that hold from their card on: bounds on counts, slots and pins, and their tables for the compiled placement.

A bound counts items of a group: those that meet a condition, or, one group each, those with the same entry of a field.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys_core.contracts import BoolArray, IntArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.text import _

NO_LIMIT = 1_000_000
"""Largest count of a group without one."""
NEEDY = 1_000
"""Groups with a smallest count that one strategy can have."""


@dataclass(frozen=True)
class Bound:
    """A smallest and a largest number of items of a group in some places.

    Args:
        number: Number of the card.
        when: Condition of the group, or None for one group per entry of a field.
        each: The field.
        least: Smallest count.
        most: Largest count, `NO_LIMIT` for none.
        places: Number of places; 0: the whole list.
        sliding: Whether it holds in any such number of consecutive places; else in the first ones.
    """

    number: int
    when: Condition | None
    each: str
    least: int
    most: int
    places: int
    sliding: bool


@dataclass(frozen=True)
class Slot:
    """Places that only items meeting a condition fill.

    Args:
        number: Number of the card.
        when: The condition.
        first: First place, from 0.
        last: Last place, from 0.
        strict: Whether a list ends where no such item is left; else the best other item takes the place.
    """

    number: int
    when: Condition
    first: int
    last: int
    strict: bool


@dataclass(frozen=True)
class PinnedItem:
    """An item at a place.

    Args:
        number: Number of the card.
        item: Position of the item.
        place: From 0.
    """

    number: int
    item: int
    place: int


Rule = Bound | Slot | PinnedItem


class Groups(NamedTuple):
    """Groups of bounds, for compiled code: key `x` is in the groups `group[start[x]:start[x + 1]]`.

    Args:
        key: (B, N) key of each candidate.
        start: (X + 1,).
        group: Numbers of groups.
        owner: (G,) index of the rule of each group.
        least: (G,) smallest count.
        most: (G,) largest count.
        places: (G,) number of places, from 1 to k.
        sliding: (G,) whether any consecutive places count.
        needy: (L,) the groups with a smallest count above 0.
    """

    key: IntArray
    start: IntArray
    group: IntArray
    owner: IntArray
    least: IntArray
    most: IntArray
    places: IntArray
    sliding: BoolArray
    needy: IntArray


class SlotTable(NamedTuple):
    """Slots for compiled code.

    Args:
        first: (S,) first place, from 0.
        last: (S,) last place.
        strict: (S,).
        met: (S, B, N) which candidates meet the condition.
    """

    first: IntArray
    last: IntArray
    strict: BoolArray
    met: BoolArray


class PinTable(NamedTuple):
    """Pins for compiled code.

    Args:
        place: (P,) from 0.
        column: (P, B) column of the item, -1 where it is not a candidate.
    """

    place: IntArray
    column: IntArray


class _Membership(NamedTuple):
    """Groups of bounds without the keys of candidates; see `Groups`."""

    start: IntArray
    group: IntArray
    owner: IntArray
    least: IntArray
    most: IntArray
    places: IntArray
    sliding: BoolArray
    needy: IntArray


def groups_of(rules: tuple[Rule, ...], users: IntArray, item: IntArray, k: int, facts: Facts) -> Groups:
    """Return the groups of all bounds; keys are items where no bound depends on the user, else candidates."""
    bounds = tuple(rule for rule in rules if isinstance(rule, Bound))
    if all(bound.when is None or bound.when.about_items for bound in bounds):
        items = np.arange(facts.data.n_items)
        table = facts.kept((bounds, k), lambda: _membership(bounds, None, items, k, facts))
        return Groups(np.maximum(item, 0).astype(np.int64), *table)
    key = np.arange(item.size).reshape(item.shape)
    return Groups(key, *_membership(bounds, users, item, k, facts))


def _membership(bounds: tuple[Bound, ...], users: IntArray | None, item: IntArray, k: int, facts: Facts) -> _Membership:
    """Return the groups of items, or, with users, of each (B, N) candidate, row by row."""
    keys: list[IntArray] = []
    numbers: list[IntArray] = []
    owner: list[int] = []
    items = np.maximum(item, 0).ravel()
    for index, bound in enumerate(bounds):
        if bound.when is not None:
            met = bound.when.of_items(facts) if users is None else bound.when.holds(facts, users, item).ravel()
            having, code, size = np.flatnonzero(met), np.zeros(int(met.sum()), np.int64), 1
        else:
            entries = facts.entries(bound.each)
            counts = entries.start[items + 1] - entries.start[items]
            having, size = np.repeat(np.arange(len(items)), counts), len(entries.names)
            within = np.arange(len(having)) - np.repeat(np.cumsum(counts) - counts, counts)
            code = entries.entry[np.repeat(entries.start[items], counts) + within]
        keys.append(having)
        numbers.append(code + len(owner))
        owner += [index] * size
    joined = np.concatenate([np.empty(0, np.int64), *keys])
    order = np.argsort(joined, kind="stable")
    start = np.zeros(len(items) + 1, np.int64)
    np.cumsum(np.bincount(joined, minlength=len(items)), out=start[1:])
    of = np.array(owner, dtype=np.int64)
    places = np.array([min(bound.places or k, k) for bound in bounds], dtype=np.int64)[of]
    least = np.array([bound.least for bound in bounds], dtype=np.int64)[of]
    most = np.array([bound.most for bound in bounds], dtype=np.int64)[of]
    sliding = np.array([bound.sliding for bound in bounds], dtype=np.bool_)[of]
    needy = np.flatnonzero(least)
    if len(needy) > NEEDY:
        raise ConfigError(
            _("A quota with a minimum covers {n_needy:,} values of a field; the limit is {needy:,}.").format(
                n_needy=len(needy), needy=NEEDY
            )
        )
    group = np.concatenate([np.empty(0, np.int64), *numbers])[order]
    return _Membership(start, group, of, least, most, places, sliding & (places < k), needy)


def slots_of(rules: tuple[Rule, ...], users: IntArray, item: IntArray, facts: Facts) -> SlotTable:
    """Return the slots."""
    slots = [rule for rule in rules if isinstance(rule, Slot)]
    met = [slot.when.holds(facts, users, item) for slot in slots]
    return SlotTable(
        np.array([slot.first for slot in slots], dtype=np.int64),
        np.array([slot.last for slot in slots], dtype=np.int64),
        np.array([slot.strict for slot in slots], dtype=np.bool_),
        np.array(met, dtype=np.bool_).reshape(len(slots), *item.shape),
    )


def pins_of(rules: tuple[Rule, ...], item: IntArray) -> PinTable:
    """Return the pins."""
    pins = [rule for rule in rules if isinstance(rule, PinnedItem)]
    column = np.full((len(pins), len(item)), -1, dtype=np.int64)
    for number, pin in enumerate(pins):
        where = item == pin.item
        column[number] = np.where(where.any(axis=1), where.argmax(axis=1), -1)
    return PinTable(np.array([pin.place for pin in pins], dtype=np.int64), column)
