"""Fit time of EASE on ML-1M, including the Gram matrix, against `numpy.linalg.inv` of the Gram matrix alone."""

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.movielens import ROUNDS, THREADS, movielens_1m, seconds_of
from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.models.registry import make_model

TARGET = 0.8


def run() -> list[Row]:
    """Time both alternately and compare the minimum times."""
    train, model = movielens_1m(), make_model("ease")
    binary = train.matrix("binary")
    gram = (binary.T @ binary).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += model.config.regularization
    fit, inverse = [], []
    with threadpool_limits(THREADS):
        model.fit(train, RunContext(threads=THREADS))  # compiles the loops, loads the data
        for _ in range(ROUNDS):
            inverse.append(seconds_of(lambda: np.linalg.inv(gram)))
            fit.append(seconds_of(lambda: model.fit(train, RunContext(threads=THREADS))))
    ratio = min(fit) / min(inverse)
    return [
        Row(
            "ease fit on ML-1M, Gram matrix included, against numpy.linalg.inv of the Gram matrix alone",
            f"at most {TARGET:.1f} times",
            f"{ratio:.2f} times ({min(fit):.2f} s against {min(inverse):.2f} s)",
            ratio <= TARGET,
        )
    ]
