"""Quotas, slots and pins by hand: what holds, which prevails, and the rule that binds where one cannot hold."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recsys_core.contracts import PAD, TopK
from recsys_core.errors import ConfigError
from recsys_core.strategy.apply import Outcome
from recsys_core.strategy.facts import Facts
from tests.strategies import DAY, FACTS, ITEMS, RAW, first, listed, outcome, shop, where

LATE = where("price", ">=", 9.0)
"""Met by items 9, 10 and 11, the last of the raw lists."""
OWN = where("author", "=", other="user.id")
"""Met by items 0, 5 and 10 for user 0, by item 6 and 11 for user 1."""
SECOND = where("brand", "=", "b1")
"""Met by items 1, 4, 7 and 10."""


def told(found: Outcome) -> list[str]:
    return [str(one) for one in found.shortfalls]


def test_a_minimum_takes_the_best_items_as_late_as_it_can() -> None:
    assert first({"kind": "quota", "when": LATE, "least": 2}) == [0, 1, 2, 9, 10]
    assert first({"kind": "quota", "when": LATE, "least": 2, "places": 3}) == [0, 9, 10, 1, 2]
    assert first({"kind": "quota", "when": LATE, "least": 1, "places": 2, "sliding": True}) == [0, 9, 1, 10, 2]
    assert first({"kind": "quota", "when": SECOND, "most": 1}) == [0, 1, 2, 3, 5]
    assert first({"kind": "quota", "when": SECOND, "most": 0, "places": 3}) == [0, 2, 3, 1, 4]
    assert first({"kind": "quota", "each": "brand", "least": 1, "most": 2}, k=4) == [0, 1, 2, 3]
    without = {"kind": "filter", "when": where("id", "!=", "i1")}
    assert first(without, {"kind": "quota", "each": "brand", "least": 2}, k=6) == [0, 2, 3, 4, 5, 7]


def test_two_minima_with_one_deadline_share_the_places() -> None:
    """The first card leaves 0, 1, 2, 9, 10, 3, ...; with three of brand b1, all five places are due at the start.

    After 1, 9 and 10, of which 10 counts for both, one more of b1 is due in two places: 0 stays, then 4.
    """
    found = outcome({"kind": "quota", "when": LATE, "least": 2}, {"kind": "quota", "when": SECOND, "least": 3})
    assert found.lists.item[0].tolist() == [1, 9, 10, 0, 4]
    assert found.shortfalls == ()


def test_minima_with_different_deadlines_start_in_time() -> None:
    """One of 9 to 11 in two places and items 4 and 7 in three: all three places are due from the first on."""
    seldom = where("id", "in", ["i4", "i7"])
    dear, both = {"kind": "quota", "when": LATE, "least": 1, "places": 2}, {"kind": "quota", "when": seldom, "least": 2}
    assert first(dear, {**both, "places": 3}) == [9, 4, 7, 0, 1]


def test_a_window_around_a_place_counts_pins_behind_it_and_forgets_what_is_out_of_it() -> None:
    """At place 3, items of b1 stand at places 1 and 4: never three of them in three consecutive places."""
    raw = TopK(np.array([[1, 0, 4, 2, 7]]), RAW.score[:1, :5])
    cap = {"kind": "cap", "field": "brand", "most": 2, "window": 3}
    assert first(cap, pin(7, 4), lists=raw, users=np.array([0])) == [1, 0, 4, 7, 2]
    assert first({**cap, "most": 1}, pin(7, 4), lists=raw, users=np.array([0])) == [1, 0, 2, 7, PAD]


def test_a_quota_per_user_and_its_shortfall_name_the_rule_that_binds() -> None:
    own = {"kind": "quota", "when": OWN, "least": 3}
    found = outcome(own)
    assert found.lists.item.tolist() == [[0, 1, 2, 5, 10], [0, 1, 2, 6, 11]]
    assert told(found) == [
        "Card 1: the minimum does not hold in the lists of 1 of 2 users. 1 of them have too few such candidates."
    ]
    capped = outcome({"kind": "cap", "field": "categories", "most": 1}, {"kind": "quota", "when": OWN, "least": 2}, k=4)
    one = capped.shortfalls[1]
    assert (one.card, one.kind, one.users, one.few) == (1, "least", 2, 0)
    assert one.binding == ((0, 2),)
    assert str(one).endswith("Without card 1 it would hold for 2 of them.")
    assert capped.shortfalls[0].kind == "short"
    assert str(capped.shortfalls[0]).startswith("Card 1: the lists of 2 of 2 users have empty places")


def test_slots_hold_for_their_places_only() -> None:
    assert first({"kind": "slots", "when": LATE, "first": 2, "last": 3}) == [0, 9, 10, 1, 2]
    per_user = {"kind": "slots", "when": OWN, "first": 1, "last": 3}
    found = outcome(per_user)
    assert found.lists.item.tolist() == [[0, 5, 10, 1, 2], [6, 11, 0, 1, 2]]
    assert told(found) == [
        "Card 1: 1 of 2 users have a place without such an item. 1 of them have too few such candidates."
    ]
    strict = outcome({**per_user, "otherwise": "end"})
    assert strict.lists.item.tolist() == [[0, 5, 10, 1, 2], [6, 11, PAD, PAD, PAD]]
    assert strict.shortfalls[0].users == 1


def pin(item: int, place: int, **more: Any) -> dict[str, Any]:
    return {"kind": "pin", "item": f"i{item}", "place": place, **more}


def test_caps_prevail_over_pins_and_pins_over_the_order() -> None:
    cap = {"kind": "cap", "field": "brand", "most": 1}
    assert first(pin(4, 1), pin(7, 3), k=4) == [4, 0, 7, 1]
    assert first(cap, pin(7, 3), k=3) == [0, 2, 7]  # item 1 gives way to the pinned item of its brand
    both = outcome(pin(4, 1), pin(7, 2), cap, k=3)
    assert both.lists.item[0].tolist() == [4, 0, 2]
    assert [(one.card, one.kind, one.users, one.binding) for one in both.shortfalls] == [
        (1, "pin", 2, ((0, 2), (2, 2)))
    ]
    window = {"kind": "cap", "field": "brand", "most": 1, "window": 2}
    assert first(window, pin(10, 3)) == [0, 2, 10, 3, 1]  # neither neighbor of place 3 is of brand b1
    slot = {"kind": "slots", "when": LATE, "first": 2, "last": 2}
    assert first(slot, pin(3, 2)) == [0, 9, 3, 1, 2]
    same_place = outcome(pin(5, 1), pin(6, 1))
    assert same_place.lists.item[0].tolist() == [5, 6, 0, 1, 2]
    assert same_place.shortfalls[0].card == 1


def test_a_rule_holds_whatever_later_cards_do_and_a_later_filter_takes_a_pinned_item_out() -> None:
    cap, lift = {"kind": "cap", "field": "brand", "most": 1}, {"kind": "boost", "when": SECOND, "places": 12}
    assert first(cap, lift, k=3) == [1, 0, 2]
    assert first(lift, cap, k=3) == [1, 0, 2]
    found = outcome(pin(9, 1), {"kind": "filter", "when": LATE, "action": "drop"})
    assert found.lists.item[0].tolist() == [0, 1, 2, 3, 4]
    assert told(found) == [
        "Card 1: the item is not at its place in the lists of 2 of 2 users. 2 of them do not have it as a candidate "
        "after later cards."
    ]
    assert found.places(0, 9) == [10, 1, 0]


def test_a_pinned_item_moves_up_in_a_short_list() -> None:
    short = TopK(RAW.item[:, :3], RAW.score[:, :3])
    assert first(pin(9, 5), pin(10, 6), k=6, lists=short) == [0, 1, 2, 9, 10, PAD]


def test_a_campaign_has_dates() -> None:
    data = shop()
    campaign = pin(9, 1, start="2026-03-01", end="2026-03-31")
    for day, running in (("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False)):
        at = int(np.datetime64(day, "ms").astype(np.int64)) + DAY - 1
        assert (first(campaign, facts=Facts(data, at=at))[0] == 9) is running
    with pytest.raises(ConfigError, match=r"pin of item 'i9' has dates: say when the strategy is applied \(--at\)"):
        first(campaign)
    with pytest.raises(ValidationError, match="ends on 2026-03-01, before it starts on 2026-03-02"):
        first(pin(9, 1, start="2026-03-02", end="2026-03-01"))


@given(st.integers(0, 100_000))
def test_a_minimum_holds_whenever_exhaustive_search_finds_a_list(seed: int) -> None:
    """One minimum per brand in the same places, as the module promises: no list of candidates is missed."""
    rng = np.random.default_rng(seed)
    k, places = 5, int(rng.integers(1, 6))
    kept = rng.permutation(ITEMS)[: rng.integers(5, 9)]
    quotas = [
        {"kind": "quota", "when": where("brand", "=", f"b{brand}"), "least": int(rng.integers(0, min(3, places) + 1)),
         "places": places} for brand in range(3)
    ]  # fmt: skip
    only = {"kind": "filter", "when": where("id", "in", [f"i{item}" for item in kept])}
    found = outcome(only, *quotas, k=k)
    brands = [int(item) % 3 for item in kept]
    possible = any(
        all(sum(brand == number for brand in chosen) >= quotas[number]["least"] for number in range(3))
        for chosen in itertools.combinations(brands, places)
    )
    assert (not found.shortfalls) is possible
    assert len(listed(found.lists.item[0])) == k


def test_malformed_rules_are_refused() -> None:
    for cards, message in (
        ({"kind": "quota", "least": 1}, "either a condition"),
        ({"kind": "quota", "each": "brand", "least": 3, "most": 2}, "at least 3 and at most 2 cannot both hold"),
        ({"kind": "quota", "each": "brand", "least": 3, "places": 2}, "3 items do not fit in 2 places"),
        ({"kind": "slots", "when": LATE, "first": 3, "last": 2}, "the last is before the first"),
    ):
        with pytest.raises(ValidationError, match=message):
            outcome(cards)
    with pytest.raises(ConfigError, match="no item field 'stock'"):
        outcome({"kind": "quota", "each": "stock", "least": 1})
    assert FACTS.entries("categories").names == ("silk", "wool")
