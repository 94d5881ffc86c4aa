"""Lint: planted faults are found, and sound strategies raise no alarm."""

from typing import Any

import numpy as np
import pytest

from recsys_core.contracts import TopK
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.lint import Finding, check
from tests.strategies import DAY, FACTS, ITEMS, SHOPPERS, shop, where

EVERYBODY = np.arange(SHOPPERS)
LISTS = TopK(
    np.random.default_rng(5).permuted(np.tile(np.arange(ITEMS), (SHOPPERS, 1)), axis=1),
    np.arange(ITEMS, 0, -1.0, dtype=np.float32)[None].repeat(SHOPPERS, axis=0),
)
NOW = Facts(shop(), at=int(FACTS.now) + DAY)
B1, CHEAP, DEAR = where("brand", "=", "b1"), where("price", "<", 4.0), where("price", ">", 8.0)


def found(*cards: dict[str, Any], lists: bool = False, k: int = 5) -> list[Finding]:
    strategy = Strategy.model_validate({"cards": cards, "k": k, "pool": ITEMS})
    return check(strategy, NOW, LISTS, EVERYBODY) if lists else check(strategy, NOW)


def keep(when: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "filter", "when": when}


def drop(when: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "filter", "when": when, "action": "drop"}


def boost(when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "boost", "when": when, **more}


def pin(item: int, place: int, **more: Any) -> dict[str, Any]:
    return {"kind": "pin", "item": f"i{item}", "place": place, **more}


def quota(when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "quota", "when": when, **more}


def exposure(when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "exposure", "when": when, **more}


def slots(when: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    return {"kind": "slots", "when": when, "first": first, "last": last}


CAP = {"kind": "cap", "field": "brand", "most": 1}
NOTHING = where("price", ">", 99.0)
PLANTED = {
    "settings": ((boost(B1, places=0),), "dead", "has no effect: with places = 0"),
    "factor": ((boost(B1, by="factor", factor=1.0),), "dead", "factor = 1"),
    "relevance alone": (({"kind": "mmr", "weight": 1.0},), "dead", "weight = 1"),
    "no share": (({"kind": "fair_ratio", "when": B1, "share": 0.0},), "dead", "share = 0"),
    "loose cap": (({"kind": "cap", "field": "brand", "most": 5},), "dead", "5 places can never hold more than 5"),
    "no bound": ((quota(B1),), "dead", "neither a minimum nor a maximum"),
    "no share bound": ((exposure(B1),), "dead", "neither a minimum nor a maximum"),
    "behind": ((pin(3, 9),), "dead", "keeps item i3 out of all full lists: place 9 is behind the end"),
    "slot behind": ((slots(B1, 6, 7),), "dead", "place 6 is behind"),
    "all pass": ((keep(where("brand", "is not missing")),), "dead", "every item passes it"),
    "none passes": ((keep(NOTHING),), "dead", "leaves every list empty: no item passes it"),
    "none meets": ((boost(NOTHING),), "dead", "no item meets price > 99"),
    "no user": ((boost(where("user.city", "=", "Lima")),), "dead", "no user meets user.city = Lima"),
    "over": ((pin(3, 1, end="1970-01-02"),), "date", "its campaign ended on 1970-01-02"),
    "early": ((pin(3, 1, start="2099-01-01"),), "date", "no effect yet: its campaign starts on 2099-01-01"),
    "again": ((drop(DEAR), drop(where("price", ">", 9.0))), "shadowed", "earlier filters drop all items that it would"),
    "dropped": ((drop(DEAR), boost(where("price", ">", 9.0))), "shadowed", "drop all items that meet price > 9"),
    "weaker": ((CAP, {**CAP, "most": 2}), "shadowed", "card 1 caps the same field more strictly"),
    "pin dropped": ((pin(9, 1), drop(DEAR)), "shadowed", "card 2 drops item i9 afterwards"),
    "pinned twice": ((pin(9, 1), pin(9, 3)), "shadowed", "which card 1 pins already"),
    "same boost": ((boost(B1), boost(B1, places=2)), "shadowed", "moves the same items as card 1"),
    "disjoint": ((keep(CHEAP), keep(DEAR)), "contradiction", "no item passes both it and the filters before it"),
    "back": ((boost(B1), boost(B1, places=-2)), "contradiction", "moved the same items the other"),
    "one place": ((pin(3, 1), pin(4, 1)), "contradiction", "pin items at the same place, 1"),
    "pin in slot": ((slots(B1, 1, 2), pin(3, 2)), "contradiction", "pins item i3"),
    "pins over cap": ((CAP, pin(1, 1), pin(4, 3)), "contradiction", "are 2 items of brand = b1"),
    "minimum over cap": ((CAP, quota(B1, least=2)), "contradiction", "but card 1 allows 1"),
    "least over places": ((quota(where("price", "<", 9.0), least=6),), "contradiction", "in 5 places"),
    "together": ((quota(CHEAP, least=3), quota(DEAR, least=3)), "contradiction", "demand 6 different items in 5"),
    "each": (({"kind": "quota", "each": "brand", "least": 2},), "contradiction", "demands 6 items in 5 places"),
    "slots apart": (
        (slots(CHEAP, 1, 3), slots(DEAR, 3, 4)),
        "contradiction",
        "keep place 3 for items that meet both conditions",
    ),
    "shares": ((exposure(CHEAP, least=0.6), exposure(DEAR, least=0.6)), "contradiction", "add up to 120%"),
    "share limits": (
        (exposure(where("price", "<", 6.0), most=0.2), exposure(CHEAP, least=0.4)),
        "contradiction",
        "card 1 allows 20%",
    ),
    "supply": ((quota(DEAR, least=4),), "supply", "4 items of price > 8, but only 3 pass the filters"),
    "filtered supply": ((drop(B1), quota(B1, least=1)), "supply", "but only 0 pass the filters"),
    "slot supply": ((slots(DEAR, 1, 4),), "supply", "demands 4 items of price > 8"),
    "unprotected": ((drop(B1), {"kind": "fair_ratio", "when": B1}), "supply", "has no protected items"),
    "no exposed item": ((drop(B1), exposure(B1, least=0.1)), "supply", "but only 0 pass the filters"),
}  # fmt: skip


@pytest.mark.parametrize(("cards", "kind", "said"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_is_found(cards: tuple[dict[str, Any], ...], kind: str, said: str) -> None:
    findings = found(*cards)
    assert [one.kind for one in findings] == [kind], [str(one) for one in findings]
    assert said in str(findings[0])
    off = [{**card, "on": False} for card in cards]
    assert found(*off) == []


def test_what_only_lists_show() -> None:
    last = {"kind": "filter", "when": where("interacted_times", ">", 99.0), "action": "drop"}
    assert [str(one) for one in found(last, lists=True)] == [f"Card 1 changes none of the {SHOPPERS} lists."]
    never = {"kind": "fair_ratio", "when": where("interacted_times", ">", 99.0)}
    assert str(found(never, lists=True)[0]) == f"Card 1: {SHOPPERS} of {SHOPPERS} users have no protected candidate."
    own = quota(where("author", "=", other="user.id"), least=3)
    findings = found(own, lists=True)
    assert [(one.level, one.kind) for one in findings] == [("warning", "supply")]
    assert str(findings[0]).startswith("Card 1: the minimum does not hold in the lists of")


def test_a_card_is_not_dead_if_a_later_one_brings_what_it_moves_into_lists() -> None:
    alike = TopK(np.tile(np.arange(ITEMS), (SHOPPERS, 1)), LISTS.score)
    boosted = boost(where("id", "=", "i7"), places=1)  # from place 8 to 7
    several = drop(where("id", "in", ["i0", "i1"]))
    for cards, dead in (((boosted,), True), ((boosted, several), False)):
        strategy = Strategy.model_validate({"cards": cards, "k": 5, "pool": ITEMS})
        assert [one.kind for one in check(strategy, NOW, alike, EVERYBODY)] == ["dead"] * dead


def test_a_card_that_changes_the_lists_of_one_class_of_users_only() -> None:
    data = shop()
    assert data.users is not None
    users = np.tile(np.where(data.users["city"] == "Rome")[0], 1)
    everybody = np.concatenate([np.repeat(users, 20), np.arange(SHOPPERS)])
    lists = TopK(LISTS.item[everybody], LISTS.score[everybody])
    strategy = Strategy.model_validate(
        {"cards": [boost(where("user.city", "=", "Rome", also=[B1]))], "k": 5, "pool": ITEMS}
    )
    balanced = np.concatenate([np.repeat(np.arange(SHOPPERS), 20)])
    even = TopK(LISTS.item[balanced], LISTS.score[balanced])
    findings = check(strategy, NOW, even, balanced)
    assert [(one.level, one.kind) for one in findings] == [("note", "one class")]
    assert "all of them with city = Rome (33% of all)" in str(findings[0])
    plain = Strategy.model_validate({"cards": [boost(B1)], "k": 5, "pool": ITEMS})
    assert check(plain, NOW, lists, everybody) == []


def sound(rng: np.random.Generator) -> Strategy:
    """Return a strategy whose cards have something to do and can all hold."""
    low = float(rng.integers(2, 5))
    cards = [
        keep(where("price", ">=", low - 1)),
        boost(where("brand", "=", f"b{rng.integers(3)}"), places=int(rng.integers(2, 5))),
        {"kind": "decay", "by": "popularity", "half_life": float(rng.integers(2, 9))},
        {"kind": ["mmr", "dpp", "calibration", "xquad"][rng.integers(4)]},
        {"kind": "fair_ratio", "when": where("categories", "has", "silk"), "share": 0.3},
        exposure(where("brand", "=", "b1"), least=0.1, most=0.6),
        {"kind": "cap", "field": "brand", "most": int(rng.integers(2, 4))},
        quota(where("brand", "=", "b2"), least=1, most=3),
        pin(int(rng.integers(5, 9)), 1),
    ]  # fmt: skip
    kept = sorted(rng.permutation(len(cards))[: rng.integers(1, 6)])
    return Strategy.model_validate({"cards": [cards[number] for number in kept], "k": 5, "pool": ITEMS})


def test_fifty_random_sound_strategies_raise_no_alarm() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        strategy = sound(rng)
        assert check(strategy, NOW) == [], strategy
        with_lists = check(strategy, NOW, LISTS, EVERYBODY)
        assert with_lists == [], (strategy, [str(one) for one in with_lists])
