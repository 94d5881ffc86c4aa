"""Repeat: its three orders by hand, weights, and the refusal where nothing may be repeated."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.task import Task
from recsys_core.errors import DataError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.models.repeat import Repeat, RepeatConfig
from tests.contract.cases import asking


def data(weight: list[float] | None = None) -> Dataset:
    """Every user views items 0, 1, 2, 0 and then buys item 2."""
    rows = [
        (user, item, event, 1000 * user + step)
        for user in range(6)
        for step, (item, event) in enumerate([(0, "view"), (1, "view"), (2, "view"), (0, "view"), (2, "buy")])
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "event", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32", "timestamp": "int64"})
    if weight is not None:
        frame["weight"] = np.resize(np.array(weight, dtype=np.float32), len(frame))
    return dataset_from_frames(frame, item_ids=list("abcd"))


def fitted(train: Dataset | None = None, **config: Any) -> Repeat:
    model = Repeat(RepeatConfig.model_validate(config))
    model.fit(train or data(), RunContext())
    return model


def test_the_decay_halves_with_the_number_of_later_interactions() -> None:
    scores = fitted(half_life=2).score(asking([[0, 1, 2, 0]]))[0]
    assert_allclose(scores, [2**-1.5 + 1, 2**-1.0, 2**-0.5, np.nan])


def test_recency_is_the_latest_and_frequency_the_count() -> None:
    query = asking([[0, 1, 1, 2]])
    assert_allclose(fitted(ranking="recency").score(query)[0], [1 / 4, 1 / 2, 1, np.nan])
    assert_allclose(fitted(ranking="frequency").score(query)[0], [1, 2, 1, np.nan])


def test_an_interaction_counts_with_its_confidence() -> None:
    """The median weight is 1: weights 1, 3 and -1 have confidences 1, 2 and 0 (not below)."""
    model = fitted(data([1, 1, 1, 1, 3]), ranking="frequency")
    query = replace(asking([[0, 1, 2]]), weights=np.array([1, 3, -1], dtype=np.float32))
    assert_allclose(model.score(query)[0], [1, 2, 0, np.nan])


def test_items_of_the_history_are_recommended_unless_they_were_seen() -> None:
    query = asking([[0, 1, 2, 0]])
    assert_array_equal(fitted().recommend(query, 4, exclude_seen=False).item[0], [0, 2, 1, PAD])
    assert (fitted().recommend(query, 4).item == PAD).all()
    bought = QueryBatch(query.user, query.history, query.values, known=Ragged.from_rows([[0]]))
    assert_array_equal(fitted().recommend(bought, 4).item[0], [2, 1, PAD, PAD])
    fitted().require_candidates(bought)


def test_where_purchases_are_predicted_from_views_the_viewed_item_is_found() -> None:
    task = Task(target=("buy",), learn_from={"view": 1.0})
    split = make_splits(data(), SplitSpec.model_validate({"kind": "leave_last_out"}), 1, task=task)[0]
    model = fitted(split.train, ranking="recency")
    model.require_candidates(split.queries(split.test_users()))
    found = evaluate(model, split, cutoffs=(2,), ctx=RunContext())
    assert found.per_user["hit_rate@2"].tolist() == [1.0] * 6


def test_where_all_known_items_are_excluded_the_reason_is_said() -> None:
    split = make_splits(data(), SplitSpec.model_validate({"kind": "leave_last_out"}), 1)[0]
    model = fitted(split.train)
    with pytest.raises(DataError, match=r"excluded as already seen.*target events"):
        model.require_candidates(split.queries(split.test_users()))


def test_data_without_events_are_refused() -> None:
    bare = data()
    frame = bare.interactions.drop(columns="event")
    train = dataset_from_frames(frame, item_ids=list("abcd"))
    with pytest.raises(DataError, match="needs events"):
        fitted(train)
