"""Evaluation of a model on a split, with a model of known scores."""

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, FloatArray, ModelConfig, ModelInfo, Progress, QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import LeftOut, Split, make_splits
from recsys_core.errors import Cancelled, DataError, NotFitted
from recsys_core.evaluation import pairs
from recsys_core.evaluation.evaluate import Evaluation, evaluate, relevant_items
from recsys_core.evaluation.full_ranking import order_of
from recsys_core.evaluation.metrics import METRICS, AccuracyMetric
from recsys_core.models import topk
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model

ITEMS = 6


class Given(Recommender[ModelConfig]):
    """Scores item i for user u as given, and predicts the rating 3 for everything."""

    info: ClassVar[ModelInfo] = ModelInfo("given", "Given", "test", "", "", "")
    config_type = ModelConfig
    fitted = ("answers",)

    def __init__(self, answers: FloatArray) -> None:
        super().__init__(ModelConfig())
        self.told = answers

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.answers = self.told

    def _score(self, query: QueryBatch) -> FloatArray:
        return self.answers[query.user]

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        return np.full((len(query), self.n_items), 3.0)


def frame(rows: list[tuple[int, int, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["user", "item", "rating"])
    return table.astype({"user": "int32", "item": "int32", "rating": "float32"})


def planted_split() -> Split:
    """Four users, six items. Training popularity: item 0 four, 1 two, 2 two, the others none or one."""
    train = frame([(0, 0, 5), (1, 0, 4), (2, 0, 4), (3, 0, 1), (0, 1, 3), (1, 1, 3), (2, 2, 5), (3, 2, 2), (0, 3, 4)])
    test = frame(
        [
            (0, 2, 5),  # relevant
            (0, 4, 1),  # not relevant
            (1, 2, 4),  # relevant
            (1, 5, 5),  # relevant, no user had item 5 in training
            (2, 1, 2),  # not relevant: user 2 has no relevant item
            (3, 0, 5),  # relevant, but seen in training: not a candidate
            (3, 1, 4),  # relevant
            (3, 1, 5),  # the same pair twice counts once
        ]
    )
    everything = dataset_from_frames(
        pd.concat([train, test], ignore_index=True), name="planted", item_ids=[str(item) for item in range(ITEMS)]
    )
    part = everything.with_interactions
    return Split(SplitSpec(), 0, part(train), None, part(test), part(train), None, LeftOut())


ANSWERS = np.array(
    [
        [9, 9, 1, 9, 3, 2],  # user 0 has seen 0, 1, 3: list 4 5 2
        [9, 9, 5, 4, 1, np.nan],  # user 1 has seen 0, 1; item 5 cannot be scored: list 2 3 4
        [9, 3, 9, 2, 1, 0],  # user 2 has seen 0, 2: list 1 3 4
        [9, 4, 9, 4, 7, 0],  # user 3 has seen 0, 2: list 4 1 3 (a tie, in the order that the seed draws)
    ],
    dtype=np.float64,
)


TIE_SEED = 1
"""Draws item 1 before item 3."""


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    split = planted_split()
    model = Given(ANSWERS)
    model.fit(split.train, RunContext(TIE_SEED))
    assert model.tie_keys[1] < model.tie_keys[3]
    return evaluate(model, split, cutoffs=(1, 3), relevant_from=4)


def test_ranks_everything_that_a_user_has_not_seen(judged: Evaluation) -> None:
    assert judged.users.tolist() == [0, 1, 2, 3]
    assert judged.lists.item.tolist() == [[4, 5, 2], [2, 3, 4], [1, 3, 4], [4, 1, 3]]


def test_relevant_are_liked_candidates_and_the_rest_is_counted(judged: Evaluation) -> None:
    assert [row.tolist() for row in judged.relevant] == [[2], [2, 5], [], [1]]
    assert judged.users_without_relevant == 1
    assert judged.relevant_seen == 1
    assert judged.relevant_cold == 1
    assert judged.per_user["n_relevant"].tolist() == [1, 2, 0, 1]
    assert judged.per_user["n_history"].tolist() == [3, 2, 2, 2]


def test_accuracy_is_undefined_for_the_user_without_relevant_items(judged: Evaluation) -> None:
    columns = judged.per_user
    assert_allclose(columns["recall@3"], [1.0, 0.5, math.nan, 1.0])
    assert_allclose(columns["precision@1"], [0.0, 1.0, math.nan, 0.0])
    assert_allclose(columns["mrr@3"], [1 / 3, 1.0, math.nan, 1 / 2])


def test_auc_counts_ties_as_one_half_and_what_cannot_be_scored_as_lowest(judged: Evaluation) -> None:
    # user 0: item 2 against 4 and 5; user 1: items 2 and 5 against 3 and 4; user 3: item 1 against 3 (tied), 4, 5
    assert_allclose(judged.per_user["auc"], [0.0, (1.0 + 0.0) / 2, math.nan, (0.5 + 0 + 1) / 3])


def test_head_and_tail_restrict_what_is_relevant_and_leave_the_list_alone(judged: Evaluation) -> None:
    # counts 4 2 2 1 0 0 of nine: items 0, 1 and 2 hold 8 / 9 and without item 2 only 6 / 9
    columns = judged.per_user
    assert judged.head_size == 3
    assert_allclose(columns["recall@3:head"], [1.0, 1.0, math.nan, 1.0])
    assert_allclose(columns["recall@3:tail"], [math.nan, 0.0, math.nan, math.nan])
    assert_allclose(columns["precision@3:head"], [1 / 3, 1 / 3, math.nan, 1 / 3])
    assert_allclose(columns["auc:tail"], [math.nan, 0.0, math.nan, math.nan])


def test_weighted_accuracy_equals_the_numbers_worked_out_by_hand(judged: Evaluation) -> None:
    # ranks by popularity: item 0 first, 1 and 2 second, 3 third, items without interactions seventh
    columns = judged.per_user
    assert_allclose(columns["serendipity@3"], [0.0, (2 - 1) / 6 / 3, math.nan, 0.0])
    assert_allclose(columns["ips_recall@3"], [1.0, (1 / 2) / (1 / 2 + 1), math.nan, 1.0])
    assert_allclose(columns["ips_recall@3:tail"], [math.nan, 0.0, math.nan, math.nan])
    ideal = 5 + 4 / math.log2(3)
    assert_allclose(columns["ndcg_graded@3"], [1 / 2, 4 / ideal, math.nan, 1 / math.log2(3)])
    assert_allclose(columns["ndcg_graded@1"], [0.0, 4 / 5, math.nan, 0.0])
    assert_allclose(columns["r_precision@3"], [0.0, 1 / 2, math.nan, 0.0])


def test_of_all_lists_equals_the_numbers_worked_out_by_hand(judged: Evaluation) -> None:
    # first items 4, 2, 1, 4; head: items 0, 1 and 2
    assert judged.overall["covered_users@1"] == 1.0
    assert judged.overall["covered_users@1:head"] == 1 / 2
    assert judged.overall["personalization@1"] == pytest.approx(5 / 6)
    assert judged.overall["exposure_gini@1"] == judged.overall["gini@1"]
    assert judged.overall["exposure_gini@3"] != judged.overall["gini@3"]


def test_without_ratings_there_is_no_graded_ndcg_and_with_categories_there_is_calibration() -> None:
    pairs = pd.DataFrame([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)], columns=["user", "item"]).astype("int32")
    items = pd.DataFrame({"categories": ["a", "b", "a|b"]})
    whole = dataset_from_frames(pairs, item_ids=["x", "y", "z"], items=items)
    train, test = whole.with_interactions(pairs.iloc[[0, 1, 3]]), whole.with_interactions(pairs.iloc[[2, 4]])
    model = Given(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0]]))
    model.fit(train, RunContext())
    columns = evaluate(model, Split(SplitSpec(), 0, train, None, test, train, None, LeftOut()), cutoffs=(1,)).per_user
    assert "ndcg_graded@1" not in columns
    # user 0: history a, b; list a|b. User 1: history b; list a
    assert_allclose(columns["calibration@1"], [0.0, math.log(100)])


def test_rating_errors_are_taken_over_all_test_ratings_of_a_user(judged: Evaluation) -> None:
    columns = judged.per_user
    assert_allclose(columns["rmse"], [2.0, math.sqrt((1 + 4) / 2), 1.0, math.sqrt((4 + 1 + 4) / 3)])
    assert_allclose(columns["mae"], [2.0, 1.5, 1.0, 5 / 3])
    assert columns["n_ratings"].tolist() == [2, 2, 1, 3]
    assert columns["n_ratings:tail"].tolist() == [1, 1, 0, 0]
    assert_allclose(columns["rmse:tail"], [2.0, 2.0, math.nan, math.nan])


def test_unrated_test_interactions_are_relevant_without_error_and_gain() -> None:
    split = planted_split()
    test = frame([(0, 2, 5), (0, 4, math.nan), (1, 2, math.nan), (3, 1, 4), (3, 1, math.nan), (3, 2, 2)])
    split = replace(split, test=split.test.with_interactions(test))
    model = Given(ANSWERS)
    model.fit(split.train, RunContext())
    columns = evaluate(model, split, cutoffs=(2, 6)).per_user
    assert columns["n_relevant"].tolist() == [2, 1, 1]
    assert columns["n_ratings"].tolist() == [1, 0, 2]
    assert_allclose(columns["rmse"], [2.0, math.nan, 1.0])
    assert_allclose(columns["mae"], [2.0, math.nan, 1.0])
    rank = 1 + evaluate(model, split, cutoffs=(6,)).lists.item[0].tolist().index(2)
    assert_allclose(columns["ndcg_graded@6"][:2], [1 / math.log2(rank + 1), math.nan])
    assert np.isfinite(columns["ndcg_graded@6"][2])


def test_what_is_recommended_is_measured_for_everybody(judged: Evaluation) -> None:
    columns = judged.per_user
    assert_allclose(columns["popularity@1"], [0.0, 0.5, 0.5, 0.0])
    assert_allclose(columns["novelty@3"], [(2 + 2 + 1) / 3, (1 + 2 + 2) / 3, (1 + 2 + 2) / 3, (2 + 1 + 2) / 3])
    assert_allclose(columns["novelty@3:head"], [1.0, 1.0, 1.0, 1.0])
    assert judged.overall["coverage@3"] == 5 / 6
    assert judged.overall["coverage@3:head"] == 2 / 3
    assert judged.overall["coverage@1:tail"] == 1 / 3
    assert judged.diversity_users == 4


def test_columns_equal_the_metric_objects(judged: Evaluation) -> None:
    for key in ("ndcg", "map", "f1", "hit_rate"):
        assert_array_equal(judged.per_user[f"{key}@3"], AccuracyMetric(key, 3).per_user(judged.lists, judged.relevant))


def test_every_metric_is_there_for_all_head_and_tail_items(judged: Evaluation) -> None:
    assert planted_split().train.items is None
    for key, info in METRICS.items():
        if key == "calibration":
            assert "calibration@3" not in judged.per_user  # these items have no categories
            continue
        for part in ("", ":head", ":tail"):
            name = f"{key}@3{part}" if info.at_cutoff else f"{key}{part}"
            assert name in (judged.per_user.columns if info.per_user else judged.overall), name


def test_without_a_threshold_every_test_interaction_is_relevant() -> None:
    split = planted_split()
    relevant, seen = relevant_items(split.test, np.array([0, 3]), split.queries(np.array([0, 3])).history)
    assert [row.tolist() for row in relevant] == [[2, 4], [1]]
    assert seen.tolist() == [0, 1]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    split = make_splits(random_world(), SplitSpec(), 1)[0]
    model = make_model("item_knn")
    model.fit(split.train, RunContext())
    whole = evaluate(model, split, cutoffs=(5,), relevant_from=3)
    monkeypatch.setattr(topk, "SCORE_BLOCK_BYTES", 8 * 30 * 7)
    monkeypatch.setattr(pairs, "PAIRS_PER_BLOCK", 11)
    blocks = evaluate(model, split, cutoffs=(5,), relevant_from=3)
    assert_array_equal(whole.lists.item, blocks.lists.item)
    pd.testing.assert_frame_equal(whole.per_user, blocks.per_user)


def test_threads_change_nothing() -> None:
    split = make_splits(random_world(), SplitSpec(), 1)[0]
    model = make_model("ease")
    model.fit(split.train, RunContext())
    messages: list[Progress] = []
    one, three = (
        evaluate(model, split, cutoffs=(5,), ctx=RunContext(threads=threads, report=messages.append))
        for threads in (1, 3)
    )
    assert_array_equal(one.lists.item, three.lists.item)
    assert one.order == three.order
    pd.testing.assert_frame_equal(one.per_user, three.per_user)
    assert Progress("rank all items", 10, 10) in messages  # blocks of 4 users
    stopped = iter([False, False, False])
    with pytest.raises(Cancelled):
        evaluate(model, split, ctx=RunContext(threads=3, stop_requested=lambda: next(stopped, True)))


def random_world() -> Dataset:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"user": rng.integers(0, 40, 900), "item": rng.integers(0, 30, 900)}).drop_duplicates()
    return dataset_from_frames(
        rows.astype("int32").assign(rating=rng.integers(1, 6, len(rows)).astype("float32")).reset_index(drop=True)
    )


def test_held_out_users_are_judged_by_the_history_that_is_shown() -> None:
    split = make_splits(random_world(), SplitSpec(kind="user_holdout"), 1)[0]
    assert (split.queries(split.test_users()).user == PAD).all()
    model = make_model("item_knn")
    model.fit(split.train, RunContext())
    judged = evaluate(model, split, cutoffs=(10,))
    shown = split.history.histories()
    for row, user in enumerate(judged.users):
        assert not set(judged.lists.item[row].tolist()) & set(shown[user].tolist())
    assert judged.per_user["ndcg@10"].notna().all()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_held_out_items_are_ranked_among_themselves(part: str) -> None:
    """Collaborative models cannot score them, and popularity has no counts for any, so its order means nothing.

    A model that knows the answer, but scores the trained items even higher, is right in every list.
    """
    spec = SplitSpec(kind="item_holdout", test_fraction=0.3, validation_fraction=0.3)
    split = make_splits(random_world(), spec, 1)[0]
    judged = {}
    for key in ("popular", "item_knn"):
        model = make_model(key)
        model.fit(split.train, RunContext())
        judged[key] = evaluate(model, split, cutoffs=(3,), part=part)
    assert (judged["item_knn"].lists.item == PAD).all()
    assert judged["item_knn"].per_user["ndcg@3"].dropna().eq(0).all()
    assert_allclose(judged["popular"].per_user["auc"].dropna(), 0.5)
    assert set(judged["popular"].lists.item.ravel()) <= set(split.candidates(part))
    held = split.test if part == "test" else split.validation
    assert held is not None
    answers = np.full((split.train.n_users, split.train.n_items), 9.0)
    answers[:, split.candidates(part)] = held.matrix("binary").toarray()[:, split.candidates(part)]
    knowing = Given(answers + np.random.default_rng(0).random(answers.shape) / 9)
    knowing.fit(split.train, RunContext())
    found = evaluate(knowing, split, cutoffs=(1,), part=part)
    assert found.per_user["ndcg@1"].dropna().eq(1).all()
    query = split.train.queries(found.users)
    assert_array_equal(knowing.recommend(query, 1, candidates=split.candidates(part)).item, found.lists.item)


def test_the_validation_part_is_judged_on_its_own() -> None:
    split = make_splits(random_world(), SplitSpec(validation_fraction=0.2), 1)[0]
    model = make_model("popular")
    model.fit(split.train, RunContext())
    judged = evaluate(model, split, cutoffs=(5,), part="validation")
    assert_array_equal(judged.users, split.validation_users())
    assert split.validation is not None
    assert judged.per_user["n_relevant"].sum() == split.validation.n_interactions


@pytest.mark.parametrize(("key", "order"), [("popular", "same"), ("random", "personal"), ("item_knn", "personal")])
def test_tells_whether_everybody_gets_one_order(key: str, order: str) -> None:
    split = make_splits(random_world(), SplitSpec(), 1)[0]
    model = make_model(key)
    model.fit(split.train, RunContext())
    assert evaluate(model, split, cutoffs=(5,)).order == order


NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "order"),
    [
        ([[3.0, 2.0, 1.0], [30.0, 20.0, 10.0]], "same"),
        ([[3.0, 2.0, 1.0], [30.0, 10.0, 20.0]], "personal"),
        ([[3.0, 2.0, NAN], [10.0, 20.0, NAN]], "personal"),  # an item without a score hides nothing
        ([[3.0, NAN, 1.0], [NAN, 2.0, 1.0], [9.0, 8.0, 7.0]], "same"),
        ([[3.0, NAN, NAN], [NAN, 2.0, NAN]], "personal"),  # no overlap: nothing is known
        ([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], "constant"),
        ([[1.0, 1.0, NAN], [2.0, 2.0, 2.0]], "constant"),
        ([[1.0, 1.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.5, 1.0]], "same"),
        ([[1e30, 2e30, 3e30], [3e30, 2e30, 1e30]], "personal"),
        ([[-math.inf, 2.0, 3.0], [-math.inf, 3.0, 2.0]], "personal"),
    ],
)
def test_the_order_of_users_is_told_by_what_can_be_scored(scores: list[list[float]], order: str) -> None:
    assert order_of(np.array(scores)) == order


def test_a_model_that_can_score_nothing_is_no_model_with_one_order() -> None:
    split = planted_split()
    model = Given(np.full_like(ANSWERS, NAN))
    model.fit(split.train, RunContext())
    judged = evaluate(model, split, cutoffs=(2,))
    assert judged.order == "unscored"
    assert judged.per_user["n_listed"].tolist() == [0] * len(judged.users)


def test_reports_each_block_and_stops_when_asked() -> None:
    split = planted_split()
    model = Given(ANSWERS)
    model.fit(split.train, RunContext())
    seen: list[Progress] = []
    evaluate(model, split, cutoffs=(1,), ctx=RunContext(report=seen.append))
    assert seen[-1].step == seen[-1].total
    with pytest.raises(Cancelled):
        evaluate(model, split, cutoffs=(1,), ctx=RunContext(stop_requested=lambda: True))


def test_refuses_an_empty_part_and_an_untrained_model() -> None:
    split = planted_split()
    model = Given(ANSWERS)
    with pytest.raises(NotFitted):
        evaluate(model, split)
    model.fit(split.train, RunContext())
    with pytest.raises(DataError, match="no validation data"):
        evaluate(model, split, part="validation")


def test_lists_longer_than_the_catalogue_are_padded() -> None:
    split = planted_split()
    model = Given(ANSWERS)
    model.fit(split.train, RunContext())
    judged = evaluate(model, split, cutoffs=(10,), relevant_from=4)
    assert judged.lists.item.shape == (4, 10)
    assert_allclose(judged.per_user["precision@10"], [0.1, 0.1, math.nan, 0.1])
