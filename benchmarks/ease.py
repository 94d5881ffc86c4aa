"""Fit time of EASE on ML-1M, including the Gram matrix, against `numpy.linalg.inv` of it alone, and against irspack."""

import tempfile

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.movielens import ROUNDS, THREADS, movielens_1m, seconds_of
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.models.registry import make_model

TARGET = 0.8
PEER_TARGET = 0.5


def run() -> list[Row]:
    """Time all three alternately and compare the minimum times."""
    train, model = movielens_1m(), make_model("ease")
    binary = train.matrix("binary")
    gram = (binary.T @ binary).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += model.config.regularization
    fit, inverse, peer = [], [], []
    with threadpool_limits(THREADS), tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/train.npz"
        np.savez(file, data=binary.data, indices=binary.indices, indptr=binary.indptr, shape=binary.shape)
        regularization = str(model.config.regularization)
        model.fit(train, RunContext(threads=THREADS))  # compiles the loops, loads the data
        for _ in range(ROUNDS):
            inverse.append(seconds_of(lambda: np.linalg.inv(gram)))
            fit.append(seconds_of(lambda: model.fit(train, RunContext(threads=THREADS))))
            answer = ask("irspack", file, "ease", regularization, str(THREADS), threads=THREADS)
            peer.append(float(answer["seconds"]))
    ratio, peer_ratio = min(fit) / min(inverse), min(fit) / min(peer)
    return [
        Row(
            "ease fit on ML-1M, Gram matrix included, against numpy.linalg.inv of the Gram matrix alone",
            f"at most {TARGET:.1f} times",
            f"{ratio:.2f} times ({min(fit):.2f} s against {min(inverse):.2f} s)",
            ratio <= TARGET,
        ),
        Row(
            "ease fit on ML-1M against irspack's DenseSLIMRecommender (EASE)",
            f"at most {PEER_TARGET:.1f} times",
            f"{peer_ratio:.2f} times ({min(fit):.2f} s against {min(peer):.2f} s)",
            peer_ratio <= PEER_TARGET,
        ),
    ]
