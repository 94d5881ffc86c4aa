"""The effect of interaction weights, computed by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.registry import make_model
from recsys_core.models.weights import history_confidence, training_confidence, typical_weight

ROWS = [(0, 0, 1.0), (0, 0, 2.0), (0, 1, 4.0), (1, 1, 4.0), (1, 2, 4.0), (2, 2, 0.0), (2, 0, -12.0)]
"""User, item, weight; the median magnitude of those that are not 0 is 4."""


def shop(times: float = 1.0) -> Dataset:
    frame = pd.DataFrame(ROWS, columns=["user", "item", "weight"])
    frame["weight"] *= times
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32", "weight": "float32"}))


def test_popularity_is_the_sum_of_weights() -> None:
    model = make_model("popular")
    model.fit(shop(), RunContext())
    assert_array_equal(model.score(shop().queries())[0], [1 + 2 - 12, 4 + 4, 4])


@pytest.mark.parametrize("times", [1.0, 0.125, 1000.0])
def test_confidence_is_the_logarithm_of_summed_weights_over_their_median(times: float) -> None:
    data = shop(times)
    assert typical_weight(data) == pytest.approx(4 * times)
    expected = [[np.log2(1 + 3 / 4), 1, 0], [0, 1, 1], [-np.log2(1 + 12 / 4), 0, 0]]
    found = training_confidence(data, typical_weight(data))
    assert_allclose(found.toarray(), expected, rtol=1e-6)
    assert found.nnz == 6, "an interaction of weight 0 is an entry"
    asked = history_confidence(data.queries(), 3, typical_weight(data))
    assert_array_equal(asked.toarray(), found.toarray())
    assert_array_equal(asked.indices, found.indices)


def test_summing_repeated_items_leaves_the_history_of_the_query_as_it_is() -> None:
    query = shop().queries()
    before = query.history.offsets.tolist()
    history_confidence(query, 3, 4.0)
    assert query.history.offsets.tolist() == before == [0, 3, 5, 7]
    assert query.seen[1].tolist() == [1, 2]


def test_what_was_bought_twice_is_not_recommended_again() -> None:
    data = shop()
    model = make_model("ease")
    model.fit(data, RunContext())
    assert model.recommend(data.queries(), 3).item.max(axis=1).tolist() == [2, 0, 1]


def test_without_weights_each_item_counts_once() -> None:
    bare = dataset_from_frames(shop().interactions.drop(columns="weight"))
    assert np.isnan(typical_weight(bare))
    assert_array_equal(training_confidence(bare, np.nan).data, np.ones(6))
    weighted = shop().queries()
    assert_array_equal(history_confidence(weighted, 3, np.nan).data, np.ones(6))
    unweighted = QueryBatch(weighted.user, weighted.history, weighted.values)
    assert_array_equal(history_confidence(unweighted, 3, 4.0).data, np.ones(6))


def test_interactions_without_a_rating_are_no_ratings() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 0, 1], "rating": [5.0, np.nan, np.nan, 2.0]})
    data = dataset_from_frames(frame.astype({"user": "int32", "item": "int32", "rating": "float32"}))
    assert_array_equal(data.matrix("rating").toarray(), [[5, 0], [0, 2]])
    model = make_model("biased_mf")
    model.fit(data, RunContext())
    assert np.isfinite(model.score(data.queries())).all()
    assert np.isfinite(model.score(data.queries().of_unknown())).all()


def test_parts_of_a_query_keep_their_weights() -> None:
    query = shop().queries()
    assert query.weights is not None
    assert_array_equal(query.take(np.array([2, 1])).weights, [0, -12, 4, 4])
    assert_array_equal(query.only(query.weights > 1).weights, [2, 4, 4, 4])
    assert_array_equal(query.of_unknown().weights, query.weights)
