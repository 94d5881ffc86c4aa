"""Attention against influence over many users, and head ablation, for models with known answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import PAD, AttentionTrace, ModelConfig, ModelInfo, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import Cancelled, CannotScore, DataError
from recsys_core.experiments.attention_study import Beyond, Faithfulness, Tracks, faithfulness, head_ablation
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.training_part import OnRelevant, reading
from recsys_core.explain.attention_effects import looks_and_effects, rank_correlation
from recsys_core.explain.deletion import deletion_effects
from recsys_core.models.base import Recommender
from recsys_core.viz.attention_study import beyond, left_out, reads, verdict

ITEMS, LONG = 40, 12
FIRST = ITEMS - 1
"""In no history, and ranked first by every model here."""


class Config(ModelConfig):
    """No settings."""


class ByHand(Recommender[Config]):
    """The score of the first item is the sum of the values of the items read; attention is given.

    Args:
        worth: (I,) what an item read adds to the score; may be negative.
        looks: (I,) attention of an item before normalization; None: by position, the latest first.
        window: Number of latest items read.
    """

    info: ClassVar[ModelInfo] = ModelInfo("by_hand", "By hand", "sequential", "", "", "")
    config_type = Config

    def __init__(self, worth: np.ndarray, looks: np.ndarray | None, window: int = 100) -> None:
        super().__init__(Config())
        self.worth, self.looks, self.window = worth, looks, window
        self.off: tuple[int, int] | None = None
        self.is_fitted, self.n_users, self.n_items = True, 1000, ITEMS

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Do nothing."""

    def _score(self, query: QueryBatch) -> np.ndarray:
        scores = np.tile(np.linspace(0.0, 1.0, ITEMS), (len(query), 1))
        for row, history in enumerate(query.history):
            scores[row, FIRST] += 100.0 + self.worth[history[-self.window :]].sum()
        if self.off == (0, 1):
            scores[:, FIRST] = -1.0
        return scores

    def as_read(self, query: QueryBatch) -> QueryBatch:
        age = np.repeat(query.history.offsets[1:], query.history.lengths) - np.arange(len(query.values))
        return query.only(age <= self.window)

    def trace(self, query: QueryBatch) -> AttentionTrace:
        read = query.history[0][-self.window :]
        if not len(read):
            raise CannotScore("nothing")
        looks = np.arange(len(read)) + 1.0 if self.looks is None else self.looks[read]
        weights = np.tile(looks / looks.sum(), (1, 2, len(read), 1))
        return AttentionTrace(read, weights, True, np.full((len(read), 1), FIRST), np.zeros((len(read), 1)))

    @contextmanager
    def ablated(self, layer: int, head: int) -> Iterator[None]:
        self.off = layer, head
        try:
            yield
        finally:
            self.off = None


def people(count: int = 40, length: int = LONG, seed: int = 5) -> QueryBatch:
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(FIRST - 1)[:length] for _ in range(count)]
    return QueryBatch(np.arange(count), Ragged.from_rows(rows), np.full(count * length, 5.0))


def amounts(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(ITEMS) + 1.0


def orders(found: pd.DataFrame, column: str) -> dict[str, float]:
    return dict(zip(found["order"], found[column], strict=True))


def test_attention_that_is_the_influence_has_correlation_one() -> None:
    worth = amounts(1)
    found = faithfulness(ByHand(worth, worth), people())
    assert (found.verdict, found.beyond) == (Tracks.DOES, Beyond.MORE)
    assert_allclose(found.per_user["attention"], 1.0)
    assert orders(found.table, "low")["attention"] == pytest.approx(1.0)
    for control in ("recency", "shuffled"):
        assert orders(found.table, "low")[control] < 0.0 < orders(found.table, "high")[control]


def test_attention_that_is_unrelated_does_not_track_influence() -> None:
    found = faithfulness(ByHand(amounts(1), amounts(2)), people())
    assert found.verdict is Tracks.DOES_NOT
    assert found.beyond is not Beyond.MORE
    assert abs(orders(found.table, "mean")["attention"]) < 0.2


def test_an_effect_counts_by_its_size_whatever_its_sign() -> None:
    """Negative effects count as much as positive ones."""
    worth = amounts(1)
    signs = np.where(np.arange(ITEMS) % 2, 1.0, -1.0)
    found = faithfulness(ByHand(worth * signs, worth), people())
    assert found.verdict is Tracks.DOES
    assert_allclose(found.per_user["attention"], 1.0)


def the_best_last(asked: QueryBatch, worth: np.ndarray) -> QueryBatch:
    return QueryBatch(
        asked.user, Ragged.from_rows([row[np.argsort(worth[row])] for row in asked.history]), asked.values
    )


def test_attention_that_is_the_place_alone_says_no_more_than_the_place() -> None:
    """The latest items have the largest effects and the most attention."""
    worth = amounts(1)
    found = faithfulness(ByHand(worth, None), the_best_last(people(), worth))
    assert (found.verdict, found.beyond) == (Tracks.DOES, Beyond.SAME)
    assert_allclose(found.per_user[["attention", "recency"]], 1.0)
    assert orders(found.table, "gain")["recency"] == pytest.approx(0.0)


def test_attention_that_is_unrelated_says_less_than_the_place_where_the_place_tells_all() -> None:
    worth = amounts(1)
    assert faithfulness(ByHand(worth, amounts(2)), the_best_last(people(), worth)).beyond is Beyond.LESS


def test_items_before_the_window_play_no_part() -> None:
    """Leaving out one item does not let another in: each effect is the value of that item."""
    worth = amounts(1)
    model, query = ByHand(worth, worth, window=6), people(1)
    assert model.as_read(query).history[0].tolist() == query.history[0][-6:].tolist()
    table = looks_and_effects(model.trace(query), deletion_effects(model, query, FIRST))
    assert_allclose(table["effect"], worth[table["item"]])
    found = faithfulness(model, people())
    assert set(found.per_user["items"]) == {6}
    assert_allclose(found.per_user["attention"], 1.0)


def test_an_item_read_twice_has_the_attention_of_both_places() -> None:
    looks = np.ones(ITEMS)
    query = QueryBatch(np.array([PAD]), Ragged.from_rows([[3, 4, 3, 5]]), np.ones(4))
    model = ByHand(np.ones(ITEMS), looks)
    table = looks_and_effects(model.trace(query), deletion_effects(model, query, FIRST)).set_index("item")
    assert table["attention"].to_dict() == {3: 0.5, 4: 0.25, 5: 0.25}
    assert table["effect"].to_dict() == {3: 2.0, 4: 1.0, 5: 1.0}
    assert table["recency"].to_dict() == {3: 2, 4: 1, 5: 3}


def test_rank_correlation_by_hand() -> None:
    """Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * 2 / (4 * 15) = 0.8."""
    assert rank_correlation(np.array([1.0, 2, 3, 4]), np.array([10.0, 30, 20, 40])) == pytest.approx(0.8)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0)))
    assert np.isnan(rank_correlation(np.arange(3.0), np.arange(3.0)))


def test_a_sample_is_drawn_by_the_seed_and_progress_reaches_its_total() -> None:
    worth, heard = amounts(1), []
    ctx = RunContext(seed=3, report=heard.append)
    found = faithfulness(ByHand(worth, worth), people(), ctx, max_users=25)
    again = faithfulness(ByHand(worth, worth), people(), RunContext(seed=3), max_users=25)
    assert len(found.per_user) == 25
    pd.testing.assert_frame_equal(found.per_user, again.per_user)
    assert (heard[-1].step, heard[-1].total) == (25, 25)


def test_few_people_prove_nothing_and_short_histories_are_left_out() -> None:
    worth = amounts(1)
    assert faithfulness(ByHand(worth, worth), people(5)).verdict is Tracks.TOO_FEW
    even = faithfulness(ByHand(worth, np.ones(ITEMS)), people(30))
    assert (even.verdict, even.left_out) == (Tracks.TOO_FEW, 30)
    with pytest.raises(DataError, match="long enough"):
        faithfulness(ByHand(worth, worth), people(length=3))


def test_it_stops_between_two_people() -> None:
    with pytest.raises(Cancelled):
        faithfulness(ByHand(amounts(1), amounts(1)), people(), RunContext(stop_requested=lambda: True))


def test_a_head_that_does_nothing_loses_nothing_and_one_that_does_all_loses_all() -> None:
    """The first item is relevant for every user; without head 2 it ranks last."""
    asked = people()
    wanted = Ragged.from_rows([[FIRST]] * len(asked))
    found = head_ablation(ByHand(amounts(1), amounts(1)), asked, wanted)
    assert (found.ndcg, found.users) == (1.0, 40)
    idle, busy = found.table.to_dict("records")
    assert (idle["layer"], idle["head"], idle["different"]) == (1, 1, False)
    assert (idle["difference"], idle["low"], idle["high"]) == (0.0, 0.0, 0.0)
    assert (busy["head"], busy["ndcg@10"], busy["difference"], busy["different"]) == (2, 0.0, -1.0, True)


def test_the_model_is_whole_again_after_heads_were_taken_out() -> None:
    model, asked = ByHand(amounts(1), amounts(1)), people(10)
    before = model.score(asked)
    head_ablation(model, asked, Ragged.from_rows([[FIRST]] * 10))
    assert_allclose(model.score(asked), before)


def test_a_model_that_sees_liked_items_alone_is_asked_with_these() -> None:
    worth = amounts(1)
    values = np.tile([5.0, 1.0], 40 * LONG // 2)
    everybody = people()
    asked = QueryBatch(everybody.user, everybody.history, values)
    model = OnRelevant(ByHand(worth, worth), 4.0)
    assert set(faithfulness(model, asked).per_user["items"]) == {LONG // 2}
    assert head_ablation(model, asked, Ragged.from_rows([[FIRST]] * 40)).ndcg == 1.0


def test_a_model_without_attention_is_refused() -> None:
    from recsys_core.models.registry import make_model

    with pytest.raises(CannotScore, match="attention"):
        faithfulness(make_model("popular", {}), people())
    with pytest.raises(CannotScore, match="heads"):
        head_ablation(make_model("popular", {}), people(), Ragged.from_rows([[FIRST]] * 40))


def test_how_much_of_a_history_is_read_is_told() -> None:
    """Six items, three of them relevant; the window has two."""
    asked = QueryBatch(np.array([0]), Ragged.from_rows([np.arange(6)]), np.array([5.0, 1.0, 5.0, 1.0, 5.0, 1.0]))

    def said(read: int, train_on: str, *, has_ratings: bool = True) -> str:
        spec = ExperimentSpec(data="d", models=[{"key": "popular"}], relevant_from=4.0, train_on=train_on)
        trace = AttentionTrace(np.arange(read), np.ones((1, 1, 1, read)), False, np.zeros((1, 1)), np.zeros((1, 1)))
        return str(reads(reading(spec, asked, trace, has_ratings=has_ratings)))

    assert said(6, "all") == "None"
    assert said(6, "relevant", has_ratings=False) == "None"
    assert "Of the 6 items in this history, the model uses only the latest 2" in said(2, "all")
    assert "uses the 3 that are relevant (rated 4 or higher)" in said(3, "relevant")
    assert "3 are relevant (rated 4 or higher); of these the model uses the latest 2" in said(2, "relevant")


def test_people_who_are_left_out_are_counted_in_words() -> None:
    worth = amounts(1)
    assert left_out(faithfulness(ByHand(worth, worth), people())) is None
    even = faithfulness(ByHand(worth, np.ones(ITEMS)), people(30))
    assert "30 more users were excluded" in str(left_out(even))


def test_intervals_that_exclude_zero_do_not_read_as_if_they_had_it() -> None:
    rows = [("attention", 0.06, 0.0004, 0.12, 0.0, 0.0, 0.0), ("recency", 0.02, 0.0, 0.1, 0.05, 0.0003, 0.1)]
    columns = ["order", "mean", "low", "high", "gain", "gain_low", "gain_high"]
    found = Faithfulness(
        Tracks.WEAKLY, Beyond.MORE, pd.DataFrame(rows, columns=columns), pd.DataFrame({"user": [1]}), 0
    )
    assert "0.0004 to 0.12" in str(verdict(found))
    assert "0.0003 to 0.10" in str(beyond(found))
