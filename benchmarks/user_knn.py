"""User kNN (Pearson) against Surprise's KNNWithMeans on ML-1M: time of fit and prediction, and RMSE."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.movielens import THREADS, ratings_file, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data import Dataset
from recsys_core.evaluation.pairs import answers_of_pairs
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model

TARGET = 0.2
NEIGHBORS = 40
PAIRS = 200_000
ROUNDS = 2
"""Few, since the peer takes minutes per run and the difference is large."""


def run() -> list[Row]:
    """Let both alternately fit the same ratings and predict the same pairs."""
    split = split_1m()
    test = split.test.with_interactions(split.test.interactions.head(PAIRS).reset_index(drop=True))
    config = {"similarity": "pearson", "centering": "mean", "aggregation": "mean", "neighbors": NEIGHBORS}
    model = make_model("user_knn", config)
    ours, theirs = [], []
    predicted = _fit_and_predict(model, split.train, test)  # compiles the loops, loads the data
    with tempfile.TemporaryDirectory() as folder:
        files = [ratings_file(part, Path(folder) / name) for name, part in (("train", split.train), ("test", test))]
        for _ in range(ROUNDS):
            ours.append(seconds_of(lambda: _fit_and_predict(model, split.train, test)))
            answer = ask("surprise", *files, "knn", str(NEIGHBORS), threads=THREADS)
            theirs.append(float(answer["seconds"]) + float(answer["predict_seconds"]))
    rmse = float(np.sqrt(np.mean((predicted - test.interactions["rating"].to_numpy(np.float64)) ** 2)))
    ratio = min(ours) / min(theirs)
    return [
        Row(
            f"user_knn Pearson on ML-1M, {NEIGHBORS} neighbors, fit and predict {test.n_interactions:,} pairs, "
            "against Surprise's KNNWithMeans",
            f"at most {TARGET:.1f} times",
            f"{ratio:.3f} times ({min(ours):.1f} s against {min(theirs):.1f} s)",
            ratio <= TARGET,
        ),
        Row(
            "its RMSE, test data: 20 % of each user's ratings",
            f"no worse than {answer['rmse']:.4f}",
            f"{rmse:.4f}",
            round(rmse, 4) <= round(answer["rmse"], 4),
        ),
    ]


def _fit_and_predict(model: Recommender[Any], train: Dataset, test: Dataset) -> FloatArray:
    model.fit(train, RunContext(threads=THREADS))
    pairs = test.interactions
    return answers_of_pairs(model, train.queries(), pairs["user"].to_numpy(), pairs["item"].to_numpy())
