"""Exploration: logged propensities equal simulated frequencies; the same seed gives the same lists."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from recsys_core.contracts import TopK
from recsys_core.data import dataset_from_frames
from recsys_core.errors import ConfigError
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from tests.strategies import FACTS, outcome, where

USERS, CANDIDATES, K = 20_000, 5, 3
LEVEL = 1e-6
"""Probability that a correct propensity is found wrong, per list."""


def crowd() -> Facts:
    """Return users without history, and 5 items with 1 to 9 clicks in 10 views."""
    rows = [
        (0, item, event)
        for item in range(CANDIDATES)
        for event in ["click"] * (2 * item + 1) + ["view"] * (9 - 2 * item)
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "event"]).astype({"user": "int32", "item": "int32"})
    items = pd.DataFrame({"brand": ["a", "a", "b", "b", "b"]})
    return Facts(dataset_from_frames(frame, user_ids=[str(user) for user in range(USERS)], items=items))


CROWD = crowd()
SCORES = np.array([2.0, 1.5, 1.4, 0.3, 0.0], dtype=np.float32)
EVERYBODY = np.arange(USERS)


def explored(*before: dict[str, Any], **settings: Any) -> Outcome:
    lists = TopK(np.tile(np.arange(CANDIDATES), (USERS, 1)), np.tile(SCORES, (USERS, 1)))
    strategy = Strategy.model_validate(
        {"cards": [*before, {"kind": "explore", **settings}], "k": K, "pool": CANDIDATES}
    )
    return apply(strategy, lists, EVERYBODY, CROWD)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "epsilon", "epsilon": 0.4},
        {"method": "softmax", "temperature": 0.5, "scaling": "minmax"},
        {"method": "thompson", "event": "click"},
    ],
    ids=lambda settings: settings["method"],
)
@pytest.mark.parametrize("rules", [(), ({"kind": "cap", "field": "brand", "most": 2},)], ids=["free", "with a cap"])
def test_propensities_equal_simulated_frequencies(settings: dict[str, Any], rules: tuple[dict[str, Any], ...]) -> None:
    """The product of a list's propensities is its probability; the count of each list lies in its binomial interval."""
    found = explored(*rules, **settings)
    assert found.propensity is not None
    lists, which, counts = np.unique(found.lists.item, axis=0, return_inverse=True, return_counts=True)
    chances = found.propensity.prod(axis=1)
    if settings["method"] == "epsilon":
        assert len(lists) == (60 if not rules else 54)
    for number, count in enumerate(counts):
        own = chances[which.ravel() == number]
        np.testing.assert_allclose(own, own[0], rtol=1e-9)
        low, high = stats.binom.interval(1 - LEVEL, USERS, own[0])
        assert low <= count <= high, (lists[number], own[0], count)
    total = sum(chances[which.ravel() == number][0] for number in range(len(counts)))
    assert total == pytest.approx(1.0, abs=0.01)


def test_the_softmax_has_the_probabilities_of_plackett_and_luce() -> None:
    found = explored(method="softmax", temperature=0.5, scaling="minmax")
    assert found.propensity is not None
    weights = np.exp(SCORES.astype(np.float64) / 2.0 / 0.5)
    for row, chance in zip(found.lists.item[:50], found.propensity[:50], strict=True):
        left = weights.sum() - np.concatenate([[0.0], np.cumsum(weights[row])[:-1]])
        np.testing.assert_allclose(chance, weights[row] / left, rtol=1e-6)


def test_thompson_prefers_items_with_more_successes_as_the_posteriors_say() -> None:
    found = explored(method="thompson", event="click")
    rng = np.random.default_rng(0)
    theta = rng.beta(1 + np.arange(1, 10, 2), 1 + np.arange(9, 0, -2), (400_000, CANDIDATES))
    exact = np.bincount(theta.argmax(axis=1), minlength=CANDIDATES) / len(theta)
    assert found.propensity is not None
    for item in range(CANDIDATES):
        first = found.propensity[found.lists.item[:, 0] == item, 0]
        if len(first):
            assert first[0] == pytest.approx(exact[item], abs=0.004)


def test_the_same_seed_gives_the_same_lists_for_any_batch_and_another_seed_others() -> None:
    one, again = explored(method="softmax"), explored(method="softmax")
    assert one.lists.item.tobytes() == again.lists.item.tobytes()
    assert (explored(method="softmax", seed=1).lists.item != one.lists.item).any()
    lists = TopK(np.tile(np.arange(CANDIDATES), (2, 1)), np.tile(SCORES, (2, 1)))
    strategy = Strategy.model_validate(
        {"cards": [{"kind": "explore", "method": "softmax"}], "k": K, "pool": CANDIDATES}
    )
    alone = apply(strategy, lists, EVERYBODY[[9, 4]], CROWD)
    np.testing.assert_array_equal(alone.lists.item, one.lists.item[[9, 4]])


def test_pinned_items_have_probability_1_and_rules_hold() -> None:
    found = explored(
        {"kind": "pin", "item": "4", "place": 2}, {"kind": "cap", "field": "brand", "most": 2}, epsilon=1.0
    )
    assert found.propensity is not None
    assert (found.lists.item[:, 1] == 4).all()
    assert (found.propensity[:, 1] == 1).all()
    assert ((found.lists.item >= 2).sum(axis=1) <= 2).all()


def test_exploration_is_last_and_needs_its_counts() -> None:
    with pytest.raises(ValidationError, match="'explore' must be the last card"):
        outcome({"kind": "explore"}, {"kind": "mmr"})
    assert outcome({"kind": "explore", "on": False}, {"kind": "mmr"}).propensity is None
    with pytest.raises(ConfigError, match="counts event 'buy', which 'shop' does not have"):
        outcome({"kind": "explore", "method": "thompson", "event": "buy"})
    with pytest.raises(ConfigError, match="'shop' has no ratings"):
        outcome({"kind": "explore", "method": "thompson"})
    won, lost = FACTS.outcomes("click", None)
    assert (won + lost).tolist() == FACTS.table["popularity"].tolist()
    assert first_of(where("price", ">", 3.0)) > 3


def first_of(when: dict[str, Any]) -> int:
    found = outcome({"kind": "filter", "when": when}, {"kind": "explore", "method": "softmax", "temperature": 0.01})
    return int(found.lists.item[0, 0])
