"""Evaluation and pages use the lists of a model, also where they differ from the order of its scores."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import FloatArray, IntArray, ModelConfig, ModelInfo, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.training_part import OnRelevant
from recsys_core.models.base import Recommender
from recsys_core.models.topk import top_k
from recsys_core.serving.recommendations import why_not

USERS, ITEMS, K = 12, 8, 3


class Backwards(Recommender[ModelConfig]):
    """Scores items by position, and recommends them in reverse order."""

    info: ClassVar[ModelInfo] = ModelInfo("backwards", "Backwards", "test", "", "", "")
    config_type = ModelConfig

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        pass

    def _score(self, query: QueryBatch) -> FloatArray:
        return np.tile(np.arange(self.n_items, dtype=np.float64), (len(query), 1))

    def ranks_by_score(self) -> bool:
        return False

    def recommend(
        self,
        query: QueryBatch,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: IntArray | None = None,
        threads: int = 1,
    ) -> TopK:
        return top_k(-self._scores_of(query, candidates), k, exclude=query.seen if exclude_seen else None)


@pytest.fixture
def split() -> Split:
    """Every user has half of the items, alternately relevant and not."""
    rng = np.random.default_rng(3)
    items = np.concatenate([rng.permutation(ITEMS)[: ITEMS // 2] for _ in range(USERS)])
    frame = pd.DataFrame({"user": np.repeat(np.arange(USERS), ITEMS // 2), "item": items, "rating": [5.0, 1.0] * 24})
    data = dataset_from_frames(frame.astype({"user": "int32", "item": "int32", "rating": "float32"}), name="halves")
    return make_splits(data, SplitSpec(), 1)[0]


def test_what_is_judged_is_what_is_recommended(split: Split) -> None:
    model = Backwards()
    model.fit(split.train, RunContext())
    found = evaluate(model, split, cutoffs=(K,))
    assert_array_equal(found.lists.item, model.recommend(split.queries(found.users), K).item)
    assert found.lists.item[0, 0] < found.lists.item[0, -1]


def test_a_model_that_sees_liked_items_alone_keeps_its_lists_without_what_was_disliked(split: Split) -> None:
    model = OnRelevant(Backwards(), 4.0)
    model.fit(split.train, RunContext())
    query = split.queries(split.test_users())
    lists = model.recommend(query, K)
    assert_array_equal(lists.item, model.model.recommend(query, K).item)
    assert any((query.values[query.history.offsets[row] : query.history.offsets[row + 1]] == 1).any() for row in (0, 1))
    for row, history in enumerate(query.history.row_numbers()):
        assert query.history.values[row] not in lists.item[history]
    assert_array_equal(evaluate(model, split, cutoffs=(K,)).lists.item, lists.item)


def test_an_item_stands_where_the_list_has_it(split: Split) -> None:
    model = Backwards()
    model.fit(split.train, RunContext())
    person = split.queries(np.array([0]))
    whole = model.recommend(person, ITEMS).item[0]
    offered = whole[whole >= 0]
    for place, item in enumerate(offered, start=1):
        found = why_not(model, split.train, person, int(item), K)
        assert (found.rank, found.of, found.last) == (place, len(offered), int(offered[K - 1]))
        assert found.last_score >= found.score or place <= K


class Tied(Recommender[ModelConfig]):
    """Gives all items the same score, and counts how often it is asked."""

    info: ClassVar[ModelInfo] = ModelInfo("tied", "Tied", "test", "", "", "")
    config_type = ModelConfig
    asked = 0

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        pass

    def _score(self, query: QueryBatch) -> FloatArray:
        self.asked += 1
        return np.zeros((len(query), self.n_items))


def test_one_request_for_scores_gives_list_and_ranks_with_ties_in_the_order_of_the_list(split: Split) -> None:
    model = Tied()
    model.fit(split.train, RunContext())
    person = split.queries(np.array([0]))
    whole = model.recommend(person, ITEMS).item[0]
    offered = whole[whole >= 0]
    assert list(offered) != sorted(offered)
    for place, item in enumerate(offered, start=1):
        model.asked = 0
        found = why_not(model, split.train, person, int(item), K)
        assert (found.rank, found.last, model.asked) == (place, int(offered[K - 1]), 1)
