"""The update replay of every model that updates: a refit is a training from scratch, and no new rows change nothing."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.splits import make_splits
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.update_replay import REFIT, ReplaySettings, replay
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
    models: Any = [{"key": key, "config": QUICK.get(key, {})}]
    return ExperimentSpec(
        data="shop", models=models, k=5, cutoffs=(5,), target=("buy",), learn_from={"view": 1.0}, seed=7
    )


@pytest.mark.parametrize("key", [*LEARNING_ON, *OTHERS])
def test_a_refit_is_a_training_from_scratch_on_what_came_before(key: str) -> None:
    spec, data = spec_of(key), shop(later_views=True)
    found, updated = replay(spec, spec.models[0], data, SETTINGS, RunContext())
    refit = found.points[found.points["version"] == REFIT].set_index("step")["mean"]
    splits = make_splits(data, SETTINGS.split, spec.seed, task=spec.task)
    assert list(refit.index) == [0, 1]
    for step, split in enumerate(splits):
        model = make_model(key, spec.models[0].config)
        model.fit(split.train, RunContext(seed=spec.seed))
        values = evaluate(model, split, cutoffs=(5,), ctx=RunContext(seed=spec.seed)).per_user["ndcg@5"]
        assert refit[step] == pytest.approx(values.mean(), abs=1e-12)
    assert (updated is not None) == (key in LEARNING_ON)


@pytest.mark.parametrize("key", [*LEARNING_ON, *OTHERS])
def test_without_new_rows_all_versions_stay_the_same(key: str) -> None:
    """All views come before the first window, and purchases are not learned from."""
    spec, data = spec_of(key), shop(later_views=False)
    found, updated = replay(spec, spec.models[0], data, SETTINGS, RunContext())
    assert list(found.steps["fresh"]) == [0, 0]
    assert found.differences["identical"].all()
    assert found.points.groupby("step")["mean"].nunique().tolist() == [1, 1]
    assert found.points.groupby("step")["churn"].nunique().tolist() == [0, 1]  # purchased items leave all lists alike
    if key in LEARNING_ON:
        first = make_model(key, spec.models[0].config)
        train = make_splits(data, SETTINGS.split, spec.seed, task=spec.task)[0].train
        first.fit(train, RunContext(seed=spec.seed))
        assert updated is not None
        for name, array in first.state().items():
            assert_array_equal(updated.state()[name], array, err_msg=name)
