"""The update replay of every model that updates: a refit is a training from scratch, and no new rows change nothing."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.update_replay import REFIT, STALE, ReplaySettings, replay
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model
from tests.contract.cases import QUICK
from tests.contract.test_updates import LEARNING_ON

SETTINGS = ReplaySettings(steps=1, share=0.3)
OTHERS = ["popular", "item_knn"]
"""Models without updates, of which refits are trainings from scratch, too."""


@cache
def shop(*, later_views: bool) -> Dataset:
    """40 users view 8 of 20 items each and then buy; with `later_views`, they go on viewing between the purchases."""
    rng = np.random.default_rng(4)
    rows = [(u, i, "view", int(rng.integers(1, 1000))) for u in range(40) for i in rng.choice(20, 8, replace=False)]
    rows += [(u, i, "buy", int(rng.integers(1001, 2000))) for u in range(40) for i in rng.choice(20, 4, replace=False)]
    if later_views:
        late = rng.integers(1001, 2000, 200)
        rows += [(int(rng.integers(40)), int(rng.integers(20)), "view", int(time)) for time in late]
    frame = pd.DataFrame(rows, columns=["user", "item", "event", "timestamp"])
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32"}), name="shop")


def spec_of(key: str) -> ExperimentSpec:
    config = QUICK[key] | {"epochs": 1} if key in QUICK else {}
    models: Any = [{"key": key, "config": config}]
    return ExperimentSpec(
        data="shop", models=models, k=5, cutoffs=(5,), target=("buy",), learn_from={"view": 1.0}, seed=7
    )


def trained(key: str, split: Split) -> Recommender[Any]:
    """Return a new model, trained from scratch on the training data of a split."""
    model = make_model(key, spec_of(key).models[0].config)
    model.fit(split.train, RunContext(seed=7))
    return model


def ndcg(model: Recommender[Any], split: Split) -> float:
    return float(evaluate(model, split, cutoffs=(5,), ctx=RunContext(seed=7)).per_user["ndcg@5"].mean())


@pytest.mark.parametrize("key", [*LEARNING_ON, *OTHERS])
def test_a_refit_is_a_training_from_scratch_and_a_stale_model_stays_as_it_was(key: str) -> None:
    spec, data = spec_of(key), shop(later_views=True)
    replayed, updated = replay(spec, spec.models[0], data, SETTINGS, RunContext())
    means = replayed.points.set_index(["version", "step"])["mean"]
    splits = make_splits(data, SETTINGS.split, spec.seed, task=spec.task)
    models = [trained(key, split) for split in splits]
    stale = replace(splits[1], trained_on=splits[0].train)
    assert means[REFIT, 0] == means[STALE, 0] == pytest.approx(ndcg(models[0], splits[0]), abs=1e-12)
    assert means[REFIT, 1] == pytest.approx(ndcg(models[1], splits[1]), abs=1e-12)
    assert means[STALE, 1] == pytest.approx(ndcg(models[0], stale), abs=1e-12)
    assert (updated is not None) == (key in LEARNING_ON)


@pytest.mark.parametrize("key", [*LEARNING_ON, *OTHERS])
def test_without_new_rows_all_versions_stay_the_same(key: str) -> None:
    """All views come before the first window, and purchases are not learned from."""
    spec, data = spec_of(key), shop(later_views=False)
    replayed, updated = replay(spec, spec.models[0], data, SETTINGS, RunContext())
    assert list(replayed.steps["fresh"]) == [0, 0]
    assert replayed.differences["identical"].all()
    assert replayed.points.groupby("step")["mean"].nunique().tolist() == [1, 1]
    assert replayed.points.groupby("step")["churn"].nunique().tolist() == [
        0,
        1,
    ]  # purchased items leave all lists alike
    if key in LEARNING_ON:
        assert updated is not None
        first = trained(key, make_splits(data, SETTINGS.split, spec.seed, task=spec.task)[0])
        for name, array in first.state().items():
            assert_array_equal(updated.state()[name], array, err_msg=name)
