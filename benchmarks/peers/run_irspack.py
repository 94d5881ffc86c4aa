"""Fit a linear item model of irspack on stored interactions; print its time, and store the top 10 items of each user.

Arguments: a file of the training matrix, `ease`, `cosine`, `slim` or `rp3beta`, its setting, the number of threads, and
optionally the output file of the lists. The setting is a number (regularization of EASE, neighbors of cosine kNN), or
JSON with the arguments of `SLIMRecommender` and `RP3betaRecommender`.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from irspack.recommenders import CosineKNNRecommender, DenseSLIMRecommender, RP3betaRecommender, SLIMRecommender
from scipy.sparse import csr_matrix

K = 10
BLOCK = 500


def untrained(kind: str, matrix: csr_matrix, setting: Any, threads: int) -> Any:
    """Return the recommender; the dense EASE takes its number of threads from the environment."""
    if kind == "ease":
        return DenseSLIMRecommender(matrix, reg=float(setting))
    if kind == "cosine":
        return CosineKNNRecommender(matrix, top_k=int(setting), n_threads=threads)
    return {"slim": SLIMRecommender, "rp3beta": RP3betaRecommender}[kind](matrix, n_threads=threads, **setting)


def lists_of(model: Any, n_users: int) -> np.ndarray:
    """Return (U, 10) unseen items, best first."""
    lists = np.empty((n_users, K), dtype=np.int64)
    for first in range(0, n_users, BLOCK):
        users = np.arange(first, min(first + BLOCK, n_users))
        lists[users] = np.argsort(-model.get_score_remove_seen(users), axis=1, kind="stable")[:, :K]
    return lists


def main(data: str, kind: str, setting: str, threads: str, *lists: str) -> None:
    stored = np.load(data)
    matrix = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=stored["shape"])
    seconds = []
    for _ in range(2):
        model = untrained(kind, matrix, json.loads(setting), int(threads))
        start = time.perf_counter()
        model.learn()
        seconds.append(time.perf_counter() - start)
    for path in lists:
        np.save(path, lists_of(model, matrix.shape[0]))
    print(json.dumps({"seconds": min(seconds)}))


main(*sys.argv[1:])
