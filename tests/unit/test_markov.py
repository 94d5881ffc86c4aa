"""Markov chain by hand: counts, smoothing, distance, direction, votes of several items, and the view."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore
from recsys_core.explain.transitions import transitions
from recsys_core.explain.view import ViewRequest
from recsys_core.models.markov import Markov, MarkovConfig
from recsys_core.viz.inside_views import PICTURES
from tests.contract.cases import asking
from tests.worlds import markov_chain

HISTORIES = [[0, 1, 2], [0, 1, 3], [1, 1, 2], [0]]
"""Transitions: 0 to 1 twice, 1 to 2 twice, 1 to 3 once; the repetition of 1 is none."""


def data(weights: list[float] | None = None) -> Dataset:
    rows = [(user, item, step) for user, items in enumerate(HISTORIES) for step, item in enumerate(items)]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32", "timestamp": "int64"})
    if weights is not None:
        frame["weight"] = np.array(weights, dtype=np.float32)
    return dataset_from_frames(frame, item_ids=list("wxyz"))


def fitted(train: Dataset | None = None, **config: object) -> Markov:
    model = Markov(MarkovConfig.model_validate(config))
    model.fit(train or data(), RunContext())
    return model


def test_without_smoothing_the_scores_are_relative_frequencies() -> None:
    scores = fitted(smoothing=0).score(asking([[0], [3, 1], [2]]))
    assert_allclose(scores[:2], [[np.nan, 1, np.nan, np.nan], [np.nan, np.nan, 2 / 3, 1 / 3]])
    assert np.isnan(scores[2]).all()


def test_smoothing_adds_virtual_transitions_to_popular_items() -> None:
    """Shares of the five transitions: 0, 2/5, 2/5, 1/5. After item 1: (2 + 5 * 2/5) / (3 + 5) = 1/2 for item 2."""
    scores = fitted(smoothing=5).score(asking([[1], [2]]))
    assert_allclose(scores, [[0, 2 / 8, 4 / 8, 2 / 8], [0, 2 / 5, 2 / 5, 1 / 5]])
    assert_allclose(scores.sum(axis=1), 1)


def test_a_longer_distance_counts_by_its_inverse() -> None:
    """0 is followed by 2 and by 3 at distance 2, and 1 by 2 once more (the second one after the first 1)."""
    counts = fitted(distance=2).transitions.toarray()
    assert_allclose(counts, [[0.0, 2.0, 0.5, 0.5], [0.0, 0.0, 2.5, 1.0], [0.0] * 4, [0.0] * 4])


def test_both_directions_are_symmetric() -> None:
    counts = fitted(distance=2, direction="both").transitions.toarray()
    one = fitted(distance=2).transitions.toarray()
    assert_allclose(counts, one + one.T)


def test_a_transition_has_the_confidence_of_its_later_interaction() -> None:
    """The median weight is 1; a weight of 3 has confidence log2(1 + 3) = 2. Only the last of user 0 has it."""
    weights = [1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert_allclose(fitted(data(weights)).transitions.toarray()[1], [0, 0, 3, 1])


def test_earlier_items_vote_less_and_a_repeated_one_twice() -> None:
    model = fitted(smoothing=0, last_items=3, decay=0.5)
    scores = model.score(asking([[1, 0], [0, 0], [1, 2, 2, 0]]))
    assert_allclose(scores[0], [np.nan, 1, 0.5 * 2 / 3, 0.5 / 3])
    assert_allclose(scores[1], [np.nan, 1.5, np.nan, np.nan])
    assert_allclose(scores[2], [np.nan, 1, np.nan, np.nan])  # item 1 is the fourth last


def test_the_next_step_of_a_walk_is_found() -> None:
    world = markov_chain()
    top = fitted(world.train).recommend(world.train.queries(), 1)
    assert_array_equal(top.item[:, 0], world.withheld)


def test_contributions_are_those_of_the_transitions_and_the_rest_is_smoothing() -> None:
    model = fitted(smoothing=5, last_items=2, decay=0.5)
    found = model.explain(asking([[0, 1]]), 2)
    assert_array_equal(found.sources, [1])
    assert_allclose(found.weights, [2 / 8])
    assert found.remainder == pytest.approx(5 * 2 / 5 / 8 + 0.5 * 5 * 2 / 5 / 7)
    with pytest.raises(CannotScore):
        fitted(smoothing=0).explain(asking([[2]]), 0)


@pytest.mark.parametrize("direction", ["after", "before"])
def test_the_view_shows_counts_and_probabilities(direction: str) -> None:
    model = fitted(smoothing=5)
    request = ViewRequest(model, data(), asking([[0, 2]]), 1, choices={"direction": direction})
    view_data = transitions(request)
    table = view_data.table
    if direction == "after":
        assert table["item"].tolist() == [2, 3]
        assert table["count"].tolist() == [2, 1]
        assert table["probability"].tolist() == pytest.approx([4 / 8, 2 / 8])
        assert table["held"].tolist() == [True, False]
        assert view_data.facts["smoothed"] == pytest.approx(5 / 8)
        assert "62%" in str(PICTURES["transitions"].more(view_data))
    else:
        assert table["item"].tolist() == [0]
        assert table["probability"].tolist() == pytest.approx([(2 + 5 * 2 / 5) / 7])
        assert PICTURES["transitions"].more(view_data) is None
    assert "'x'" in str(PICTURES["transitions"].sentence(view_data))


def test_an_item_without_any_transition_has_no_view() -> None:
    train = data()
    frame = train.interactions[train.interactions["item"] != 3]
    model = fitted(train.with_interactions(frame))
    with pytest.raises(CannotScore, match="No transition"):
        transitions(ViewRequest(model, train, asking([[0]]), 3))
