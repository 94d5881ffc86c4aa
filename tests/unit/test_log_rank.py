"""The log-rank score, which early stopping uses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import Ragged
from recsys_core.models.log_rank import log_rank_scores

NOTHING: list[int] = []


@pytest.mark.parametrize(
    ("scores", "relevant", "seen", "expected"),
    [
        ([5.0, 4.0, 3.0, 2.0], [0], NOTHING, 1.0),
        ([5.0, 4.0, 3.0, 2.0], [3], NOTHING, 0.0),
        ([5.0, 4.0, 3.0, 2.0], [1], NOTHING, 0.5),  # 1 - log 2 / log 4
        ([5.0, 4.0, 3.0, 2.0], [1, 3], NOTHING, 0.25),
        ([5.0, 4.0, 3.0, 2.0], [1], [0], 1.0),  # seen items do not compete
        ([5.0, np.nan, 3.0, 2.0], [2], NOTHING, 1 - np.log(2) / np.log(3)),  # nor do items that are not candidates
        ([5.0, 4.0, 3.0, np.nan], [3], NOTHING, 0.0),
        ([1.0, 1.0, 1.0, 1.0], [2], NOTHING, 1 - np.log(2.5) / np.log(4)),  # ties share the mean of their ranks
        ([5.0, 4.0, 3.0, 2.0], NOTHING, NOTHING, np.nan),
        ([5.0, 4.0], [0], [1], np.nan),
    ],
)
def test_the_score_by_hand(scores: list[float], relevant: list[int], seen: list[int], expected: float) -> None:
    found = log_rank_scores(np.array([scores]), Ragged.from_rows([relevant]), Ragged.from_rows([seen]))
    assert_allclose(found, [expected])


def test_each_row_is_scored_by_itself() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    before = scores.copy()
    found = log_rank_scores(scores, Ragged.from_rows([[0], [0]]), Ragged.from_rows([[2], [2]]))
    assert_allclose(found, [1.0, 0.0])
    assert_allclose(scores, before)
