"""Worlds with one known right answer, and a negative control without any signal."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import FloatArray, PredictsRatings, RatingScale, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.registry import model_class
from tests.contract.cases import FITTING, RATING_PREDICTION, fitted, furnished, is_network, needs_ratings, with_ratings
from tests.worlds import KnownWorld, checkerboard, low_rank, shuffled


def test_recommends_the_withheld_item_of_the_own_half(key: str) -> None:
    """On a checkerboard (even users like even items) every collaborative model ranks the withheld item first."""
    if model_class(key).info.family == "baselines":
        pytest.skip("declared: a floor does not learn who is like whom")
    world = checkerboard(users=50, items=50)
    train = furnished(_both_halves_rated(world) if needs_ratings(key) else world.train)
    top = fitted(key, train, FITTING.get(key)).recommend(train.queries(), 1)
    assert_array_equal(top.item[:, 0], world.withheld)


def test_reconstructs_ratings_of_low_rank(key: str) -> None:
    """If ratings are a product of three factors, factor models recover them, and neighbors beat the biases."""
    world = low_rank(users=120, items=80, density=0.5)
    if not issubclass(model_class(key), PredictsRatings) or model_class(key).info.family == "baselines":
        pytest.skip("declared: does not predict ratings, or only by biases")
    model = fitted(key, furnished(world.train), RATING_PREDICTION.get(key))
    assert isinstance(model, PredictsRatings)
    query = world.train.queries()
    hidden = np.asarray(world.train.matrix("binary").toarray()) == 0
    error = _rmse(model.predict_ratings(query), world, hidden)
    biases = _rmse(fitted("bias", world.train).predict_ratings(query), world, hidden)
    assert error < (0.25 if model.info.family == "matrix factorization" else 0.9) * biases


def test_learns_nothing_from_shuffled_data(key: str) -> None:
    """Negative control: where every unseen item is equally likely, NDCG@10 stays within 3 standard errors of chance."""
    world = shuffled(checkerboard(users=120, items=60, withheld="random"))
    train = world.train
    if needs_ratings(key):
        rng = np.random.default_rng(3)
        train = with_ratings(train, rng.integers(1, 6, train.n_interactions).astype(np.float64), RatingScale(1, 5))
    train = furnished(train)
    brief = {"epochs": 15} if is_network(key) else {}  # a leak would be learned in a few epochs
    gains = _ndcg(fitted(key, train, FITTING.get(key, {}) | brief).recommend(train.queries(), 10), world)
    unseen = train.n_items - train.queries().history.lengths
    chance = (1 / np.log2(np.arange(2, 12))).sum() / unseen.mean()
    assert gains.mean() <= chance + 3 * gains.std() / np.sqrt(len(gains))


def test_the_control_would_notice_a_model_that_knows_the_answer() -> None:
    world = shuffled(checkerboard(users=120, items=60, withheld="random"))
    gains = _ndcg(TopK(world.withheld[:, None], np.ones((120, 1))), world)
    assert gains.mean() == 1.0


def _ndcg(top: TopK, world: KnownWorld) -> FloatArray:
    """Return (U,) NDCG of lists with one relevant item."""
    gains: FloatArray = ((top.item == world.withheld[:, None]) / np.log2(np.arange(2, 2 + top.item.shape[1]))).sum(
        axis=1
    )
    return gains


def _rmse(predicted: FloatArray, world: KnownWorld, cells: np.ndarray) -> float:
    assert world.truth is not None
    return float(np.sqrt(np.mean((predicted - world.truth)[cells] ** 2)))


def _both_halves_rated(world: KnownWorld) -> Dataset:
    """Return the board rated 5 in the own half and 1 in the other, without the withheld item and one other."""
    assert world.truth is not None
    users, items = world.truth.shape
    rated = np.ones((users, items), dtype=bool)
    rated[np.arange(users), world.withheld] = False
    rated[np.arange(users), (world.withheld + 1) % items] = False
    user, item = np.nonzero(rated)
    frame = pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    frame["rating"] = np.where(world.truth[user, item] > 0, 5.0, 1.0).astype(np.float32)
    return dataset_from_frames(frame, rating_scale=RatingScale(1, 5))
