"""Biased MF (100 factors, 20 epochs) against Surprise's SVD on ML-1M: training time and test RMSE."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.movielens import ROUNDS, ratings_file, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import PredictsRatings, RunContext
from recsys_core.models.registry import make_model

TARGET = 0.7
FACTORS, EPOCHS, SEED = 100, 20, 42


def run() -> list[Row]:
    """Train both alternately on the same data: one thread each, equal learning rate and regularization."""
    split = split_1m()
    model = make_model("biased_mf", {"factors": FACTORS, "epochs": EPOCHS})
    make_model("biased_mf", {"epochs": 1}).fit(split.train, RunContext())  # compiles the loops
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = [
            ratings_file(part, Path(folder) / name) for name, part in (("train", split.train), ("test", split.test))
        ]
        for _ in range(ROUNDS):
            ours.append(seconds_of(lambda: model.fit(split.train, RunContext(seed=SEED))))
            answer = ask("surprise", *files, "svd", str(FACTORS), str(EPOCHS), str(SEED), threads=1)
            theirs.append(float(answer["seconds"]))
    assert isinstance(model, PredictsRatings)
    test = split.test.interactions
    predicted = model.predict_ratings(split.train.queries())[test["user"], test["item"]]
    rmse = float(np.sqrt(np.mean((predicted - test["rating"].to_numpy(np.float64)) ** 2)))
    ratio = min(ours) / min(theirs)
    return [
        Row(
            f"biased_mf, {FACTORS} factors, {EPOCHS} epochs on ML-1M, against Surprise's SVD",
            f"at most {TARGET:.1f} times",
            f"{ratio:.2f} times ({min(ours):.1f} s against {min(theirs):.1f} s)",
            ratio <= TARGET,
        ),
        Row(
            "its RMSE, test data: 20 % of each user's ratings",
            f"no worse than {answer['rmse']:.4f}",
            f"{rmse:.4f}",
            rmse <= answer["rmse"],
        ),
    ]
