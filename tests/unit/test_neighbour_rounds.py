"""Several rounds of the nearest-neighbor models, and predictions of single pairs."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import FloatArray, PredictsPairs, RunContext
from recsys_core.data.ingest import load_file
from recsys_core.errors import CannotScore, DataError
from recsys_core.models import knn_base
from recsys_core.models.registry import make_model, model_class
from tests.contract.cases import as_unknown, asking, fitted, recording, tastes
from tests.unit.test_neighbour_models import dense_ratings, slow_level, small

KEYS = ("user_knn", "item_knn")
SETTINGS: list[dict[str, Any]] = [
    {"similarity": "pearson", "centering": "mean"},
    {"similarity": "cosine", "centering": "zscore"},
    {"similarity": "adjusted_cosine", "min_overlap": 2},
    {"similarity": "msd", "shrinkage": 5},
]
PLAIN = [*SETTINGS, {"similarity": "jaccard", "centering": "mean"}, {"neighbors": 500}]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: config["similarity"])
def test_one_round_is_the_plain_model(key: str, config: dict[str, Any]) -> None:
    train = small()
    plain, once = fitted(key, train, config), fitted(key, train, config | {"iterations": 1, "tolerance": 1e-6})
    for name, array in plain.state().items():
        assert_array_equal(once.state()[name], array)
    assert plain.state()["filled"].size == 0
    assert_array_equal(once.score(train.queries()), plain.score(train.queries()))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: config["similarity"])
def test_rounds_equal_the_formulas(key: str, config: dict[str, Any]) -> None:
    """Three rounds, written with plain loops over full tables."""
    train, config = small(), config | {"neighbors": 4}
    model = fitted(key, train, config | {"iterations": 3, "tolerance": 1e-9})
    ratings = dense_ratings(train)
    expected = _slow_rounds(ratings if key == "user_knn" else ratings.T, config, 3)
    found = model.predict_ratings(train.queries())
    assert_allclose(found, expected if key == "user_knn" else expected.T, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("key", KEYS)
def test_the_history_holds_the_change_of_each_round_and_that_they_settled(key: str) -> None:
    ctx, reports = recording()
    fitted(key, tastes(), {"similarity": "msd", "iterations": 40, "tolerance": 0.02}, ctx=ctx)
    rounds = [report.values for report in reports if report.stage == knn_base.ROUNDS and report.values]
    assert 2 < len(rounds) < 39
    assert all(values["tolerance"] == 0.02 for values in rounds)
    assert [values["largest_change"] >= 0.02 for values in rounds] == [True] * (len(rounds) - 1) + [False]
    assert all(0 < values["mean_change"] <= values["largest_change"] for values in rounds)
    assert any(report.stage == f"converged after round {len(rounds) + 1}" for report in reports)


@pytest.mark.parametrize("key", KEYS)
def test_the_history_says_if_the_rounds_did_not_settle(key: str) -> None:
    ctx, reports = recording()
    fitted(key, tastes(), {"iterations": 3, "tolerance": 1e-6}, ctx=ctx)
    last = next(report for report in reports if report.stage == "not converged after round 3")
    assert last.values["largest_change"] > 1e-6


@pytest.mark.slow
@pytest.mark.public_data
@pytest.mark.parametrize(
    ("neighbors", "verdict"), [(610, "converged after round 4"), (40, "not converged after round 4")]
)
def test_real_ratings_settle_once_everybody_has_a_say_and_else_the_history_says_so(
    neighbors: int, verdict: str, public_data: Callable[[str], Path]
) -> None:
    """ml-latest-small has 610 users; with fewer neighbors, the nearest ones change from round to round."""
    train = load_file(public_data("ml-latest-small/ratings.csv"))
    ctx, reports = recording()
    fitted("user_knn", train, {"neighbors": neighbors, "iterations": 4}, ctx=ctx)
    last = next(report for report in reports if report.stage == verdict)
    assert (last.values["largest_change"] < last.values["tolerance"]) == (neighbors == 610)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("aggregation", ["sum", "mean"])
def test_after_rounds_strangers_are_served_alike_parts_add_up_and_the_stored_model_is_the_same(
    key: str, aggregation: str
) -> None:
    train = tastes()
    config = {"similarity": "pearson", "centering": "mean", "aggregation": aggregation, "iterations": 3, "neighbors": 7}
    model, query = fitted(key, train, config), train.queries()
    scores = model.score(query)
    assert not np.array_equal(scores, fitted(key, train, config | {"iterations": 1}).score(query), equal_nan=True)
    assert_array_equal(model.score(as_unknown(query)), scores)
    again = make_model(key, config)
    again.load_state(model.state())
    assert_array_equal(again.score(query), scores)
    for user in (0, 17):
        for item in np.flatnonzero(~np.isnan(scores[user])):
            parts = model.explain(query.take(np.array([user])), int(item))
            assert abs(parts.weights.sum() + parts.remainder - scores[user, item]) < 1e-6


@pytest.mark.parametrize("key", KEYS)
def test_rounds_are_refused_where_nothing_can_be_filled(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="similarity=jaccard ignores rating values"):
        make_model(key, {"similarity": "jaccard", "iterations": 2}).fit(tastes(), RunContext())
    with pytest.raises(DataError, match="iterations=2 needs ratings, which 'tastes' does not have"):
        make_model(key, {"iterations": 2}).fit(tastes(rated=False), RunContext())
    monkeypatch.setattr(knn_base, "MOST_CELLS", 60 * 150 - 1)
    with pytest.raises(DataError, match="60 users times 150 items, and at most 8,999 cells are supported"):
        make_model(key, {"iterations": 2}).fit(tastes(), RunContext())
    make_model(key).fit(tastes(), RunContext())


@pytest.mark.parametrize("key", KEYS)
def test_the_estimates_count_the_filled_tables(key: str) -> None:
    found = model_class(key)
    plain, rounds = (make_model(key, {"iterations": number}).config for number in (1, 5))
    size = (6000, 3700, 1_000_000)
    assert found.memory_estimate(rounds, *size) - found.memory_estimate(plain, *size) == 24 * 6000 * 3700
    assert found.work_estimate(rounds, *size) > 10 * found.work_estimate(plain, *size)


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_the_memory_estimate_of_rounds_is_near_the_memory_used(key: str) -> None:
    train = tastes(600, 500)
    train = train.subset(np.arange(train.n_interactions) % 5 == 0)
    model = fitted(key, train, {"iterations": 3, "tolerance": 1e-9})  # compiles the loops, loads the data
    tracemalloc.start()
    model.fit(train, RunContext(threads=2))
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    estimate = model.memory_estimate(model.config, train.n_users, train.n_items, train.n_interactions)
    assert 0.9 * used < estimate < 2 * used


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("iterations", [1, 2])
@pytest.mark.parametrize("config", PLAIN, ids=str)
def test_pairs_are_predicted_like_the_whole_table(key: str, iterations: int, config: dict[str, Any]) -> None:
    """In any order, some twice, of users without a history; and one user's whole row, which takes another code path."""
    if iterations > 1 and config.get("similarity") == "jaccard":
        pytest.skip("refused")
    train = tastes()
    model = fitted(key, train, {"neighbors": 6} | config | {"iterations": iterations})
    assert isinstance(model, PredictsPairs)
    for query in (train.queries(), as_unknown(train.queries()), asking([[], [3, 8, 1]])):
        rng = np.random.default_rng(0)
        rows, items = rng.integers(0, len(query), 400), rng.integers(0, train.n_items, 400)
        found = model.predict_pairs(query, rows, items)
        assert_allclose(found, model.predict_ratings(query)[rows, items], rtol=0, atol=1e-12)
    alone = train.queries(np.array([9]))
    everything = model.predict_pairs(alone, np.zeros(train.n_items, dtype=np.int64), np.arange(train.n_items))
    assert_allclose(everything, model.predict_ratings(train.queries())[9], rtol=0, atol=1e-12)
    assert model.predict_pairs(alone, rows[:0], items[:0]).shape == (0,)


@pytest.mark.parametrize("key", KEYS)
def test_pairs_outside_the_training_data_or_without_ratings_are_refused(key: str) -> None:
    train, rows = tastes(), np.array([0])
    for item in (-1, train.n_items):
        with pytest.raises(CannotScore, match="use the positions of its training data"):
            fitted(key, train).predict_pairs(train.queries(), rows, np.array([item]))
    unrated = tastes(rated=False)
    with pytest.raises(CannotScore, match="trained on data without"):
        fitted(key, unrated).predict_pairs(unrated.queries(), rows, rows)


def _slow_rounds(ratings: FloatArray, config: dict[str, Any], rounds: int) -> FloatArray:
    """(R, C) predictions of the last round for rows compared with rows; for items, the table is transposed."""
    filled = np.full(ratings.shape, np.nan)
    predicted = filled
    for _ in range(rounds):
        compared = np.where(np.isnan(ratings), filled, ratings)
        predicted = _slow_predictions(ratings, compared, config)
        filled = predicted
    return predicted


def _slow_predictions(ratings: FloatArray, compared: FloatArray, config: dict[str, Any]) -> FloatArray:
    mean, spread = slow_level(ratings, config.get("centering", "none"))
    fallback = np.full(len(ratings), np.nanmean(ratings)) if config.get("centering", "none") == "none" else mean
    columns = np.nanmean(ratings, axis=0) if config["similarity"] == "adjusted_cosine" else np.zeros(ratings.shape[1])
    predicted = np.empty(ratings.shape)
    for x in range(len(ratings)):
        own = [_slow_similarity(config, ratings[x] - columns, compared[y] - columns) for y in range(len(ratings))]
        order = [y for y in np.argsort(-np.array(own), kind="stable") if own[y] > 0 and y != x]
        for c in range(ratings.shape[1]):
            voters = [y for y in order if not np.isnan(ratings[y, c])][: config["neighbors"]]
            if voters:
                votes = sum(own[y] * (ratings[y, c] - mean[y]) / spread[y] for y in voters)
                predicted[x, c] = mean[x] + spread[x] * votes / sum(own[y] for y in voters)
            else:
                predicted[x, c] = fallback[x]
    return np.clip(predicted, 1, 5)


def _slow_similarity(config: dict[str, Any], row_x: FloatArray, row_y: FloatArray) -> float:
    shared = ~np.isnan(row_x) & ~np.isnan(row_y)
    x, y, n = row_x[shared], row_y[shared], int(shared.sum())
    if n < config.get("min_overlap", 1):
        return 0.0
    name = config["similarity"]
    if name == "cosine":
        pure = x @ y / np.sqrt(np.nansum(row_x**2) * np.nansum(row_y**2))
    elif name == "adjusted_cosine":
        pure = x @ y / np.sqrt((x @ x) * (y @ y))
    elif name == "pearson":
        pure = 0.0 if n < 2 or np.ptp(x) == 0 or np.ptp(y) == 0 else float(np.corrcoef(x, y)[0, 1])
    else:
        pure = 1 / (1 + float(np.mean((x - y) ** 2)))
    return float(pure) * min(n, config.get("shrinkage", n)) / config.get("shrinkage", n)
