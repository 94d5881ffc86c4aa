"""Incremental updates of every model that declares them: new patterns are learned, known rows stay in place.

There are two worlds whose new data contain what the old data cannot show. On a ring of items users first walk forwards,
later backwards. In a world of two groups each group has new items, and only the new data show which of these belong to
the same group. Sequential models are tested on the ring, the others on the groups.
"""

from functools import cache
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import Ability, FloatArray, IntArray, QueryBatch, RunContext, UpdatesIncrementally
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import Cancelled, DataError, NotFitted
from recsys_core.models.base import Recommender
from recsys_core.models.network_model import NetworkModel
from recsys_core.models.registry import make_model, model_class
from tests.contract.cases import FITTING, KEYS, asking, recording

LEARNING_ON = [key for key in KEYS if Ability.UPDATES_INCREMENTALLY in model_class(key).info.abilities]
ORDER_BLIND = {"mlp", "two_tower", "mult_vae", "lightgcn"}
USERS, ITEMS, STEPS = 80, 20, 6
LATER = 1_000_000

SETTINGS: dict[str, Any] = {"patience": 0, "batch_size": 16, "dropout": 0.0, "learning_rate": 0.01, "epochs": 30}
"""In addition to the settings for small worlds. With patience 0 an update trains a fixed, small number of epochs."""


@pytest.fixture(params=LEARNING_ON)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def names(users: int, items: int) -> dict[str, list[str]]:
    """Return identifiers of the given numbers of users and items."""
    return {"user_ids": [f"u{n}" for n in range(users)], "item_ids": [f"i{n}" for n in range(items)]}


def of_rows(rows: IntArray, start: int = 0, *, items: int = ITEMS) -> Dataset:
    """Return (U, T) interactions with items, one second apart."""
    people, steps = rows.shape
    frame = pd.DataFrame({"user": np.repeat(np.arange(people), steps), "item": rows.ravel()}).astype("int32")
    frame["timestamp"] = np.tile(start + 1000 * np.arange(steps), people).astype(np.int64)
    return dataset_from_frames(frame, **names(people, items))


def walks(step: int, length: int, *, seed: int = 0) -> IntArray:
    """Return (U, T) walks round the ring of items."""
    start = np.random.default_rng(seed).integers(0, ITEMS, USERS)
    return (start[:, None] + step * np.arange(length)) % ITEMS


def choices(first: int, *, seed: int = 0) -> IntArray:
    """Return (U, 5) the five items of each user's group in random order: from `first` on, or from `first` + 5 on."""
    rng = np.random.default_rng(seed)
    return np.stack([first + 5 * (user % 2) + rng.permutation(5) for user in range(USERS)])


def turning(key: str) -> tuple[Dataset, Dataset, IntArray]:
    """Return the old data, the new data, and (U,) the next item of each user."""
    if key in ORDER_BLIND:
        old, new = choices(0)[:, 1:], choices(10, seed=1)
    else:
        old, new = walks(1, STEPS), walks(-1, STEPS + 1, seed=1)
    return of_rows(old), of_rows(new[:, :-1], LATER), new[:, -1]


def settings_of(key: str) -> dict[str, Any]:
    """Return the settings of a model for these tests, without those that it does not have."""
    known = model_class(key).config_type.model_fields
    return {name: value for name, value in (FITTING[key] | SETTINGS).items() if name in known}


@cache
def state_of(key: str) -> dict[str, Any]:
    model = make_model(key, settings_of(key))
    model.fit(turning(key)[0], RunContext())
    return dict(model.state())


def learner(key: str) -> NetworkModel[Any]:
    """Return a model trained on the old data."""
    model = make_model(key, settings_of(key))
    model.load_state(state_of(key))
    assert isinstance(model, UpdatesIncrementally)
    return cast("NetworkModel[Any]", model)


def both(old: Dataset, new: Dataset) -> QueryBatch:
    """Return the query of all users with their full histories."""
    return old.with_interactions(pd.concat([old.interactions, new.interactions], ignore_index=True)).queries()


def ndcg(model: Recommender[Any], query: QueryBatch, wanted: IntArray) -> FloatArray:
    """Return (U,) 1 / log2(1 + rank) of the relevant item among all items, on the groups among unseen ones.

    On the ring the next item may be a seen one.
    """
    scores = np.array(model.score(query))
    if model.info.key in ORDER_BLIND:
        scores[query.history.row_numbers(), query.history.values] = -np.inf
    above = (scores > scores[np.arange(len(wanted)), wanted, None]).sum(axis=1)
    gains: FloatArray = 1 / np.log2(2 + above)
    return gains


def assert_same_state(model: Recommender[Any], key: str) -> None:
    kept = state_of(key)
    assert model.state().keys() == kept.keys()
    for name, array in model.state().items():
        assert_array_equal(array, kept[name], err_msg=name)


def test_without_new_rows_nothing_changes(key: str) -> None:
    old, model = turning(key)[0], learner(key)
    scores = model.score(old.queries())
    model.update(old, old.subset(np.zeros(old.n_interactions, dtype=bool)), RunContext())
    assert_array_equal(model.score(old.queries()), scores)
    assert_same_state(model, key)


def test_new_rows_of_the_same_people_make_their_next_item_easier_to_find(key: str) -> None:
    old, new, wanted = turning(key)
    model = learner(key)
    query = both(old, new)
    before = ndcg(model, query, wanted)
    model.update(old, new, RunContext())
    gain = ndcg(model, query, wanted) - before
    assert gain.mean() > 0.1
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


@pytest.mark.parametrize("freeze", [False, True])
def test_known_rows_stay_when_they_are_frozen_and_only_then(key: str, freeze: bool) -> None:
    old, new, _ = turning(key)
    model = learner(key)
    tables = model._tables(USERS, ITEMS)
    before = {name: model.net.get_parameter(name).detach().clone() for name in tables}
    model.update(old, new, RunContext(), freeze_embeddings=freeze)
    assert tables
    for name, known in tables.items():
        after = model.net.get_parameter(name).detach()
        assert np.array_equal(after[:known], before[name][:known]) == freeze, name
    scores = learner(key).score(old.queries())
    assert not np.allclose(model.score(old.queries()), scores)  # everything else keeps training


def test_what_is_added_gets_a_place_and_what_was_known_keeps_its_meaning(key: str) -> None:
    """Two users and three items are new; the frozen rows of known ones stay in place."""
    old, new, _ = turning(key)
    model = learner(key)
    tables = model._tables(USERS, ITEMS)
    before = {name: model.net.get_parameter(name).detach().clone() for name in tables}
    arrived = of_rows(np.array([[ITEMS, ITEMS + 1, 4, 5], [ITEMS + 2, ITEMS, 7, 9]]), LATER, items=ITEMS + 3)
    later = arrived.interactions.assign(user=arrived.interactions["user"] + USERS)
    rows = [old.interactions, pd.concat([new.interactions, later], ignore_index=True)]
    grown = [dataset_from_frames(frame, **names(USERS + 2, ITEMS + 3)) for frame in rows]
    model.update(*grown, RunContext(), freeze_embeddings=True)
    for name, known in tables.items():
        after = model.net.get_parameter(name).detach()
        assert len(after) > len(before[name]), name
        assert_array_equal(after[:known], before[name][:known], err_msg=name)
    scores = model.score(both(*grown))
    assert scores.shape == (USERS + 2, ITEMS + 3)
    assert np.isfinite(scores).all()
    assert np.isfinite(model.score(asking([[ITEMS + 1]], users=[USERS + 1]))).all()
    again = make_model(key, settings_of(key))
    again.load_state(model.state())
    assert_array_equal(again.score(grown[1].queries()), model.score(grown[1].queries()))
    with pytest.raises(DataError, match="fewer than"):
        model.update(old, new, RunContext())


def test_learning_on_that_is_stopped_leaves_the_model_as_it_was(key: str) -> None:
    """Cancelled before the start, between two epochs, and in the middle of one."""
    old, new, _ = turning(key)
    wider = dataset_from_frames(new.interactions, **names(USERS + 5, ITEMS + 5))
    asked: list[int] = []
    for limit in (0, 1, 4):
        asked.clear()

        def stop(limit: int = limit) -> bool:
            asked.append(1)
            return len(asked) > limit

        model = learner(key)
        with pytest.raises(Cancelled):
            model.update(old, wider, RunContext(stop_requested=stop))
        assert len(asked) == limit + 1
        assert_same_state(model, key)
        assert_array_equal(model.score(old.queries()), learner(key).score(old.queries()))


def test_learning_on_reaches_its_total(key: str) -> None:
    old, new, _ = turning(key)
    ctx, reports = recording()
    learner(key).update(old, new, ctx)
    assert [report.step for report in reports] == list(range(len(reports)))
    assert {report.total for report in reports} == {len(reports) - 1}


def test_what_was_not_trained_cannot_learn_on(key: str) -> None:
    old, new, _ = turning(key)
    with pytest.raises(NotFitted):
        make_model(key).update(old, new, RunContext())  # type: ignore[attr-defined]


def test_what_declares_to_learn_on_does_and_nothing_else() -> None:
    able = {key for key in KEYS if isinstance(make_model(key), UpdatesIncrementally)}
    assert able == set(LEARNING_ON)
