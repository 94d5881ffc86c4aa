"""Item kNN (cosine) on ML-1M: fit time against the faster of implicit and irspack, and NDCG@10 against implicit."""

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.movielens import ROUNDS, THREADS, movielens_1m, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import IntArray, RunContext
from recsys_core.data import Dataset
from recsys_core.models.registry import make_model

TARGET = 1.0
NEIGHBORS = 40


def run() -> list[Row]:
    """Time both alternately on all ratings; then evaluate both on the same train/test split."""
    train, model = movielens_1m(), make_model("item_knn", {"neighbors": NEIGHBORS})
    ctx = RunContext(threads=THREADS)
    model.fit(train, ctx)  # compiles the loops, loads the data
    ours, theirs, others = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            ours.append(seconds_of(lambda: model.fit(train, ctx)))
            theirs.append(_implicit(train, Path(folder))[0])
            others.append(_irspack(Path(folder)))
        split = split_1m()
        model.fit(split.train, ctx)
        users = split.test_users()
        own_lists = model.recommend(split.queries(users), 10).item
        quality = (
            ndcg(own_lists, users, split.test),
            ndcg(_implicit(split.train, Path(folder))[1][users], users, split.test),
        )
    fastest = min(*theirs, *others)
    ratio = min(ours) / fastest
    return [
        Row(
            f"item_knn cosine fit on ML-1M, {NEIGHBORS} neighbors, against the faster peer",
            f"at most {TARGET:.1f} times",
            f"{ratio:.2f} times ({min(ours):.2f} s; implicit {min(theirs):.2f} s, irspack {min(others):.2f} s)",
            ratio <= TARGET,
        ),
        Row(
            "its NDCG@10 against implicit's, test data: 20 % of each user's ratings",
            f"no worse than {quality[1]:.4f}",
            f"{quality[0]:.4f}",
            quality[0] >= quality[1],
        ),
    ]


def _implicit(train: Dataset, folder: Path) -> tuple[float, IntArray]:
    """Return the fit time of implicit in seconds, and its (U, 10) lists."""
    matrix = train.matrix("rating")
    arrays = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": matrix.shape}
    np.savez(folder / "train.npz", **arrays)
    files = str(folder / "train.npz"), str(folder / "lists.npy")
    settings = json.dumps({"K": NEIGHBORS + 1})  # implicit counts an item among its own neighbors, hence one more
    answer = ask("implicit", *files, "cosine", settings, str(THREADS), "2", threads=THREADS)
    return float(answer["seconds"]), np.load(files[1])


def _irspack(folder: Path) -> float:
    """Return the fit time of irspack in seconds, on the matrix that `_implicit` stored."""
    file = str(folder / "train.npz")
    return float(ask("irspack", file, "cosine", str(NEIGHBORS), str(THREADS), threads=THREADS)["seconds"])


def ndcg(lists: IntArray, users: IntArray, test: Dataset) -> float:
    """Return the mean NDCG@10; every test item counts as relevant."""
    relevant = test.matrix("binary").tocsr()
    discount = 1 / np.log2(np.arange(2, lists.shape[1] + 2))
    gains = []
    for user, items in zip(users, lists, strict=True):
        own = relevant.indices[relevant.indptr[user] : relevant.indptr[user + 1]]
        gains.append((np.isin(items, own) * discount).sum() / discount[: len(own)].sum())
    return float(np.mean(gains))
