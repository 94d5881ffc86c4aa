"""Session kNN by hand: weights of items, similarity, decays, the limits on neighbors, and sessions by gaps."""

from math import exp, sqrt

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import CannotScore
from recsys_core.explain.sessions import sessions
from recsys_core.explain.view import ViewRequest
from recsys_core.models.session_knn import SessionKNN, SessionKNNConfig
from recsys_core.models.sessions import cut, last_sessions
from recsys_core.viz.inside_views import PICTURES
from tests.contract.cases import asking, tastes
from tests.worlds import markov_chain

DAY, MINUTE = 86_400_000, 60_000
HISTORIES = {0: [0, 1, 3], 1: [1, 2, 4], 2: [0, 1, 2], 3: [2, 5]}
ENDS = {0: 10, 1: 20, 2: 30, 3: 25}
"""Sessions by user, and the day of their last interactions; each interaction is a minute before the next."""
STAN = {
    "recency": "exponential",
    "similarity": "cosine",
    "item_decay": 2.0,
    "session_decay": 5.0,
    "position_decay": 3.0,
}


def data() -> Dataset:
    rows = [
        (user, item, ENDS[user] * DAY - (len(items) - 1 - place) * MINUTE)
        for user, items in HISTORIES.items()
        for place, item in enumerate(items)
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32", "timestamp": "int64"})
    return dataset_from_frames(frame, user_ids=list("abcd"), item_ids=list("uvwxyz"))


def fitted(**config: object) -> SessionKNN:
    model = SessionKNN(SessionKNNConfig.model_validate(config))
    model.fit(data(), RunContext())
    return model


def at(history: list[int], day: int) -> QueryBatch:
    """Return the query of an unknown user whose last interaction was on a day."""
    times = day * DAY - np.arange(len(history))[::-1] * MINUTE
    return QueryBatch(np.array([PAD]), Ragged.from_rows([history]), np.ones(len(history)), times)


def test_v_sknn_sums_the_linear_weights_of_common_items() -> None:
    """For [0, 1, 2] the weights are 1/3, 2/3, 1. Sessions: a shares 0 and 1 (1), b 1 and 2 (5/3), d 2 (1).

    Session c has nothing beyond the history and is no neighbor.
    """
    scores = fitted().score(asking([[0, 1, 2]]))[0]
    assert_allclose(scores, [1, 1 + 5 / 3, 5 / 3 + 1, 1, 5 / 3, 1])


def test_only_the_most_similar_sessions_vote_and_the_most_recent_of_equals() -> None:
    scores = fitted(neighbors=2).score(asking([[0, 1, 2]]))[0]
    assert_allclose(scores, [np.nan, 5 / 3, 5 / 3 + 1, np.nan, 5 / 3, 1])  # d ended after a


def test_only_the_most_recent_sessions_are_compared() -> None:
    scores = fitted(candidates=1).score(asking([[0, 1, 2]]))[0]
    assert_allclose(scores, [np.nan, np.nan, 1, np.nan, np.nan, 1])


def test_cosine_divides_by_both_lengths() -> None:
    scores = fitted(recency="none", similarity="cosine").score(asking([[0, 1, 2]]))[0]
    assert_allclose(scores[3:], [2 / 3, 2 / 3, 1 / sqrt(6)])


def test_stan_has_three_decays() -> None:
    """The last common item of b is 2 at position 2, and 4 follows it at position 3; b ended two days before."""
    model = fitted(**STAN)
    scores = model.score(at([0, 1, 2], 22))[0]
    weights = [exp(-2 / 2), exp(-1 / 2), 1.0]
    of_b = (weights[1] + weights[2]) / 3 * exp(-2 / 5)
    of_a = (weights[0] + weights[1]) / 3 * exp(-12 / 5)
    of_d = weights[2] / sqrt(6) * exp(-3 / 5)
    assert_allclose(scores[4], of_b * exp(-1 / 3))
    assert_allclose(scores[3], of_a * exp(-1 / 3))
    assert_allclose(scores[2], of_b + of_d)
    assert_allclose(scores[1], of_b * exp(-1 / 3) + of_a)


def test_a_current_session_without_a_time_ends_with_the_training_data() -> None:
    model = fitted(**STAN)
    assert_allclose(model.score(asking([[0, 1, 2]])), model.score(at([0, 1, 2], 30)))


@pytest.mark.parametrize("config", [{}, STAN, STAN | {"sessions": "gap", "session_gap": 200.0}])
def test_contributions_and_rows_of_the_view_sum_to_the_score(config: dict[str, object]) -> None:
    train = tastes()
    model = SessionKNN(SessionKNNConfig.model_validate({"neighbors": 15} | config))
    model.fit(train, RunContext())
    query = train.queries(np.array([4]))
    item = int(model.recommend(query, 1).item[0, 0])
    found = model.explain(query, item)
    assert_array_equal(found.sources, model.current_session(query))
    view_data = sessions(ViewRequest(model, train, query, item))
    assert found.weights.sum() == pytest.approx(found.score)
    assert view_data.facts["score"] == pytest.approx(found.score)
    assert view_data.table["weight"].sum() == pytest.approx(found.score)
    assert len(view_data.table) == view_data.facts["found"] == 15
    table = view_data.table
    assert_allclose(table["session_similarity"] * table["time_decay"] * table["position_decay"], table["weight"])
    assert (table["shared"] < table["items"]).all()
    assert PICTURES["sessions"].draw(view_data).data


def test_the_view_names_user_and_day() -> None:
    view_data = sessions(ViewRequest(fitted(), data(), asking([[0, 1, 2]]), 4))
    assert view_data.table["title"].tolist() == ["User b, 1970-01-21", "User d, 1970-01-26", "User a, 1970-01-11"]
    assert view_data.table["shared"].tolist() == [2, 1, 2]
    with pytest.raises(CannotScore, match="no neighbors"):
        sessions(ViewRequest(fitted(), data(), asking([[]]), 4))


def test_a_gap_ends_a_session_and_an_unknown_time_does_not() -> None:
    times = np.array([0, 10, 100, NO_TIMESTAMP, -5, 90])
    query = QueryBatch(np.arange(3), Ragged.from_rows([[3, 4, 3], [], [7, 8, 7]]), np.ones(6), times)
    found, ends, users = cut(query, 50)
    assert [row.tolist() for row in found] == [[7, 8], [3, 4], [7], [3]]
    assert ends.tolist() == [-5, 10, 90, 100]
    assert users.tolist() == [2, 0, 2, 0]
    last, at_end = last_sessions(query, 50)
    assert [row.tolist() for row in last] == [[3], [], [7]]
    assert at_end.tolist() == [100, NO_TIMESTAMP, 90]
    assert [row.tolist() for row in last_sessions(query, 90)[0]] == [[4, 3], [], [7]]
    whole, _ = last_sessions(query, None)
    assert [row.tolist() for row in whole] == [[4, 3], [], [8, 7]]


def test_the_next_step_of_a_walk_is_found() -> None:
    world = markov_chain()
    model = SessionKNN(SessionKNNConfig(position_decay=1.0))
    model.fit(world.train, RunContext())
    top = model.recommend(world.train.queries(), 2)
    assert (top.item == world.withheld[:, None]).any(axis=1).mean() > 0.9
