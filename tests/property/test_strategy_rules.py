"""10,000 random strategies: no list breaks a cap, a quota's maximum or a slot, and what cannot hold is reported."""

from typing import Any

import numpy as np

from recsys_core.contracts import PAD, BoolArray, IntArray, TopK
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Cap, Filter, Pin, Quota, Slots, Strategy
from tests.strategies import FACTS, ITEMS, SHOPPERS, where

STRATEGIES = 10_000
K = 6
BRANDS = [(FACTS.table["brand"] == name).to_numpy() for name in ("b0", "b1", "b2")]
KINDS = [FACTS.table["categories"].str.contains(name).to_numpy() for name in ("wool", "silk")]
CONDITIONS = [
    where("price", ">", 5.0),
    where("brand", "=", "b1"),
    where("categories", "has", "silk"),
    where("interacted_times", ">=", 2.0),
    where("author", "=", other="user.id"),
]


def random_card(rng: np.random.Generator) -> dict[str, Any]:
    """Return a card with random settings."""
    share, when = float(rng.random()), CONDITIONS[rng.integers(len(CONDITIONS))]
    places = int(rng.integers(0, K + 1))
    least = int(rng.integers(0, min(places or K, 3) + 1))
    group = {"when": when} if rng.random() < 0.6 else {"each": ["brand", "categories"][rng.integers(2)]}
    first = int(rng.integers(1, K + 1))
    cards: list[dict[str, Any]] = [
        {"kind": "cap", "field": "brand", "most": int(rng.integers(1, 4)), "window": int(rng.integers(0, 8))},
        {"kind": "cap", "field": "categories", "most": int(rng.integers(1, 4)), "window": int(rng.integers(0, 8))},
        {"kind": "quota", "least": least, "most": least + int(rng.integers(0, 3)), "places": places,
         "sliding": bool(rng.random() < 0.5), **group},
        {"kind": "quota", "least": least, "places": places, "sliding": bool(rng.random() < 0.5), **group},
        {"kind": "slots", "when": when, "first": first, "last": int(min(K, first + rng.integers(0, 3))),
         "otherwise": ["others", "end"][rng.integers(2)]},
        {"kind": "pin", "item": f"i{rng.integers(ITEMS)}", "place": int(rng.integers(1, K + 2))},
        {"kind": "boost", "when": when, "places": int(rng.integers(-4, 5))},
        {"kind": "boost", "when": when, "by": "factor", "factor": 0.2 + 3 * share, "scaling": "minmax"},
        {"kind": "decay", "by": "popularity", "half_life": 5.0},
        {"kind": "mmr", "weight": share},
        {"kind": "dpp", "sharpness": 2.0},
        {"kind": "calibration", "weight": share},
        {"kind": "xquad", "weight": share},
        {"kind": "fair_ratio", "when": when, "share": share / 2},
        {"kind": "filter", "when": where("price", "<", 4 + 8 * share)},
        {"kind": "filter", "when": when, "action": ["keep", "drop"][rng.integers(2)]},
    ]  # fmt: skip
    return cards[rng.integers(len(cards))]


def random_strategy(rng: np.random.Generator) -> Strategy:
    """Return one to five cards; one in five strategies explores at the end."""
    cards = [random_card(rng) for _ in range(rng.integers(1, 6))]
    if rng.random() < 0.2:
        cards.append({"kind": "explore", "method": ["epsilon", "softmax"][rng.integers(2)], "epsilon": 0.5})
    return Strategy.model_validate({"cards": cards, "k": K, "pool": ITEMS})


def counts(members: BoolArray, places: int, sliding: bool) -> IntArray:
    """Return (U, W) the members in each window of the (U, K) lists."""
    width = min(places or K, K)
    starts = range(K - width + 1) if sliding and places else [0]
    return np.stack([members[:, start : start + width].sum(axis=1) for start in starts], axis=1)


def memberships(card: Cap | Quota, users: IntArray, lists: IntArray) -> list[BoolArray]:
    """Return, for each group of a card, which places hold a member."""
    if isinstance(card, Quota) and card.when is not None:
        return [card.when.holds(FACTS, users, lists)]
    table = BRANDS if (card.field if isinstance(card, Cap) else card.each) == "brand" else KINDS
    return [(lists != PAD) & members[lists] for members in table]


def broken_and_lacking(card: Any, users: IntArray, lists: IntArray) -> tuple[BoolArray, str, BoolArray]:
    """Return (U,) whose list breaks what always holds, the kind of a shortfall, and (U,) whose list has it."""
    none = np.zeros(len(lists), dtype=bool)
    if isinstance(card, Cap | Quota):
        places, sliding = (card.window, True) if isinstance(card, Cap) else (card.places, card.sliding)
        found = np.stack([counts(group, places, sliding) for group in memberships(card, users, lists)])  # (G, U, W)
        most, least = K if card.most is None else card.most, 0 if isinstance(card, Cap) else card.least
        return (found > most).any(axis=(0, 2)), "least", (found < least).any(axis=(0, 2))
    if isinstance(card, Slots):
        part = lists[:, card.first - 1 : card.last]
        met = card.when.holds(FACTS, users, part)
        wrong = (~met & (part != PAD)).any(axis=1)
        return (wrong, "slot", ~met.all(axis=1)) if card.otherwise == "end" else (none, "slot", wrong)
    if isinstance(card, Pin) and card.place <= K:
        at = lists[:, card.place - 1]
        return none, "pin", (at != PAD) & (at != int(card.item[1:]))
    return none, "", none


def check(strategy: Strategy, outcome: Outcome, users: IntArray) -> None:
    """Fail unless each list is sound, and shortfalls count exactly the users whose lists lack something."""
    lists = outcome.lists.item
    present = lists != PAD
    assert not (present[:, 1:] & ~present[:, :-1]).any()
    ordered = np.sort(lists, axis=1)
    assert not ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != PAD)).any()
    lacking = {}
    pinned: set[int] = set()
    for number, card in reversed(list(enumerate(strategy.cards))):
        if isinstance(card, Pin):
            pinned.add(int(card.item[1:]))
        if isinstance(card, Filter):  # an item that a later card pins comes back
            stays = card.when.holds(FACTS, users, lists) == (card.action == "keep")
            assert (stays | ~present | np.isin(lists, list(pinned))).all(), (strategy, lists)
        broken, kind, lacks = broken_and_lacking(card, users, lists)
        assert not broken.any(), (strategy, users[broken], lists[broken])
        if lacks.any():
            lacking[number, kind] = int(lacks.sum())
    told = {(one.card, one.kind): one.users for one in outcome.shortfalls if one.kind != "short"}
    assert told == lacking, strategy


def test_ten_thousand_random_strategies_break_no_rule() -> None:
    rng = np.random.default_rng(0)
    users = np.arange(SHOPPERS)
    scores = np.arange(ITEMS, 0, -1.0, dtype=np.float32)[None].repeat(SHOPPERS, axis=0)
    for _ in range(STRATEGIES):
        lists = TopK(rng.permuted(np.tile(np.arange(ITEMS), (SHOPPERS, 1)), axis=1), scores)
        strategy = random_strategy(rng)
        check(strategy, apply(strategy, lists, users, FACTS), users)
