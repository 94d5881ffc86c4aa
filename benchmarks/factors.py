"""`ials` and `bpr` against implicit and cornac: fit time and NDCG@10 on MovieLens, time and memory on synthetic rows.

Fits of both sides alternate and use the same threads. Every test rating counts as relevant.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.item_knn import ndcg
from benchmarks.movielens import PUBLIC_DATA, ROUNDS, THREADS, seconds_of, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.ingest import load_file
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.experiments.resources import PeakMemory
from recsys_core.models.registry import make_model

FASTER, CLOSE = 0.9, 0.003
FACTORS = 64
SMALL_100K = {"factors": FACTORS, "epochs": 200, "learning_rate": 0.02}
CORNAC = {"k": FACTORS, "max_iter": 200, "learning_rate": 0.01, "lambda_reg": 0.01, "seed": 1}
"""cornac's step size is constant, so half of ours, which decreases to 0."""
SYNTHETIC_ROWS, SYNTHETIC_USERS, SYNTHETIC_ITEMS, SYNTHETIC_EPOCHS = 25_000_000, 160_000, 60_000, 3
ALS = {"factors": FACTORS, "iterations": 15, "random_state": 1}
BPR = {"factors": FACTORS - 1, "iterations": 50, "random_state": 1}
"""implicit stores the item bias as one more factor."""


def run() -> list[Row]:
    """Compare both models on ML-1M, BPR with cornac on ML-100K, and iALS on synthetic rows."""
    split = split_1m()
    rows = _against_implicit("ials", {"factors": FACTORS, "epochs": 15}, "als", ALS, split)
    rows += _against_implicit("bpr", {"factors": FACTORS, "epochs": 50}, "bpr", BPR, split)
    return rows + _against_cornac() + _on_synthetic_rows()


def _against_implicit(key: str, config: dict[str, Any], peer: str, settings: dict[str, Any], split: Split) -> list[Row]:
    model, ctx = make_model(key, config), RunContext(threads=THREADS)
    model.fit(split.train, ctx)  # compiles the loops
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = stored(split.train, Path(folder)), str(Path(folder) / "lists.npy")
        for _ in range(ROUNDS):
            ours.append(seconds_of(lambda: model.fit(split.train, ctx)))
            answer = ask("implicit", *files, peer, json.dumps(settings), str(THREADS), "1", threads=THREADS)
            theirs.append(float(answer["seconds"]))
        lists = np.load(files[1])
    ratio, users = min(ours) / min(theirs), split.test_users()
    quality = ndcg(model.recommend(split.queries(users), 10).item, users, split.test)
    target = ndcg(lists[users], users, split.test) - CLOSE
    return [
        Row(
            f"{key} fit on ML-1M, {FACTORS} factors, {config['epochs']} epochs, against implicit's {peer.upper()}",
            f"at most {FASTER:.1f} times",
            f"{ratio:.2f} times ({min(ours):.2f} s against {min(theirs):.2f} s)",
            ratio <= FASTER,
        ),
        Row(
            "its NDCG@10, test data: 20 % of each user's ratings",
            f"no worse than {target:.4f} ({CLOSE} below implicit)",
            f"{quality:.4f}",
            quality >= target,
        ),
    ]


def _against_cornac() -> list[Row]:
    split = make_splits(load_file(PUBLIC_DATA / "ml-100k" / "u.data"), SplitSpec(), 42)[0]
    users, model = split.test_users(), make_model("bpr", SMALL_100K)
    seconds = seconds_of(lambda: model.fit(split.train, RunContext(threads=THREADS)))
    with tempfile.TemporaryDirectory() as folder:
        files = stored(split.train, Path(folder)), str(Path(folder) / "lists.npy")
        answer = ask("cornac", *files, json.dumps(CORNAC), "1", threads=1)
        target = ndcg(np.load(files[1])[users], users, split.test) - CLOSE
    quality = ndcg(model.recommend(split.queries(users), 10).item, users, split.test)
    return [
        Row(
            f"bpr on ML-100K, {FACTORS} factors, 200 epochs, NDCG@10; trained in {seconds:.1f} s, "
            f"cornac's BPR in {answer['seconds']:.1f} s on one core",
            f"no worse than {target:.4f} ({CLOSE} below cornac)",
            f"{quality:.4f}",
            quality >= target,
        )
    ]


def _on_synthetic_rows() -> list[Row]:
    """Fit in processes of their own, whose memory is measured."""
    with tempfile.TemporaryDirectory() as folder:
        path = stored(synthetic(), Path(folder))
        settings = json.dumps(ALS | {"iterations": SYNTHETIC_EPOCHS})
        theirs = ask("implicit", path, "", "als", settings, str(THREADS), "1", threads=THREADS)
        command = [sys.executable, "-m", "benchmarks.factors", path]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        ours = json.loads(done.stdout.splitlines()[-1])
    what = f"{SYNTHETIC_ROWS:,} synthetic rows, {FACTORS} factors, {SYNTHETIC_EPOCHS} epochs, against implicit's ALS"
    ratios = ours["seconds"] / theirs["seconds"], ours["peak_bytes"] / theirs["peak_bytes"]
    memory = f"{ours['peak_bytes'] / 2**20:.0f} MB against {theirs['peak_bytes'] / 2**20:.0f} MB"
    return [
        Row(
            f"ials fit on {what}",
            "at most 1.0 times",
            f"{ratios[0]:.2f} times ({ours['seconds']:.1f} s against {theirs['seconds']:.1f} s)",
            ratios[0] <= 1.0,
        ),
        Row(
            "memory that the fit adds to the loaded interactions",
            "at most 1.0 times",
            f"{ratios[1]:.2f} times ({memory})",
            ratios[1] <= 1.0,
        ),
    ]


def synthetic() -> Dataset:
    """Return about `SYNTHETIC_ROWS` distinct pairs with a log-normal activity of users and a long tail of items."""
    rng = np.random.default_rng(0)
    activity = rng.lognormal(0.0, 1.0, SYNTHETIC_USERS)
    counts = rng.multinomial(int(1.08 * SYNTHETIC_ROWS), activity / activity.sum())
    users = np.repeat(np.arange(SYNTHETIC_USERS, dtype=np.int64), counts)
    items = (SYNTHETIC_ITEMS * rng.random(len(users), dtype=np.float32) ** 3).astype(np.int64)
    pairs = np.unique(users * SYNTHETIC_ITEMS + np.minimum(items, SYNTHETIC_ITEMS - 1))[:SYNTHETIC_ROWS]
    frame = pd.DataFrame({"user": (pairs // SYNTHETIC_ITEMS).astype(np.int32)})
    frame["item"] = (pairs % SYNTHETIC_ITEMS).astype(np.int32)
    return dataset_from_frames(frame)


def stored(train: Dataset, folder: Path) -> str:
    """Store the binary matrix of a data set for the peers, and return the path."""
    matrix = train.matrix("binary")
    arrays = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": matrix.shape}
    np.savez(folder / "train.npz", **arrays)
    return str(folder / "train.npz")


def fit_stored(path: str) -> dict[str, float]:
    """Fit iALS on a stored matrix, and return the seconds of the fit and the bytes that it adds to this process."""
    with np.load(path) as arrays:
        shape, columns, start = arrays["shape"], arrays["indices"], arrays["indptr"]
    users = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(start))
    train = dataset_from_frames(pd.DataFrame({"user": users, "item": columns}, copy=False))
    small = dataset_from_frames(pd.DataFrame({"user": users[:99], "item": columns[:99]}).astype("int32"))
    make_model("ials", {"epochs": 1}).fit(small, RunContext())  # compiles the loops
    model = make_model("ials", {"factors": FACTORS, "epochs": SYNTHETIC_EPOCHS})
    with PeakMemory() as memory:
        seconds = seconds_of(lambda: model.fit(train, RunContext(threads=THREADS)))
    return {"seconds": seconds, "peak_bytes": memory.bytes}


if __name__ == "__main__":
    print(json.dumps(fit_stored(sys.argv[1])))
