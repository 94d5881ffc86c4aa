"""What differs between two strategies: cards added, removed, changed and moved, and the settings of the strategy."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from recsys_core.strategy.card_text import title
from recsys_core.strategy.cards import Strategy
from recsys_core.text import Sentence, Template

Kind = Literal["added", "removed", "changed", "moved", "setting"]
ADDED = Template("Card {after} ({card}) is added.")
REMOVED = Template("Card {before} ({card}) is removed.")
MOVED = Template("Card {before} ({card}) moves to place {after}.")
MOVED_AND_CHANGED = Template("Card {before} ({card}) moves to place {after}: {changes}.")
CHANGED = Template("Card {after} ({card}): {changes}.")
SETTING = Template("{changes}.")


@dataclass(frozen=True)
class CardChange:
    """A difference between two strategies.

    Args:
        kind: What happened; `setting` for `pool` and `k` of the strategy itself.
        before: Place of the card before, None if it is added.
        after: Place of the card after, None if it is removed.
        values: Setting -> value before and after, for `changed`, `setting`, and a card that moved and changed.
        sentence: The difference in words; places from 1.
    """

    kind: Kind
    before: int | None
    after: int | None
    values: dict[str, tuple[Any, Any]]
    sentence: Sentence


def diff(one: Strategy, other: Strategy) -> tuple[CardChange, ...]:
    """Return the differences of `other` from `one`; empty if they do the same.

    Equal cards are matched first, those that keep their order before those that moved; then cards of one kind, in
    order. The fewest cards that explain a new order count as moved. Names are no difference.

    Args:
        one: The strategy before.
        other: The strategy after.
    """
    pairs = _matched(one, other)
    kept = _in_order([after for _before, after in pairs])
    changes = [
        _of_card(one, other, before, after, moved=place not in kept) for place, (before, after) in enumerate(pairs)
    ]
    found = [change for change in (_settings(one, other), *changes) if change is not None]
    lost = sorted(set(range(len(one.cards))) - {before for before, _after in pairs})
    new = sorted(set(range(len(other.cards))) - {after for _before, after in pairs})
    found += [_plain("removed", REMOVED, place, None, title(type(one.cards[place]))) for place in lost]
    found += [_plain("added", ADDED, None, place, title(type(other.cards[place]))) for place in new]
    return tuple(found)


def _matched(one: Strategy, other: Strategy) -> list[tuple[int, int]]:
    """Return pairs of places of the same card, in the order before."""
    before, after = ([card.model_dump_json() for card in strategy.cards] for strategy in (one, other))
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    pairs = [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]
    kinds = [card.kind for card in one.cards], [card.kind for card in other.cards]
    for first, second in ((before, after), kinds):
        for place in range(len(before)):
            taken, used = {a for a, _b in pairs}, {b for _a, b in pairs}
            free = [b for b in range(len(after)) if b not in used and first[place] == second[b]]
            if place not in taken and free:
                pairs.append((place, free[0]))
    return sorted(pairs)


def _in_order(places: list[int]) -> set[int]:
    """Return the indices of a longest increasing subsequence."""
    chains: list[list[int]] = []
    for index, place in enumerate(places):
        before = [chain for chain in chains if places[chain[-1]] < place]
        chains.append([*_longest(before), index])
    return set(_longest(chains))


def _longest(chains: list[list[int]]) -> list[int]:
    return max(chains, key=len) if chains else []


def _of_card(one: Strategy, other: Strategy, before: int, after: int, *, moved: bool) -> CardChange | None:
    values = _values(one.cards[before].model_dump(mode="json"), other.cards[after].model_dump(mode="json"))
    if not values and not moved:
        return None
    texts = {"before": str(before + 1), "after": str(after + 1), "card": title(type(other.cards[after]))}
    template = CHANGED if not moved else MOVED_AND_CHANGED if values else MOVED
    sentence = template.fill(changes=_text(values), **texts)
    return CardChange("moved" if moved else "changed", before, after, values, sentence)


def _values(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*one, *other])
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _text(values: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} {before} → {after}" for name, (before, after) in values.items())


def _settings(one: Strategy, other: Strategy) -> CardChange | None:
    values = _values({"pool": one.pool, "k": one.k}, {"pool": other.pool, "k": other.k})
    return CardChange("setting", None, None, values, SETTING.fill(changes=_text(values))) if values else None


def _plain(kind: Kind, template: Template, before: int | None, after: int | None, card: str) -> CardChange:
    places = {"before": str((before or 0) + 1), "after": str((after or 0) + 1)}
    return CardChange(kind, before, after, {}, template.fill(card=card, **places))
