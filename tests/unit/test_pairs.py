"""Scores of single pairs: equal for each code path, in the given order, block by block."""

from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import FloatArray, IntArray, ModelConfig, ModelInfo, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import Cancelled, NotFitted
from recsys_core.evaluation import pairs
from recsys_core.evaluation.pairs import answers_of_pairs
from recsys_core.models import topk
from recsys_core.models.base import Recommender
from tests.contract.cases import fitted, recording, tastes


class Scores(Recommender[ModelConfig]):
    """Scores 1000 u + i for user u and item i."""

    info: ClassVar[ModelInfo] = ModelInfo("scores", "Scores", "test", "", "", "")
    config_type = ModelConfig

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Do nothing."""

    def _score(self, query: QueryBatch) -> FloatArray:
        answers: FloatArray = 1000.0 * query.user[:, None] + np.arange(self.n_items)
        return answers


class Ratings(Scores):
    """Predicts the negative of its score."""

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        return -self.score(query)


class Pairs(Ratings):
    """Scores pairs, and limits the number of pairs per call."""

    asked: ClassVar[list[int]] = []

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        raise AssertionError("the whole table is not needed")

    def predict_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        self.asked.append(len(rows))
        answers: FloatArray = -(1000.0 * query.user[rows] + items)
        return answers


def people() -> QueryBatch:
    """Return users 7, 5, 9 and 8, without histories."""
    users = np.array([7, 5, 9, 8])
    return QueryBatch(users, Ragged.from_rows([[]] * 4), np.empty(0))


ROWS, ITEMS = np.array([2, 0, 2, 3, 0, 2]), np.array([4, 1, 0, 3, 1, 149])
EXPECTED = np.array([9004.0, 7001, 9000, 8003, 7001, 9149])


@pytest.mark.parametrize(("kind", "sign"), [(Scores, 1), (Ratings, -1), (Pairs, -1)])
@pytest.mark.parametrize("small_blocks", [False, True])
def test_each_kind_of_model_answers_in_the_order_of_the_question(
    kind: type[Scores], sign: int, small_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small_blocks:
        monkeypatch.setattr(pairs, "PAIRS_PER_BLOCK", 2)
        monkeypatch.setattr(topk, "SCORE_BLOCK_BYTES", 1)
    model = kind()
    with pytest.raises(NotFitted):
        answers_of_pairs(Scores(), people(), ROWS, ITEMS)
    model.fit(tastes(), RunContext())
    assert_array_equal(answers_of_pairs(model, people(), ROWS, ITEMS), sign * EXPECTED)
    assert answers_of_pairs(model, people(), ROWS[:0], ITEMS[:0]).shape == (0,)


def test_a_block_holds_whole_people_and_few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 0, 2 and 3 have 2, 3 and 1 pairs; with at most two at a time, each user is separate."""
    monkeypatch.setattr(pairs, "PAIRS_PER_BLOCK", 2)
    Pairs.asked.clear()
    model = Pairs()
    model.fit(tastes(), RunContext())
    ctx, reports = recording()
    answers_of_pairs(model, people(), ROWS, ITEMS, ctx=ctx, stage="predict ratings")
    assert Pairs.asked == [2, 3, 1]
    assert [(report.stage, report.step, report.total) for report in reports] == [
        ("predict ratings", step, 3) for step in range(4)
    ]
    monkeypatch.setattr(pairs, "PAIRS_PER_BLOCK", 5)
    answers_of_pairs(model, people(), ROWS, ITEMS)
    assert Pairs.asked[3:] == [5, 1]


def test_it_stops_between_two_blocks() -> None:
    ctx, _ = recording(stop=lambda reports: len(reports) >= 1)
    with pytest.raises(Cancelled):
        answers_of_pairs(fitted("bias", tastes()), tastes().queries(), ROWS, ITEMS, ctx=ctx)
