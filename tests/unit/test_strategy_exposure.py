"""Exposure over all users: shares computed again from the lists, bounds that hold, and those that cannot."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.contracts import PAD, FloatArray, IntArray, TopK
from recsys_core.data import dataset_from_frames
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from tests.strategies import where

USERS, ITEMS, POOL, K = 300, 40, 20, 6


def market() -> Facts:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"user": np.arange(USERS), "item": rng.integers(0, ITEMS, USERS)}).astype("int32")
    items = pd.DataFrame(
        {
            "provider": [f"p{item % 4}" for item in range(ITEMS)],
            "categories": ["x|y" if item < 8 else "y" for item in range(ITEMS)],
        }
    )
    return Facts(dataset_from_frames(frame, items=items, item_ids=[str(item) for item in range(ITEMS)]))


FACTS = market()
PROVIDER = np.array([item % 4 for item in range(ITEMS)])


def lists(seed: int = 0) -> TopK:
    """Return lists in which items of provider 0 rank first more often, and those of provider 3 last."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(USERS, ITEMS)) - 0.6 * PROVIDER
    item = np.argsort(-scores, axis=1)[:, :POOL]
    return TopK(item, np.take_along_axis(scores, item, axis=1).astype(np.float32))


def shares(item: IntArray) -> FloatArray:
    """Return the exposure share of each provider, place by place from the definition."""
    got = np.zeros(4)
    for row in item:
        for place, one in enumerate(row, start=1):
            if one != PAD:
                got[PROVIDER[one]] += 1 / np.log2(1 + place)
    return got / got.sum()


def exposed(*cards: dict[str, Any], raw: TopK | None = None) -> Outcome:
    strategy = Strategy.model_validate({"cards": cards, "k": K, "pool": POOL})
    assert strategy.is_global == any(card["kind"] == "exposure" for card in cards)
    return apply(strategy, lists() if raw is None else raw, np.arange(USERS), FACTS)


LAST = {"kind": "exposure", "when": where("provider", "=", "p3")}


def test_a_minimum_and_a_maximum_hold_and_cost_no_more_than_needed() -> None:
    raw = shares(lists().item[:, :K])
    assert raw[3] < 0.1
    assert raw[0] > 0.4
    found = exposed({**LAST, "least": 0.2})
    assert 0.2 <= shares(found.lists.item)[3] < 0.203
    assert found.shortfalls == ()
    fewer = exposed({"kind": "exposure", "when": where("provider", "=", "p0"), "most": 0.3})
    assert 0.297 < shares(fewer.lists.item)[0] <= 0.3
    kept = exposed({**LAST, "least": 0.01})
    np.testing.assert_array_equal(kept.lists.item, lists().item[:, :K])


def test_bounds_for_each_provider_hold_together() -> None:
    found = exposed({"kind": "exposure", "each": "provider", "least": 0.15, "most": 0.35})
    final = shares(found.lists.item)
    assert (final >= 0.15 - 1e-9).all()
    assert (final <= 0.35 + 1e-9).all()
    assert found.shortfalls == ()


def test_what_the_candidates_do_not_allow_is_told_with_the_shares_that_they_do() -> None:
    found = exposed({**LAST, "least": 0.9})
    raw = lists()
    best = np.argsort(~(PROVIDER[raw.item] == 3), axis=1, kind="stable")
    highest = shares(np.take_along_axis(raw.item, best, axis=1)[:, :K])[3]
    assert highest < 0.9
    assert shares(found.lists.item)[3] == pytest.approx(highest)
    assert [str(one) for one in found.shortfalls] == [
        f"Card 1: the share of provider = p3 is {highest:.0%}, not >= 90%. "
        f"These candidates allow shares from 0% to {highest:.0%}."
    ]


def test_exposure_counts_caps_of_earlier_cards_and_later_cards_can_undo_it() -> None:
    capped = exposed({"kind": "cap", "field": "provider", "most": 2}, {**LAST, "least": 0.25})
    assert shares(capped.lists.item)[3] >= 0.25
    assert all(np.bincount(PROVIDER[row[row != PAD]]).max() <= 2 for row in capped.lists.item)
    undone = exposed(
        {**LAST, "least": 0.25}, {"kind": "filter", "when": where("provider", "=", "p3"), "action": "drop"}
    )
    assert str(undone.shortfalls[0]).startswith("Card 1: the share of provider = p3 is 0%, not >= 25%.")


def test_an_item_with_two_categories_counts_for_both() -> None:
    found = exposed({"kind": "exposure", "each": "categories", "least": 0.4})
    listed = found.lists.item
    weight = 1 / np.log2(np.arange(2, K + 2))
    assert ((listed < 8) * weight).sum() / (USERS * weight.sum()) >= 0.4
    assert found.shortfalls == ()


@given(st.integers(0, 1000), st.floats(0, 1), st.sampled_from(["rank", "minmax"]))
def test_a_minimum_holds_or_the_shortfall_says_that_it_cannot(seed: int, least: float, scaling: str) -> None:
    found = exposed({**LAST, "least": least, "scaling": scaling}, raw=lists(seed))
    final = shares(found.lists.item)[3]
    assert (final >= least - 1e-6) == (not found.shortfalls)
    if found.shortfalls:
        assert found.pool.bounds[0].highest < least
