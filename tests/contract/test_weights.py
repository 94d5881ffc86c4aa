"""Interaction weights change the scores of every model, or the model declares that it ignores them."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import FloatArray, Ragged
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.registry import model_class
from tests.contract.cases import fitted, needs_ratings, tastes, trained

PER_INTERACTION = ("values", "timestamps", "weights")


def weighted(train: Dataset, weights: FloatArray | float) -> Dataset:
    """Return the same interactions with weights (N,), or with one weight for all."""
    frame = train.interactions.assign(weight=np.full(train.n_interactions, weights, dtype=np.float32))
    columns = frozenset(frame.columns)
    return replace(train, load_interactions=lambda: frame, columns=columns)


def plain(key: str) -> Dataset:
    return tastes(rated=needs_ratings(key))


def purchases_and_views(train: Dataset) -> Dataset:
    rng = np.random.default_rng(4)
    return weighted(train, np.where(rng.random(train.n_interactions) < 0.3, 100.0, 0.01))


@cache
def trained_on_purchases_and_views(key: str) -> tuple[Recommender[Any], Dataset]:
    """Return the model and its data, fitted once per process; tests must not change it."""
    train = purchases_and_views(plain(key))
    return fitted(key, train), train


@cache
def scores_of_equal_weights(key: str) -> FloatArray:
    even = weighted(plain(key), 1.0)
    return fitted(key, even).score(even.queries())


def test_weights_change_the_scores_or_are_declared_to_be_ignored(key: str) -> None:
    model, train = trained_on_purchases_and_views(key)
    one, other = model.score(train.queries()), scores_of_equal_weights(key)
    assert np.allclose(one, other, rtol=1e-6, equal_nan=True) != model_class(key).info.uses_weights


def test_equal_weights_give_the_scores_of_data_without_weights(key: str) -> None:
    train = plain(key)
    model = trained(key) if needs_ratings(key) else fitted(key, train)
    assert_array_equal(scores_of_equal_weights(key), model.score(train.queries()))


def test_the_weights_of_a_history_count_when_the_user_is_unknown(key: str) -> None:
    info = model_class(key).info
    if not info.uses_weights or not info.folds_in or not info.weighs_histories:
        pytest.skip("declared: ignores weights, those of histories, or histories")
    model, train = trained_on_purchases_and_views(key)
    query = train.queries().of_unknown()
    assert query.weights is not None
    turned = replace(query, weights=query.weights[::-1].copy())
    assert not np.allclose(model.score(query), model.score(turned), rtol=1e-6, equal_nan=True)


def test_a_query_with_weights_and_repeated_items_stays_as_it_is(key: str) -> None:
    """The history says what a user has seen, and other models read it next."""
    model, train = trained_on_purchases_and_views(key)
    query = train.queries()
    assert query.weights is not None
    once = {name: None if (own := getattr(query, name)) is None else np.repeat(own, 2) for name in PER_INTERACTION}
    twice = replace(query, history=Ragged.from_rows([np.repeat(row, 2) for row in query.history]), **once)
    before = [row.tolist() for row in twice.history]
    scores = model.score(twice)
    assert [row.tolist() for row in twice.history] == before
    assert_array_equal(model.score(twice), scores)


def test_a_stored_model_reads_weights_as_before(key: str) -> None:
    model, train = trained_on_purchases_and_views(key)
    query = train.queries().of_unknown()
    again = type(model)(model.config)
    again.load_state(model.state())
    assert_array_equal(again.score(query), model.score(query))
