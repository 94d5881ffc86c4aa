"""SLIM against irspack's, and RP3beta against irspack's and implicit's kNN, on ML-1M: fit time, and NDCG@10.

implicit has no random walk; its cosine kNN computes the same product of the user-item matrix with itself, and also
keeps the largest weights per item.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.movielens import ROUNDS, THREADS, movielens_1m, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import IntArray, Ragged, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.models.registry import make_model

MARGIN = 0.003
"""Largest NDCG@10 by which our lists may be worse."""
NEIGHBORS = 100
SLIM_SETTINGS = {"alpha": 0.05, "l1_ratio": 0.01}
"""The defaults of irspack, whose regularization is proportional to the number of users."""
WALK_SETTINGS = {"alpha": 1.0, "beta": 0.3, "top_k": NEIGHBORS}
COSINE = "implicit's CosineRecommender"
TARGETS = {"slim": 0.8, "rp3beta": 1.0}


def run() -> list[Row]:
    """Time all alternately on all ratings, and compare the minimum times; then evaluate on one train/test split."""
    users = movielens_1m().n_users
    walk = {"alpha": WALK_SETTINGS["alpha"], "beta": WALK_SETTINGS["beta"], "neighbors": NEIGHBORS}
    regression = {
        "l1_regularization": users * SLIM_SETTINGS["alpha"] * SLIM_SETTINGS["l1_ratio"],
        "l2_regularization": users * SLIM_SETTINGS["alpha"] * (1 - SLIM_SETTINGS["l1_ratio"]),
    }
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for key, ours, theirs in (("slim", regression, SLIM_SETTINGS), ("rp3beta", walk, WALK_SETTINGS)):
            try:
                rows += _compared(key, ours, theirs, Path(folder))
            except subprocess.CalledProcessError as error:
                rows.append(Row(f"{key} against irspack and implicit on ML-1M", "runs", f"{error}", False))
    return rows


def _compared(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], folder: Path) -> list[Row]:
    """Return the rows of fit time and quality of one model."""
    train, ctx, model = movielens_1m(), RunContext(threads=THREADS), make_model(key, dict(ours))
    model.fit(train, ctx)  # compiles the loops, loads the data
    title = f"irspack's {key}"
    seconds: dict[str, list[float]] = {}
    stored = _stored(train, folder / "all.npz")
    for _ in range(ROUNDS):
        seconds.setdefault("", []).append(seconds_of(lambda: model.fit(train, ctx)))
        answer = ask("irspack", stored, key, json.dumps(theirs), str(THREADS), threads=THREADS)
        seconds.setdefault(title, []).append(float(answer["seconds"]))
        if key == "rp3beta":
            lists = str(folder / "cosine.npy")
            settings = json.dumps({"K": NEIGHBORS + 1})  # implicit counts an item among its own neighbors
            answer = ask("implicit", stored, lists, "cosine", settings, str(THREADS), "2", threads=THREADS)
            seconds.setdefault(COSINE, []).append(float(answer["seconds"]))
    least = {name: min(values) for name, values in seconds.items()}
    fastest = min((name for name in least if name), key=lambda name: least[name])
    ratio = least[""] / least[fastest]
    others = ", ".join(f"{name} {least[name]:.2f} s" for name in least if name)
    own, other = _quality(key, ours, theirs, folder)
    return [
        Row(
            f"{key} fit on ML-1M against {' and '.join(name for name in least if name)}, the faster",
            f"at most {TARGETS[key]:.1f} times",
            f"{ratio:.2f} times ({least['']:.2f} s; {others})",
            ratio <= TARGETS[key],
        ),
        Row(
            f"NDCG@10 of {key} with the settings of irspack's, test data: 20 % of each user's ratings",
            f"at least {other - MARGIN:.4f} (irspack's {other:.4f} less {MARGIN})",
            f"{own:.4f}",
            own >= other - MARGIN,
        ),
    ]


def _quality(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], folder: Path) -> tuple[float, float]:
    """Return the mean NDCG@10 of ours and irspack's lists."""
    split = split_1m()
    users = split.test_users()
    model = make_model(key, dict(ours))
    model.fit(split.train, RunContext(threads=THREADS))
    own = model.recommend(split.queries(users), 10).item
    stored, lists = _stored(split.train, folder / "train.npz"), str(folder / "lists.npy")
    ask("irspack", stored, key, json.dumps(theirs), str(THREADS), lists, threads=THREADS)
    relevant = split.test.histories().take(users)
    return _ndcg(own, relevant), _ndcg(np.load(lists)[users], relevant)


def _ndcg(lists: IntArray, relevant: Ragged) -> float:
    """Return the mean NDCG@10; every test item counts as relevant."""
    return float(np.nanmean(ndcg(hit_table(TopK(lists, np.zeros(lists.shape)), relevant), 10)))


def _stored(train: Dataset, path: Path) -> str:
    """Store the matrix of observed pairs for a peer, and return the path."""
    matrix = train.matrix("binary")
    arrays = {"data": matrix.data.astype(np.float64), "indices": matrix.indices, "indptr": matrix.indptr}
    np.savez(path, shape=np.array(matrix.shape), **arrays)
    return str(path)
