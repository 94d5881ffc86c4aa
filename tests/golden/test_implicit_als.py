"""`ials` gives the lists and scores of implicit's ALS for the settings that make both the same model."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import RunContext
from recsys_core.data import dataset_from_frames
from recsys_core.models.registry import make_model

GOLDEN = json.loads((Path(__file__).parent / "implicit_als" / "implicit.json").read_text(encoding="utf-8"))
TOLERANCE = {"cholesky": 1e-4, "conjugate_gradient": 2e-3}
"""Relative to the largest score: single precision after 8 iterations, and the tolerance of the solver."""


@pytest.mark.parametrize("solver", TOLERANCE)
def test_lists_and_scores_are_those_of_implicit(solver: str) -> None:
    confidence = GOLDEN["confidence"]
    settings = {name: GOLDEN[name] for name in ("factors", "epochs", "init_std")} | {
        "frequency_exponent": 0.0,
        "unobserved_weight": 1.0 / (confidence - 1.0),
        "regularization": GOLDEN["regularization"] / confidence,
        "solver": solver,
    }
    train = dataset_from_frames(pd.DataFrame({"user": GOLDEN["user"], "item": GOLDEN["item"]}).astype("int32"))
    model = make_model("ials", settings)
    model.fit(train, RunContext(seed=42))
    found, expected = model.recommend(train.queries(), 8), np.array(GOLDEN["scores"])
    scores = found.score * confidence / (confidence - 1.0)
    assert_allclose(scores, expected, atol=TOLERANCE[solver] * expected.max())
    if solver == "cholesky":
        assert_array_equal(found.item, GOLDEN["lists"])
