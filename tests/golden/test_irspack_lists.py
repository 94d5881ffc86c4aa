"""SLIM, RP3beta and P3alpha against the lists of irspack 0.5.2 for a small matrix, made by `irspack_lists/make.py`.

Scores of the walks agree within rounding: irspack computes in float32, and 7 digits are stored. irspack starts each
history item with weight 1 instead of probability 1 / n_u, which multiplies all scores of a user by the number of their
items. Scores of its SLIM were up to 2e-4 from those of scikit-learn's ElasticNet at a tolerance of 1e-12 (the weights
here: 2e-6), hence an absolute tolerance of 3e-4.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.registry import make_model
from tests.golden.irspack_lists.make import CASES, FOLDER, ITEMS, USERS, make_histories

GOLDEN: dict[str, Any] = json.loads((FOLDER / "irspack.json").read_text(encoding="utf-8"))


def dataset() -> Dataset:
    histories = GOLDEN["histories"]
    user = np.repeat(np.arange(USERS, dtype=np.int32), [len(row) for row in histories])
    frame = pd.DataFrame({"user": user, "item": np.concatenate(histories).astype(np.int32)})
    ids = [f"u{user}" for user in range(USERS)], [f"i{item}" for item in range(ITEMS)]
    return dataset_from_frames(frame, user_ids=ids[0], item_ids=ids[1])


def settings_of(name: str) -> tuple[str, dict[str, Any]]:
    """Return our model and the settings that mean the same."""
    theirs = CASES[name]
    if not name.startswith("slim"):
        return "rp3beta", {"alpha": theirs["alpha"], "beta": theirs["beta"], "neighbors": ITEMS}
    strength = USERS * theirs["alpha"]
    return "slim", {
        "l1_regularization": strength * theirs["l1_ratio"],
        "l2_regularization": strength * (1 - theirs["l1_ratio"]),
        "nonnegative": theirs.get("positive_only", True),
    }


def test_the_stored_histories_are_those_of_the_script() -> None:
    assert GOLDEN["histories"] == make_histories()
    assert set(GOLDEN["cases"]) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_scores_and_lists_are_those_of_irspack(name: str) -> None:
    train = dataset()
    key, settings = settings_of(name)
    model = make_model(key, settings)
    model.fit(train, RunContext())
    query = train.queries()
    expected = np.array(GOLDEN["cases"][name]["scores"])
    if key == "rp3beta":
        expected = expected / query.history.lengths[:, None]
    lists = np.array(GOLDEN["cases"][name]["lists"])
    found = np.take_along_axis(np.nan_to_num(model.score(query)), lists, axis=1)
    tolerance = {"rtol": 1e-5, "atol": 1e-7} if key == "rp3beta" else {"rtol": 0.0, "atol": 3e-4}
    assert_allclose(found, expected, **tolerance)
    top = model.recommend(query, lists.shape[1])
    assert_allclose(np.nan_to_num(top.score), expected, **tolerance)  # the same lists up to ties
