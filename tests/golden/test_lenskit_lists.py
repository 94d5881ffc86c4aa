"""Item kNN, user kNN, EASE, SLIM and ALS against the lists of LensKit 2025.8.1, made by `lenskit_lists/make.py`.

LensKit computes in float32, and 7 digits are stored. The docstring of the script says where the two differ by
definition: with few neighbors, our score is at most LensKit's, and its user kNN multiplies the scores of a user by
sqrt(n_u).
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
from tests.golden.lenskit_lists.make import ALS_SEED, CASES, FEW, FOLDER, INIT_STD, ITEMS, USERS, make_histories

GOLDEN: dict[str, Any] = json.loads((FOLDER / "lenskit.json").read_text(encoding="utf-8"))
TOLERANCE = {"als": 1e-4, "slim": 5e-3}
"""Relative to the largest score: eight iterations in single precision, and LensKit's stopping of SLIM before the
minimum; 1e-5 for all others."""
EQUAL = [name for name in CASES if not name.endswith("_few")]


def dataset() -> Dataset:
    histories = GOLDEN["histories"]
    user = np.repeat(np.arange(USERS, dtype=np.int32), [len(row) for row in histories])
    frame = pd.DataFrame({"user": user, "item": np.concatenate(histories).astype(np.int32)})
    ids = [f"u{user}" for user in range(USERS)], [f"i{item}" for item in range(ITEMS)]
    return dataset_from_frames(frame, user_ids=ids[0], item_ids=ids[1])


def settings_of(name: str) -> tuple[str, dict[str, Any]]:
    """Return our model and the settings that mean the same."""
    theirs = CASES[name]
    if name.partition("_")[2].startswith("knn"):
        return name.removesuffix("_few"), {"neighbors": theirs["max_nbrs"]}
    if name == "ease":
        return "ease", {"regularization": theirs["regularization"]}
    if name == "slim":
        return "slim", {"l1_regularization": theirs["l1_reg"], "l2_regularization": theirs["l2_reg"]}
    confidence = 1.0 + theirs["weight"]
    return "ials", {
        "factors": theirs["embedding_size"],
        "epochs": theirs["epochs"],
        "init_std": INIT_STD,
        "frequency_exponent": 0.0,
        "unobserved_weight": 1.0 / theirs["weight"],
        "regularization": theirs["regularization"] / confidence,
        "solver": "cholesky",
    }


def scores_of(name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return LensKit's scores of its lists, ours of the same items, and ours of our own lists."""
    train = dataset()
    key, settings = settings_of(name)
    model = make_model(key, settings)
    model.fit(train, RunContext(seed=ALS_SEED))
    factor = (1.0 + CASES["als"]["weight"]) / CASES["als"]["weight"] if name == "als" else 1.0
    lists, expected = np.array(GOLDEN["cases"][name]["lists"]), np.array(GOLDEN["cases"][name]["scores"])
    if key == "user_knn":
        expected = expected / np.sqrt(train.queries().history.lengths)[:, None]
    found = np.take_along_axis(np.nan_to_num(model.score(train.queries())), lists, axis=1)
    own = np.nan_to_num(model.recommend(train.queries(), lists.shape[1]).score)
    return expected, factor * found, factor * own


def test_the_stored_histories_are_those_of_the_script() -> None:
    assert GOLDEN["histories"] == make_histories()
    assert set(GOLDEN["cases"]) == set(CASES)
    assert len({tuple(history) for history in GOLDEN["histories"]}) == USERS  # a duplicate is no neighbor for us


@pytest.mark.parametrize("name", EQUAL)
def test_scores_and_lists_are_those_of_lenskit(name: str) -> None:
    expected, found, own = scores_of(name)
    tolerance = TOLERANCE.get(name, 1e-5) * expected.max()
    assert_allclose(found, expected, rtol=0.0, atol=tolerance)
    assert_allclose(own, expected, rtol=0.0, atol=tolerance)  # the same lists up to ties


@pytest.mark.parametrize("name", ["item_knn_few", "user_knn_few"])
def test_with_few_neighbors_our_score_is_at_most_that_of_lenskit(name: str) -> None:
    expected, found, _ = scores_of(name)
    assert CASES[name]["max_nbrs"] == FEW
    assert (found <= expected + 1e-5 * expected.max()).all()
    assert (found < expected - 1e-5 * expected.max()).mean() > 0.5  # they do differ by definition
