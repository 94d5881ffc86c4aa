"""Ratings on any scale: factor models learn 100 to 500 like 1 to 5, and report if nothing was learned."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import FloatArray, PredictsRatings, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.training_part import OnRelevant
from recsys_core.models.biased_mf import rating_unit
from recsys_core.models.registry import make_model
from recsys_core.training.epochs import run_epochs
from tests.engine.support import Memory, little_data, spec_of

FACTOR_MODELS = {"biased_mf": {}, "social_mf": {"graph": "co_rating"}, "trust_svd": {"graph": "co_rating"}}


def world(rating: FloatArray, *, users: int = 60, items: int = 40, seed: int = 0) -> Dataset:
    """Return random pairs with the first of these ratings."""
    pair = np.sort(np.random.default_rng(seed).choice(users * items, len(rating), replace=False))
    frame = pd.DataFrame({"user": (pair // items).astype(np.int32), "item": (pair % items).astype(np.int32)})
    return dataset_from_frames(frame.assign(rating=np.asarray(rating, dtype=np.float32)))


def stars(number: int = 900) -> FloatArray:
    return np.random.default_rng(1).integers(1, 6, number).astype(np.float64)


def trained(key: str, train: Dataset, config: dict[str, Any] | None = None) -> Any:
    model = make_model(key, FACTOR_MODELS.get(key, {}) | (config or {}))
    model.fit(train, RunContext())
    return model


@pytest.mark.parametrize("key", FACTOR_MODELS)
@pytest.mark.parametrize("times", [0.001, 2, 20, 100, 1000])
def test_a_scale_changes_predictions_by_its_factor_alone(key: str, times: float) -> None:
    one, other = world(stars()), world(times * stars())
    expected = times * trained(key, one).score(one.queries())
    assert_allclose(trained(key, other).score(other.queries()), expected, rtol=2e-3)


@pytest.mark.parametrize("key", FACTOR_MODELS)
def test_hours_from_a_tenth_to_ten_thousand_are_learned(key: str) -> None:
    hours = np.clip(np.exp(np.random.default_rng(2).normal(1.0, 2.5, 900)), 0.1, 10_000)
    train = world(hours)
    model = trained(key, train)
    assert isinstance(model, PredictsRatings)
    rated = train.matrix("rating").tocoo()
    error = model.predict_ratings(train.queries())[rated.row, rated.col] - rated.data
    assert np.sqrt(np.mean(error**2)) < rated.data.std(), "no better than the mean of all"


@pytest.mark.parametrize("key", FACTOR_MODELS)
def test_one_rating_of_a_million_among_stars_upsets_nothing(key: str) -> None:
    rating = stars()
    rating[7] = 1e6
    assert np.isfinite(trained(key, world(rating)).score(world(rating).queries())).all()


@pytest.mark.parametrize("key", FACTOR_MODELS)
def test_an_unknown_user_is_predicted_in_the_units_of_the_ratings(key: str) -> None:
    train = world(100 * stars())
    found = trained(key, train).score(train.queries().of_unknown())
    assert 100 <= np.median(found) <= 500


def test_the_unit_gives_ratings_the_spread_of_movielens() -> None:
    assert rating_unit(np.array([100.0, 300.0, 500.0])) * 1.12 == pytest.approx(np.std([100, 300, 500]))
    assert rating_unit(np.full(5, 0.1, dtype=np.float32)) == 1.0
    assert rating_unit(np.full(5, 1e6)) == 1.0


def test_a_training_that_diverges_is_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="rmse is not finite after 2 of 5 epochs; choose a smaller learning_rate"):
        run_epochs(lambda number: {"rmse": 1.0 if number == 1 else np.nan}, 5, RunContext())
    with pytest.raises(DataError, match=r"loss is not finite after 1 of 1 epochs"):
        run_epochs(lambda number: {"loss": np.inf}, 1, RunContext())


def test_a_measure_of_the_validation_part_may_be_undefined() -> None:
    run_epochs(lambda number: {"rmse": 1.0, "ndcg@10": np.nan}, 1, RunContext())


def test_a_factor_model_with_steps_far_too_long_is_refused() -> None:
    with pytest.raises(DataError, match="diverged"):
        trained("biased_mf", world(stars()), {"learning_rate": 1.0, "epochs": 50, "factors": 200})


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_job_whose_model_scores_no_number_has_failed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: float
) -> None:
    store = ResultStore(tmp_path)
    run = store.create(spec_of("ease"), "little")
    monkeypatch.setattr(
        "recsys_core.models.ease.Ease._score", lambda self, query: np.full((len(query), self.n_items), broken)
    )
    status = execute(store, run.id, run.model_ids[0], Memory(little_data()), 1)
    assert (status.state, status.cause) == (JobState.FAILED, "data")
    assert "EASE cannot recommend anything" in status.reason
    assert "it has no finite score for any user" in status.reason


@pytest.mark.parametrize(
    ("key", "config", "rating", "said"),
    [
        ("user_knn", {"similarity": "pearson"}, np.full(900, 3.0), "All ratings are equal, so similarity=pearson"),
        ("item_knn", {"similarity": "adjusted_cosine"}, np.full(900, 3.0), "All ratings are equal, so similarity=adj"),
        ("user_knn", {}, np.zeros(900), "All ratings are 0, so similarity=cosine is undefined"),
        ("item_knn", {"min_overlap": 1000}, stars(), "lower min_overlap"),
        ("association_rules", {"min_support": 1.0}, stars(), "0 rules reach min_support=1"),
    ],
)
def test_a_model_without_any_score_says_why(key: str, config: dict[str, Any], rating: FloatArray, said: str) -> None:
    train = world(rating)
    model = trained(key, train, config)
    assert not np.isfinite(model.score(train.queries())).any()
    with pytest.raises(DataError, match=f"it has no finite score for any user. .*{said}"):
        model.require_scores(train)
    if not key.startswith("association"):
        with pytest.raises(DataError, match=said):
            OnRelevant(model, -1.0).require_scores(train)


def test_one_user_with_a_score_is_enough() -> None:
    """Users without common items are many and have most interactions; two others agree."""
    own = [(user, 10 * user + item) for user in range(40) for item in range(10)]
    frame = pd.DataFrame([*own, (40, 400), (40, 401), (41, 400)], columns=["user", "item"]).astype(np.int32)
    train = dataset_from_frames(frame)
    model = trained("user_knn", train)
    assert_array_equal(np.isfinite(model.score(train.queries())).any(axis=1), np.arange(42) >= 40)
    model.require_scores(train)
