"""Social models: manual steps, and equality with the base model without the social term."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import sparse
from recsys_core.models.friends import NEGATIVES, with_unseen
from recsys_core.models.registry import make_model
from recsys_core.models.social_mf import of_sum_one, pull_towards_friends
from recsys_core.models.trust_svd import Pace, TrustParameters, descend_by_user, feedback_of, tastes
from tests.contract.cases import as_unknown, fitted
from tests.contract.cases import tastes as small_world

SOCIAL = ("social_knn", "social_mf", "trust_svd")


def of_pairs(pairs: list[tuple[int, int]], links: list[tuple[int, int, float]]) -> Dataset:
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    social = pd.DataFrame(links, columns=["source", "target", "weight"]).astype({"source": "int32", "target": "int32"})
    return dataset_from_frames(frame, social=social)


@pytest.mark.parametrize("key", SOCIAL)
def test_before_training_it_is_said_what_is_needed_and_what_would_do(key: str) -> None:
    data = replace(small_world(), load_social=None)
    model = make_model(key)
    said = model.refusal(data)
    assert said is not None
    assert "needs social, which 'tastes' does not have" in said
    assert "graph=co_rating: an implicit graph" in said
    with pytest.raises(DataError, match="implicit graph"):
        model.fit(data, RunContext())
    assert make_model(key, {"graph": "co_rating"}).refusal(data) is None
    assert fitted(key, data, {"graph": "co_rating"}).is_fitted


@pytest.mark.parametrize(
    ("key", "off", "plain"),
    [("social_knn", {"mix": 0.0}, "user_knn"), ("social_mf", {"social": 0.0}, "biased_mf")],
)
def test_switched_off_it_is_the_plain_model_number_for_number(key: str, off: dict[str, Any], plain: str) -> None:
    data = small_world()
    model = fitted(key, data, off)
    shared = {name: getattr(model.config, name) for name in type(make_model(plain).config).model_fields}
    expected = fitted(plain, data, shared)
    assert_array_equal(model.score(data.queries()), expected.score(data.queries()))
    assert_array_equal(model.predict_ratings(data.queries()), expected.predict_ratings(data.queries()))  # type: ignore[attr-defined]


def test_trust_svd_without_trust_does_not_look_at_links() -> None:
    data = small_world()
    other = replace(data, load_social=lambda: data.social.iloc[:5])  # type: ignore[union-attr]
    one, two = (fitted("trust_svd", part, {"trust": False}).score(data.queries()) for part in (data, other))
    assert_array_equal(one, two)
    assert not np.allclose(fitted("trust_svd", data).score(data.queries()), one)


def test_trust_and_similarity_are_mixed_by_hand() -> None:
    """0 has {0, 1}, 1 has {0, 1, 2}, 2 has {3}, 3 has {4}; 0 -> 2 weighs 1, 2 -> 3 weighs 2, the heaviest.

    Similarity of 0: with 1, 2 / sqrt(2 * 3) = 0.816497; with 2 and 3 none. Trust: in 2, 1/2; in 3, over two links,
    0.4 * 0.5 * 1 = 0.2. With mix 0.25: weights 0.75 * 0.816497 = 0.612372, 0.25 * 0.5 = 0.125, 0.25 * 0.2 = 0.05.
    """
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 3), (3, 4)]
    data = of_pairs(pairs, [(0, 2, 1.0), (2, 3, 2.0)])
    model = fitted("social_knn", data, {"mix": 0.25, "hops": 2, "decay": 0.4})
    asked = data.queries(np.array([0]))
    assert_allclose(model.score(asked)[0], [0.612372, 0.612372, 0.612372, 0.125, 0.05], atol=1e-6)
    parts = model.explain(asked, 3)  # type: ignore[attr-defined]
    assert (parts.kind, parts.sources.tolist(), parts.weights.tolist()) == ("friends", [2], [0.125])
    alone = fitted("social_knn", data, {"mix": 1.0, "hops": 1}).score(asked)[0]
    assert_allclose(alone, [np.nan, np.nan, np.nan, 0.5, np.nan])


def test_an_unknown_person_is_served_by_similarity() -> None:
    data = small_world()
    query = as_unknown(data.queries())
    assert_array_equal(fitted("social_knn", data).score(query), fitted("user_knn", data).score(query))


def test_the_pull_towards_friends_by_hand() -> None:
    """0 follows 1 and 2 with weights 3 and 1, so 0.75 and 0.25; factors 1, 3, -1, step 1/2.

    The friends' mean is 0.75 * 3 - 0.25 * 1 = 2, so e = 1 - 2 = -1. Then 0: 1 + 0.5 = 1.5;
    1: 3 + 0.5 * 0.75 * (-1) = 2.625; 2: -1 + 0.5 * 0.25 * (-1) = -1.125. Biases, 0, 0.4 and 0: mean 0.3, e = -0.3;
    0: 0.15; 1: 0.4 - 0.5 * 0.75 * 0.3 = 0.2875; 2: -0.5 * 0.25 * 0.3 = -0.0375.
    """
    links = of_sum_one(csr_array(np.array([[0.0, 3, 1], [0, 0, 0], [0, 0, 0]])))
    biases = np.array([0.0, 0.4, 0.0], dtype=np.float32)
    factors = np.array([[1.0], [3.0], [-1.0]], dtype=np.float32)
    pull_towards_friends(np.array([0]), sparse(links), biases, factors, np.float32(0.5))
    assert_allclose(factors[:, 0], [1.5, 2.625, -1.125])
    assert_allclose(biases, [0.15, 0.2875, -0.0375], rtol=1e-6)


def test_whoever_rated_nothing_takes_over_what_their_friends_like() -> None:
    """On data of two tastes, two new users follow users of one taste each and get its items first."""
    data = small_world()
    frame = data.interactions[data.interactions["user"] >= 2].reset_index(drop=True)
    links = [(user, user + 2 * step) for user in (0, 1) for step in range(1, 20)]
    social = pd.DataFrame(links, columns=["source", "target"]).astype("int32").assign(weight=1.0)
    data = replace(data.with_interactions(frame), load_social=lambda: social)
    model = fitted("social_mf", data, {"social": 20.0, "epochs": 60})
    ratings = model.predict_ratings(data.queries(np.array([0, 1])))  # type: ignore[attr-defined]
    even, odd = ratings[:, ::2].mean(axis=1), ratings[:, 1::2].mean(axis=1)
    assert even[0] > odd[0] + 0.3
    assert odd[1] > even[1] + 0.3


def test_one_prediction_of_trust_svd_by_hand() -> None:
    """Person 0 rated items 0 to 3 and trusts person 1; item 4 is asked for. mu = 3, b_u = 0.5, b_i = -0.2, q = (0.5, 1)

    p = (0.2, -0.1). The y of the four items sum to (0.4, 0.8), so / sqrt(4): (0.2, 0.4). w_1 / sqrt(1) = (0.6, 0.1).
    z = (0.2 + 0.2 + 0.6, -0.1 + 0.4 + 0.1) = (1.0, 0.4). q . z = 0.5 + 0.4 = 0.9. Score: 3 + 0.5 - 0.2 + 0.9 = 4.2.
    Of it the trusted person gives q . w_1 = 0.5 * 0.6 + 1 * 0.1 = 0.4.
    """
    pairs = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 4)]
    data = of_pairs(pairs, [(0, 1, 1.0)])
    rated = data.with_interactions(data.interactions.assign(rating=np.array([3, 4, 3, 2, 5], dtype=np.float32)))
    rated = replace(rated, columns=rated.columns | {"rating"}, rating_scale=None)
    seen, links = data.matrix("binary"), csr_array((np.ones(1), ([0], [1])), shape=(2, 2))
    history = np.array([[0.1, 0.3], [0.1, 0.1], [0.3, 0.1], [-0.1, 0.3], [0.0, 0.0]])
    trust = np.array([[0.0, 0.0], [0.6, 0.1]])
    z = tastes(np.array([[0.2, -0.1], [0.0, 0.0]]), history, trust, seen, links)
    assert_allclose(z[0], [1.0, 0.4])
    model = _with_arrays(z, history, trust, links)
    asked = data.queries(np.array([0]))
    assert model.score(asked)[0, 4] == pytest.approx(4.2)
    parts = model.explain(asked, 4)  # type: ignore[attr-defined]
    assert parts.sources.tolist() == [1]
    assert parts.weights[0] == pytest.approx(0.4)
    assert parts.remainder == pytest.approx(3.8)


def _with_arrays(z: FloatArray, history: FloatArray, trust: FloatArray, links: csr_array) -> Recommender[Any]:
    """Return a TrustSVD of two users and five items with these arrays as trained state."""
    model = make_model("trust_svd", {"factors": 2})
    arrays: dict[str, Any] = {
        "n_users": np.array(2), "n_items": np.array(5), "mean": np.array(3.0), "rating_range": np.array([1.0, 5.0]),
        "user_bias": np.array([0.5, 0.0]), "item_bias": np.array([0, 0, 0, 0, -0.2]), "user_factors": z,
        "item_factors": np.array([[0.0, 0.0]] * 4 + [[0.5, 1.0]]), "trained": np.array([True, True]),
        "history_factors": history, "trust_factors": trust,
    }  # fmt: skip
    for part in ("data", "indices", "indptr", "shape"):
        arrays[f"links.{part}"] = np.asarray(getattr(links, part))
    model.load_state(arrays)
    return model


def test_a_step_of_trust_svd_goes_down_the_gradient() -> None:
    """One user, one rating, two trusted users: a short step moves every parameter by minus the gradient of the loss,
    computed by finite differences, times the learning rate.
    """
    values = csr_array((np.array([4.0]), ([0], [1])), shape=(3, 2))
    seen = csr_array((np.ones(2), ([0, 0], [0, 1])), shape=(3, 2))
    links = csr_array((np.array([2.0, 1.0]), ([0, 0], [1, 2])), shape=(3, 3))
    rng = np.random.default_rng(0)
    shapes = [(3,), (2,), (3, 2), (2, 2), (2, 2), (3, 2)]
    start = TrustParameters(*(rng.normal(0, 0.7, shape).astype(np.float32) for shape in shapes))
    regularization, weight, rate = 0.3, 0.8, 1e-4
    moved = TrustParameters(*(part.copy() for part in start))
    pace = Pace(np.float32(rate), np.float32(regularization), np.float32(weight))
    descend_by_user(np.array([0]), feedback_of(values, 3.0, seen, links), moved, pace)

    def loss(at: TrustParameters) -> float:
        z = at.user[0] + at.history.sum(axis=0) / 2**0.5 + at.trust[1:].sum(axis=0) / 2**0.5
        error = (4.0 - 3.0) - at.user_bias[0] - at.item_bias[1] - at.item[1] @ z
        strength = at.trust[1:] @ at.user[0] - np.array([1.0, 0.5])
        own = at.user_bias[0] ** 2 + at.item_bias[1] ** 2 + (at.user[0] ** 2).sum() + (at.item[1] ** 2).sum()
        implicit = (at.history[1] ** 2).sum() + (at.trust[1:] ** 2).sum()  # y_0 has no rating, so weight 0
        of_links = (strength**2).sum() + (at.user[0] ** 2).sum() / 2**0.5
        return float(error**2 + regularization * (own + implicit) + weight * of_links) / 2

    exact = TrustParameters(*(part.astype(np.float64) for part in start))
    for name in TrustParameters._fields:
        expected = np.zeros_like(getattr(exact, name))
        for place in np.ndindex(expected.shape):
            ends = []
            for side in (1e-6, -1e-6):
                shifted = getattr(exact, name).copy()
                shifted[place] += side
                ends.append(loss(exact._replace(**{name: shifted})))
            expected[place] = -(ends[0] - ends[1]) / 2e-6
        steps = (getattr(moved, name).astype(np.float64) - getattr(exact, name)) / rate
        assert_allclose(steps, expected, rtol=0.02, atol=5e-3, err_msg=name)


def test_unseen_items_are_unseen_and_enough() -> None:
    rng = np.random.default_rng(0)
    seen = csr_array((np.random.default_rng(1).random((40, 60)) < 0.2).astype(np.float64))
    values = with_unseen(seen, rng)
    dense, known = values.toarray(), seen.toarray()
    assert_array_equal(dense, known)  # ones stay, drawn values are 0
    drawn = values.nnz - seen.nnz
    assert 0.6 * NEGATIVES * seen.nnz < drawn <= NEGATIVES * seen.nnz
    rows = np.repeat(np.arange(40), np.diff(values.indptr))
    assert len(set(zip(rows.tolist(), values.indices.tolist(), strict=True))) == values.nnz
    full = with_unseen(csr_array(np.ones((3, 4))), rng)
    assert full.nnz == 12


@pytest.mark.parametrize(
    ("key", "config"),
    [("social_mf", {"epochs": 60, "learning_rate": 0.03}), ("trust_svd", {"epochs": 100})],
)
def test_without_ratings_what_the_own_group_took_is_ranked_first(key: str, config: dict[str, Any]) -> None:
    """On data of two tastes without ratings, the top ten are mostly of the user's half."""
    data = small_world(rated=False)
    top = fitted(key, data, config).recommend(data.queries(), 10)
    own = (top.item % 2) == (np.arange(data.n_users)[:, None] % 2)
    assert own.mean() > 0.8
