"""Association rules against manual counts, each kind of basket, and FP-growth against the matrix product."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.association_rules import MINUTE, AssociationRules, baskets_of, frequent_sets, grown

BASKETS = ["bread milk", "bread milk butter", "bread butter", "milk", "bread milk"]
THINGS = ["bread", "milk", "butter"]


def shop() -> Dataset:
    rows = [(user, THINGS.index(thing)) for user, basket in enumerate(BASKETS) for thing in basket.split()]
    frame = pd.DataFrame(rows, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(frame, name="shop", item_ids=THINGS, items=pd.DataFrame({"title": THINGS}))


def fitted(**config: object) -> AssociationRules:
    model = AssociationRules(AssociationRules.config_type.parse(config))
    model.fit(shop(), RunContext())
    return model


def asking(*things: str) -> QueryBatch:
    history = Ragged.from_rows([[THINGS.index(thing) for thing in things]])
    return QueryBatch(np.array([PAD]), history, np.ones(len(things)))


def test_support_confidence_and_lift_by_hand() -> None:
    """Five baskets: bread in 4, milk in 4, butter in 2; bread and milk in 3, bread and butter in 2, milk and butter 1.

    bread -> milk:    support 3/5, confidence 3/4, lift (3/4) / (4/5) = 15/16
    butter -> bread:  support 2/5, confidence 2/2, lift 1 / (4/5) = 5/4
    bread -> butter:  support 2/5, confidence 2/4, lift (1/2) / (2/5) = 5/4
    milk and butter:  support 1/5, below the minimum of 0.4
    """
    model = fitted(min_support=0.4, min_confidence=0, min_lift=0)
    rules = {
        (THINGS[model.left.indices[rule]], THINGS[model.right[rule]]): (
            model.support[rule],
            model.confidence[rule],
            model.lift[rule],
        )
        for rule in range(len(model.right))
    }
    assert set(rules) == {("bread", "milk"), ("milk", "bread"), ("butter", "bread"), ("bread", "butter")}
    assert_allclose(rules["bread", "milk"], [0.6, 0.75, 0.9375])
    assert_allclose(rules["butter", "bread"], [0.4, 1.0, 1.25])
    assert_allclose(rules["bread", "butter"], [0.4, 0.5, 1.25])


def test_bounds_of_confidence_and_lift_leave_rules_out() -> None:
    """Only butter -> bread has a confidence of 0.8 or more; only the two with butter a lift of 1 or more."""
    assert len(fitted(min_support=0.4, min_confidence=0.8, min_lift=0).right) == 1
    assert len(fitted(min_support=0.4, min_confidence=0, min_lift=1).right) == 2


def test_scores_are_the_best_or_the_summed_confidence() -> None:
    """Bread is reached from milk (3/4) and from butter (1): best 1, summed 1.75; no rule leads to butter or milk."""
    for scoring, expected in (("best", 1.0), ("sum", 1.75)):
        model = fitted(min_support=0.4, min_confidence=0, min_lift=0, scoring=scoring)
        assert_allclose(model.score(asking("milk", "butter"))[0], [expected, np.nan, np.nan])


def test_a_rule_of_two_items_fires_when_both_are_there() -> None:
    """milk and butter -> bread: support 1/5, confidence 1 / 1; milk -> bread has 3/4, so 'best' shows which fired."""
    model = fitted(min_support=0.2, min_confidence=0, min_lift=0, max_length=3, scoring="best")
    assert_allclose(model.score(asking("milk"))[0, 0], 0.75)
    parts = model.explain(asking("milk"), 0)
    assert parts.labels == ("milk → bread (support 60%, confidence 75%, lift 0.94)",)
    both = fitted(min_support=0.2, min_confidence=0, min_lift=0, max_length=3, scoring="sum")
    parts = both.explain(asking("milk", "butter"), 0)
    assert_allclose(parts.score, 1.0 + 1.0 + 0.75)
    assert "milk + butter → bread (support 20%, confidence 100%, lift 1.25)" in parts.labels
    assert parts.weights.sum() + parts.remainder == pytest.approx(parts.score)


def test_what_no_rule_leads_to_cannot_be_explained() -> None:
    with pytest.raises(CannotScore, match="nothing in the history"):
        fitted(min_support=0.4).explain(asking("milk"), 2)


def test_baskets_of_a_history_a_day_and_a_session() -> None:
    """One user: items 0, 1 within ten minutes, item 2 two hours later, item 3 next day, item 4 at an unknown time."""
    times = [10 * MINUTE, 20 * MINUTE, 140 * MINUTE, 1500 * MINUTE, NO_TIMESTAMP]
    frame = pd.DataFrame({"user": np.zeros(5, np.int32), "item": np.arange(5, dtype=np.int32), "timestamp": times})
    data = dataset_from_frames(frame)
    found = {
        kind: [np.flatnonzero(row).tolist() for row in baskets_of(data, kind, 30.0).toarray()]
        for kind in ("history", "day", "session")
    }
    assert found["history"] == [[0, 1, 2, 3, 4]]
    assert found["day"] == [[0, 1, 2], [3]]
    assert found["session"] == [[0, 1], [2], [3]]


def test_sessions_and_days_need_times() -> None:
    with pytest.raises(DataError, match="needs timestamps, which 'shop' does not have"):
        fitted(baskets="session")


def test_counting_pairs_finds_what_fp_growth_finds() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(rng.random((40, 12)) < 0.4)
    frame = pd.DataFrame({"user": rows.astype(np.int32), "item": columns.astype(np.int32)})
    baskets = baskets_of(dataset_from_frames(frame), "history", 30.0)
    counted = frequent_sets(baskets, 0.15, 2)
    by_growth = grown(baskets, 0.15, 2)
    pairs = {items: share for items, share in by_growth.items() if len(items) == 2}
    assert pairs == pytest.approx(dict(zip(map(tuple, counted.sets[1].tolist()), counted.support[1], strict=True)))
    dense = baskets.toarray() > 0
    triples = {items for items in combinations(range(12), 3) if dense[:, list(items)].all(axis=1).mean() >= 0.15 - 1e-9}
    assert {tuple(items) for items in frequent_sets(baskets, 0.15, 3).sets[2].tolist()} == triples
