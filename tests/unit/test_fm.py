"""The factorization machine: its formula, its gradient by finite differences, features, and folding in."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray
from recsys_core.models.fm import FactorizationMachine
from recsys_core.models.fm_descent import Pace, Parameters, descend, item_sums, sparse32
from recsys_core.models.observed import rows_of
from tests.contract.cases import as_unknown, fitted, recording, tastes

ITEMS, SIZE = 4, 3
SEEN = np.array([0, 2, 3])


def small_machine() -> tuple[FloatArray, FloatArray, Parameters]:
    """Return features of one user (2) and of four items (4 + 2), and random parameters."""
    rng = np.random.default_rng(0)
    users = np.array([[1.0, 0.7]])
    items = np.hstack([np.eye(ITEMS), rng.random((ITEMS, 2)) * (rng.random((ITEMS, 2)) < 0.8)])
    sizes: list[tuple[int, ...]] = [(2, SIZE), (6, SIZE), (6,), (ITEMS, SIZE)]
    return users, items, Parameters(*(rng.normal(0, 0.7, size).astype(np.float32) for size in sizes))


def machine(x: FloatArray, weights: FloatArray, vectors: FloatArray) -> float:
    """Return the sum over features and over pairs of features, Rendle 2010, eq. 1 without w_0."""
    pairs = sum(
        x[f] * x[g] * vectors[f] @ vectors[g] for f in range(len(x)) for g in range(f + 1, len(x))
    )  # fmt: skip
    return float(x @ weights + pairs)


def difference(users: FloatArray, items: FloatArray, parts: list[FloatArray], liked: int, other: int) -> float:
    """Return s_ui - s_uj of the full machine; the context leaves out item i for both."""
    query, item, weight, history = parts
    context = np.isin(np.arange(ITEMS), SEEN[liked != SEEN]) / np.sqrt(len(SEEN) - 1)
    vectors = np.concatenate([query, history, item])
    weights = np.concatenate([np.zeros(len(query) + ITEMS), weight])
    scores = [machine(np.concatenate([users[0], context, items[i]]), weights, vectors) for i in (liked, other)]
    return scores[0] - scores[1]


def test_steps_follow_the_gradient() -> None:
    """With a tiny step, an epoch changes each parameter by minus the slope of the loss over all pairs of the user."""
    users, items, parameters = small_machine()
    start = [part.astype(np.float64) for part in parameters]
    rate, other, h = 1e-3, 1, 1e-5
    seen = np.zeros((1, ITEMS))
    seen[0, SEEN] = 1.0
    loss, steps = descend(
        np.array([0]),
        rows_of(csr_array(seen)),
        sparse32(csr_array(users)),
        sparse32(csr_array(items)),
        parameters,
        Pace(np.float32(rate), np.float32(0.0)),
        np.array([other], np.uint32),
        1,
    )

    def objective(parts: list[FloatArray]) -> float:
        return float(sum(np.log1p(np.exp(-difference(users, items, parts, liked, other))) for liked in SEEN))

    assert steps == len(SEEN)
    assert loss == pytest.approx(objective(start), rel=0.01)
    for name, part in enumerate(start):
        for place in np.ndindex(part.shape):
            above, below = ([one.copy() for one in start] for _ in range(2))
            above[name][place] += h
            below[name][place] -= h
            slope = (objective(above) - objective(below)) / (2 * h)
            assert (parameters[name][place] - part[place]) / rate == pytest.approx(-slope, abs=0.02), (name, place)


def test_regularization_shrinks_what_a_step_uses() -> None:
    users, items, one = small_machine()
    two = Parameters(*(part.copy() for part in one))
    seen = np.zeros((1, ITEMS))
    seen[0, 0] = 1.0
    fixed = np.array([0]), rows_of(csr_array(seen)), sparse32(csr_array(users)), sparse32(csr_array(items))
    start = [part.copy() for part in one]
    descend(*fixed, one, Pace(np.float32(0.01), np.float32(0.0)), np.array([1], np.uint32), 1)
    descend(*fixed, two, Pace(np.float32(0.01), np.float32(0.5)), np.array([1], np.uint32), 1)
    assert_allclose(one.query - two.query, 0.005 * start[0], atol=1e-6)
    assert_allclose((one.weight - two.weight)[:2], 0.005 * start[2][:2], atol=1e-6)
    assert_allclose(one.history[0] - two.history[0], 0.005 * start[3][0], atol=1e-4)
    assert_array_equal(one.history[1:], two.history[1:])


def test_sums_over_item_features_are_the_terms_of_the_machine() -> None:
    _, items, parameters = small_machine()
    for item in range(ITEMS):
        z = np.empty(SIZE, np.float32)
        bias = item_sums(sparse32(csr_array(items)), parameters, item, z)
        assert_allclose(z, items[item] @ parameters.item, rtol=1e-5)
        assert bias == pytest.approx(machine(items[item], parameters.weight, parameters.item), rel=1e-4)


def test_the_score_is_bias_and_product_of_the_sums() -> None:
    train = tastes()
    model = fitted("fm", train, {"factors": 4, "epochs": 3})
    query = train.queries(np.array([3]))
    history = query.history[0]
    factors = model.own_factors[3] + model.history_factors[history].sum(axis=0) / np.sqrt(len(history))
    assert_allclose(model.score(query)[0], model.item_bias + model.item_factors @ factors, atol=1e-5)
    assert_allclose(model.user_factors[3], factors, atol=1e-6)
    unknown = model.item_factors @ (factors - model.own_factors[3])
    assert_allclose(model.score(as_unknown(query))[0], model.item_bias + unknown, atol=1e-5)
    parts = model.explain(query, 8)
    shares = model.history_factors[parts.sources] @ model.item_factors[8] / np.sqrt(len(history))
    assert_allclose(parts.weights, shares, atol=1e-6)


def test_an_item_without_interactions_is_scored_by_its_features() -> None:
    """Items 0 (even) and 1 (odd) are new; the categories and words of their half serve the users of that half."""
    train = tastes()
    train = train.subset((train.interactions["item"] > 1).to_numpy())
    with_tables = fitted("fm", train, {"factors": 8, "epochs": 30}).score(train.queries())
    gap = (with_tables[::2, 0] - with_tables[::2, 1]).mean() - (with_tables[1::2, 0] - with_tables[1::2, 1]).mean()
    assert gap > 0.2
    bare = fitted("fm", train, {"factors": 8, "epochs": 5, "features": False}).score(train.queries())
    assert (bare[:, :2] == 0.0).all()


def test_without_tables_features_change_nothing() -> None:
    bare = replace(tastes(), load_items=None, load_users=None)
    on, off = (fitted("fm", bare, {"epochs": 2, "features": value}) for value in (True, False))
    assert_array_equal(on.score(bare.queries()), off.score(bare.queries()))


def test_the_loss_falls_and_validation_sees_each_epoch() -> None:
    train, scores = tastes(), []
    ctx, reports = recording()
    watched = replace(ctx, validate=lambda model: scores.append(model.score(train.queries())) or {})
    model = fitted("fm", train, {"factors": 4, "epochs": 4}, ctx=watched)
    losses = [report.values["loss"] for report in reports[1:]]
    assert losses[0] == pytest.approx(np.log(2), abs=0.06)
    assert losses[-1] < losses[0]
    assert isinstance(model, FactorizationMachine)
    assert_array_equal(scores[-1], model.score(train.queries()))
    assert not np.allclose(scores[0], scores[-1])
