"""Scores and lists of every model: order, unknown users, edge cases, and equality after saving and loading."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save_file

from recsys_core.contracts import (
    PAD,
    Ability,
    ExplainsItems,
    FoldIn,
    PredictsRatings,
    Ragged,
    TracesAttention,
    UpdatesIncrementally,
)
from recsys_core.errors import CannotScore, StoreError
from recsys_core.models.registry import make_model, model_class
from recsys_core.models.sequential import SequenceConfig
from tests.contract.cases import (
    ITEMS,
    KEYS,
    as_unknown,
    asking,
    assert_same_scores,
    by_history,
    fitted,
    needs_ratings,
    of_items,
    tastes,
    trained,
)


def test_a_batch_equals_single_questions(key: str) -> None:
    train = tastes()
    model, query = trained(key), train.queries()
    single = [model.score(query.take(np.array([row]))) for row in range(len(query))]
    assert_same_scores(key, model.score(query), np.concatenate(single))
    turned = np.arange(len(query))[::-1]
    assert_same_scores(key, model.score(query.take(turned)), model.score(query)[turned])


def test_threads_change_no_list(key: str) -> None:
    model, query = trained(key), tastes().queries()
    one, three = (model.recommend(query, 10, threads=threads) for threads in (1, 3))
    assert_array_equal(one.item, three.item)
    assert_array_equal(one.score, three.score)


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_lists_are_the_sorted_scores_without_seen_items(key: str, exclude_seen: bool) -> None:
    train = tastes()
    model, query = trained(key), train.queries()
    scores, top = model.score(query), model.recommend(query, 10, exclude_seen=exclude_seen)
    for row, history in enumerate(query.history):
        seen = set(history.tolist()) if exclude_seen else set()
        allowed = [item for item in range(ITEMS) if item not in seen and not np.isnan(scores[row, item])]
        expected = sorted(allowed, key=lambda item: (-scores[row, item], model.tie_keys[item]))[:10]
        assert_array_equal(top.item[row], expected + [PAD] * (10 - len(expected)))
        assert_array_equal(top.score[row, : len(expected)], scores[row, expected])


def test_a_list_longer_than_the_catalogue_is_padded(key: str) -> None:
    train = tastes()
    query = train.queries()
    top = trained(key).recommend(query, ITEMS + 5)
    for row, history in enumerate(query.history):
        found = top.item[row][top.item[row] != PAD]
        assert len(found) == len(set(found.tolist())) <= ITEMS - len(set(history.tolist()))
        assert (top.item[row, len(found) :] == PAD).all()
        assert np.isnan(top.score[row, len(found) :]).all()


def test_nobody_asking_gets_no_lists(key: str) -> None:
    model = trained(key)
    nobody = tastes().queries(np.array([], dtype=np.int64))
    assert model.score(nobody).shape == (0, ITEMS)
    assert model.recommend(nobody, 4).item.shape == (0, 4)


def test_an_unknown_person_is_served_and_their_history_matters_where_declared(key: str) -> None:
    model = trained(key)
    one, two = model.score(asking([[0, 2, 4], [1, 3, 5]], value=[5.0, 4.0, 1.0] * 2))
    assert np.isfinite(one).any()
    assert np.array_equal(one, two, equal_nan=True) != (model.info.folds_in)


def test_a_training_user_asking_as_unknown_gets_the_same_list(key: str) -> None:
    """Exact fold-in: the history of a training user gives their scores and their list."""
    train = tastes()
    model, query = trained(key), train.queries()
    if not by_history(key):
        pytest.skip(f"declared: '{key}' does not score by the history alone")
    assert_array_equal(model.score(as_unknown(query)), model.score(query))
    assert_array_equal(model.recommend(as_unknown(query), 10).item, model.recommend(query, 10).item)


def test_the_order_of_a_history_matters_at_most_where_declared(key: str) -> None:
    model = trained(key)
    if model.info.fold_in is FoldIn.SEQUENCE:
        pytest.skip("declared: the order of a history matters")
    query = tastes().queries().of_unknown()
    turned = np.concatenate([np.arange(start, end)[::-1] for start, end in pairwise(query.history.offsets)])
    history = Ragged(query.history.values[turned], query.history.offsets)
    again = replace(query, history=history, values=query.values[turned])
    assert_allclose(model.score(again), model.score(query), rtol=1e-6, atol=1e-6)


def test_what_an_approximate_fold_in_estimates_is_said(key: str) -> None:
    info = model_class(key).info
    assert bool(info.fold_in_note) == (info.fold_in is FoldIn.APPROXIMATE)


def test_what_a_model_reads_of_a_history_gives_the_scores_of_the_whole(key: str) -> None:
    """With a maximum length of five, where there is one; the explanation by deletion relies on it."""
    settings = {"max_length": 5} if issubclass(model_class(key).config_type, SequenceConfig) else {}
    train = tastes()
    model, query = fitted(key, train, settings), train.queries()
    read = model.as_read(query)
    assert (read.history.lengths <= query.history.lengths).all()
    assert not settings or read.history.lengths.max() == 5
    assert_same_scores(key, model.score(read), model.score(query))


def test_an_empty_history_gives_scores_or_says_that_it_cannot(key: str) -> None:
    model = trained(key)
    scores = model.score(asking([[]]))[0]
    assert np.isfinite(scores).all() or np.isnan(scores).all()
    assert len(model.recommend(asking([[]]), 3)) == 1


@pytest.mark.parametrize("config", [{}, {"similarity": "pearson", "centering": "zscore"}], ids=["defaults", "centred"])
def test_a_user_whose_ratings_are_all_zero_does_no_harm(key: str, config: dict[str, str]) -> None:
    if not set(config) <= set(model_class(key).config_type.model_fields):
        pytest.skip(f"'{key}' has no such settings")
    train = tastes()
    frame = train.interactions.copy()
    frame.loc[frame["user"] == 3, "rating"] = 0.0
    train = train.with_interactions(frame)
    scores = fitted(key, train, config).score(train.queries())
    assert not np.isinf(scores).any()
    assert np.isfinite(np.delete(scores, 3, axis=0)).any(axis=1).all()


def test_a_catalogue_of_one_item(key: str) -> None:
    train = of_items(tastes(), np.array([0]))
    model = fitted(key, train)
    assert model.score(train.queries()).shape == (train.n_users, 1)
    seen = train.queries(train.interactions["user"].unique())
    assert (model.recommend(seen, 2).item == PAD).all()


def test_users_and_items_without_interactions_do_no_harm(key: str) -> None:
    train = tastes()
    frame = train.interactions
    train = train.subset(((frame["user"] > 5) & (frame["item"] > 9)).to_numpy())
    scores = fitted(key, train).score(train.queries())
    assert not np.isinf(scores).any()
    assert np.isfinite(scores[6:]).any(axis=1).all()


def test_items_in_another_order_get_the_same_scores(key: str) -> None:
    train = tastes()
    if model_class(key).info.stochastic:
        pytest.skip("declared: random numbers are drawn by position")
    place = np.random.default_rng(1).permutation(ITEMS)  # item -> its other position
    moved = of_items(train, np.argsort(place))
    expected, found = (fitted(key, data).score(data.queries()) for data in (train, moved))
    assert_allclose(found[:, place], expected, rtol=1e-4, atol=1e-5)


def test_positions_outside_the_training_data_are_refused(key: str) -> None:
    model = trained(key)
    for query in (asking([[ITEMS]]), asking([[0]], users=[10_000]), asking([[-1]])):
        with pytest.raises(CannotScore, match="positions"):
            model.score(query)


def test_declared_abilities_are_those_it_has(key: str) -> None:
    model = make_model(key)
    assert (Ability.PREDICTS_RATINGS in model.info.abilities) == isinstance(model, PredictsRatings)
    assert (Ability.EXPLAINS_ITEMS in model.info.abilities) == isinstance(model, ExplainsItems)
    assert (Ability.TRACES_ATTENTION in model.info.abilities) == isinstance(model, TracesAttention)
    assert (Ability.UPDATES_INCREMENTALLY in model.info.abilities) == isinstance(model, UpdatesIncrementally)


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_predictions_stay_on_the_scale(key: str, unknown: bool) -> None:
    train = tastes()
    model = trained(key)
    if not isinstance(model, PredictsRatings):
        pytest.skip("declared: does not predict ratings")
    query = as_unknown(train.queries()) if unknown else train.queries()
    predicted = model.predict_ratings(query)
    assert predicted.shape == (train.n_users, train.n_items)
    assert ((predicted >= 0) & (predicted <= 5)).all()
    assert predicted.std() > 0
    assert np.isfinite(predicted).all()
    assert np.isfinite(model.predict_ratings(asking([[]]))).all()


def test_predictions_beyond_the_scale_are_clipped(key: str) -> None:
    """For users whose ratings are all at one end of the scale, sums of deviations could leave it."""
    train = tastes()
    frame = train.interactions
    generous = (frame["user"] % 3 == 0) | (frame["item"] % 5 == 0)
    train = train.with_interactions(frame.assign(rating=np.where(generous, 5.0, 0.0).astype(np.float32)))
    model = fitted(key, train)
    if not isinstance(model, PredictsRatings):
        pytest.skip("declared: does not predict ratings")
    predicted = model.predict_ratings(train.queries())
    assert ((predicted >= 0) & (predicted <= 5)).all()


def test_predictions_from_data_without_ratings_are_refused(key: str) -> None:
    model = make_model(key)
    if not isinstance(model, PredictsRatings) or needs_ratings(key):
        pytest.skip("declared: does not predict ratings, or does not train without them")
    train = tastes(rated=False)
    with pytest.raises(CannotScore, match="without ratings"):
        fitted(key, train).predict_ratings(train.queries())


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
@pytest.mark.parametrize("centering", ["none", "zscore"])
def test_contributions_add_up_to_the_score(key: str, aggregation: str, centering: str) -> None:
    train = tastes()
    settings = {"aggregation": aggregation, "centering": centering, "neighbors": 7}
    config = {name: value for name, value in settings.items() if name in model_class(key).config_type.model_fields}
    model = fitted(key, train, config)
    if not isinstance(model, ExplainsItems):
        pytest.skip("declared: does not explain items")
    if not config and (aggregation, centering) != ("sum", "none"):
        pytest.skip(f"'{key}' has no such settings")
    for user in (0, 1, 17):
        query = train.queries(np.array([user]))
        scores = model.score(query)[0]
        for item in np.flatnonzero(~np.isnan(scores))[user % 2 :: 6]:
            parts = model.explain(query, int(item))
            assert parts.score == scores[item]
            assert len(parts.sources) == len(parts.weights)
            assert parts.weights.sum() + parts.remainder == pytest.approx(parts.score, rel=1e-6, abs=1e-9)


def test_what_has_no_score_cannot_be_explained(key: str) -> None:
    model = trained(key)
    if not isinstance(model, ExplainsItems) or not np.isnan(model.score(asking([[]]))).all():
        pytest.skip("declared: does not explain items, or scores without a history")
    with pytest.raises(CannotScore, match="nothing in the history"):
        model.explain(asking([[]]), 0)


def test_saved_and_loaded_in_another_process_the_scores_are_equal(key: str, reloaded: dict[str, np.ndarray]) -> None:
    train = tastes()
    assert_same_scores(key, reloaded[key], trained(key).score(train.queries()))


def test_a_stored_model_that_lacks_an_array_is_refused(key: str) -> None:
    state = dict(trained(key).state())
    state.pop(next(name for name in state if name not in ("n_users", "n_items")))
    with pytest.raises(StoreError, match="train it again"):
        make_model(key).load_state(state)


LOADER = """
import sys
import numpy as np
from safetensors.numpy import load_file
from recsys_core.models.sequential import SequenceConfig
from recsys_core.models.registry import make_model
from tests.contract.cases import KEYS, QUICK, tastes

for key in KEYS:
    model = make_model(key, QUICK.get(key))
    model.load_state(load_file(f"{sys.argv[1]}/{key}.safetensors"))
    np.save(f"{sys.argv[1]}/{key}.npy", model.score(tastes().queries()))
"""


@pytest.fixture(scope="session")
def reloaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Scores of every model, saved here and loaded in one other process."""
    folder: Path = tmp_path_factory.mktemp("saved")
    for key in KEYS:
        save_file(dict(trained(key).state()), folder / f"{key}.safetensors")
    subprocess.run([sys.executable, "-c", LOADER, str(folder)], check=True, cwd=Path(__file__).parents[2])
    return {key: np.load(folder / f"{key}.npy") for key in KEYS}
