"""Validation during training: validation users, and what networks receive."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import RunContext
from recsys_core.data import dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.experiments import validation
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.validation import Validator
from recsys_core.models.registry import make_model
from recsys_core.training.plan import LOG_RANK

SMALL: dict[str, Any] = {"embedding_dim": 8, "epochs": 1, "patience": 0}


def parted(users: int) -> Split:
    """Each user has six of twenty items; the last but one of each is for validation."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(20)[:6] for _ in range(users)])
    frame = pd.DataFrame({"user": np.repeat(np.arange(users), 6), "item": items})
    return make_splits(dataset_from_frames(frame), SplitSpec(kind="leave_last_out", validation_fraction=0.1), 42)[0]


def validator(split: Split, key: str = "popular") -> Validator:
    spec = ExperimentSpec.model_validate({"data": "0" * 64, "models": [{"key": key}]})
    return Validator(split, spec, RunContext())


@pytest.mark.parametrize(("users", "measured"), [(1200, 1000), (300, 300)])
def test_a_thousand_users_are_measured_however_little_time_a_look_may_take(
    monkeypatch: pytest.MonkeyPatch, users: int, measured: int
) -> None:
    monkeypatch.setattr(validation, "SCORES_PER_VALIDATION", 1)
    assert len(validator(parted(users))._query) == measured


def test_all_users_are_measured_where_that_is_cheap() -> None:
    assert len(validator(parted(1200))._query) == 1200


def test_networks_are_told_the_log_rank_in_blocks_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    split = parted(60)
    popular, net = make_model("popular", {}), make_model("rnn", SMALL)
    for model in (popular, net):
        model.fit(split.train, RunContext())
    assert LOG_RANK not in validator(split)(popular)
    whole = validator(split, "rnn")(net)
    assert 0 < whole[LOG_RANK] < 1
    monkeypatch.setattr(validation, "SCORES_PER_BLOCK", 20 * 7)
    assert validator(split, "rnn")(net) == pytest.approx(whole)
