"""`sasrec` against RecTools' SASRec on ML-100K: epoch time and NDCG@10, with equal settings, threads and allocator.

The maximum sequence length is RecTools' default, 100, which favors RecTools, since it pads every history to that
length. Both train for the same number of epochs; the best checkpoint on validation is evaluated on the test data.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.deep import END, LAST_OUT, METRIC, SEED, Task, gain_over, split_of, train
from benchmarks.movielens import THREADS
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import FloatArray, IntArray, TopK
from recsys_core.data import Dataset
from recsys_core.data.splits import Split
from recsys_core.engine.cluster import MALLOC
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg

TARGET = 0.8
ROUNDS, TIMED_EPOCHS = 3, 4
EPOCHS, EVERY = 60, 2
"""Epochs of the runs that measure quality, and epochs between two checkpoints of RecTools."""
DATA = "ML-100K"
SIZES = {"embedding_dim": 128, "n_heads": 2, "max_length": 100, "dropout": 0.2, "batch_size": 64, "learning_rate": 1e-3}
LAYERS = 2


def run() -> list[Row]:
    """Measure epoch time alternately, then train both once to measure quality."""
    split = split_of(DATA, LAST_OUT)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours += train(_task(TIMED_EPOCHS, tested=False)).epochs
        theirs += _rectools(split, TIMED_EPOCHS, 0)[0]
    trained = train(_task(EPOCHS, tested=True))
    seconds, frame, epoch = _tested_rectools(split)
    ratio = min(ours) / min(theirs)
    frames = {"sasrec": trained.per_user[END], "RecTools": frame}
    words, _, high = gain_over("RecTools", frames, "sasrec")
    return [
        Row(
            f"sasrec epoch on {DATA} against RecTools' SASRec, dimension {SIZES['embedding_dim']}, {LAYERS} layers, "
            f"maximum length {SIZES['max_length']}, {THREADS} threads",
            f"at most {TARGET:.1f} times",
            f"{ratio:.2f} times ({min(ours):.2f} s against {min(theirs):.2f} s; medians of all epochs "
            f"{np.median(ours + trained.epochs):.2f} s and {np.median(theirs + seconds):.2f} s)",
            ratio <= TARGET,
        ),
        Row(
            f"its NDCG@10, leave-last-out, best of {EPOCHS} epochs on the validation data",
            f"no worse than {frame[METRIC].mean():.4f} (RecTools, epoch {epoch})",
            f"{trained.mean(METRIC):.4f} (epoch {trained.checkpoints[END]['epoch']:.0f}): {words}, {len(frame)} users",
            high > 0,
        ),
    ]


def _task(epochs: int, *, tested: bool) -> Task:
    config = SIZES | {"n_layers": LAYERS, "epochs": epochs, "patience": epochs}
    return Task(DATA, LAST_OUT, "sasrec", config, validated=True, tested=tested)


def _tested_rectools(split: Split) -> tuple[list[float], pd.DataFrame, int]:
    """Return the seconds of RecTools' epochs, the test metric of each user, and the selected epoch."""
    assert split.validation is not None
    seconds, checkpoints = _rectools(split, EPOCHS, EVERY)
    users = split.validation_users()
    values = [
        np.nanmean(_ndcg(lists, users, split.validation, split.validation_queries(users)))
        for lists in checkpoints["validation"]
    ]
    best = int(np.argmax(values))
    users = split.test_users()
    gains = _ndcg(checkpoints["test"][best], users, split.test, split.queries(users))
    return seconds, pd.DataFrame({"user": users, METRIC: gains}), (best + 1) * EVERY


def _rectools(split: Split, epochs: int, every: int) -> tuple[list[float], dict[str, IntArray]]:
    """Return the seconds of RecTools' epochs, and its lists after each `every` epochs (0: none)."""
    assert split.validation is not None
    settings = SIZES | {"n_layers": LAYERS, "epochs": epochs, "every": every, "seed": SEED, "threads": THREADS}
    with tempfile.TemporaryDirectory() as folder:
        data, lists = str(Path(folder) / "data.npz"), str(Path(folder) / "lists.npz")
        arrays: dict[str, Any] = _flat("train", split.train) | _flat("later", split.validation)
        np.savez(data, **arrays)
        answer = ask("rectools", data, lists, json.dumps(settings), threads=THREADS, environment=MALLOC)
        return answer["seconds"], dict(np.load(lists)) if every else {}


def _flat(name: str, part: Dataset) -> dict[str, IntArray]:
    histories = part.histories()
    return {f"{name}_user": histories.row_numbers(), f"{name}_item": histories.values}


def _ndcg(lists: IntArray, users: IntArray, part: Dataset, query: Any) -> FloatArray:
    """Return (U,) NDCG@10 of `lists` of all users, by the definition used for our own models."""
    relevant, _ = relevant_items(part, users, query.history)
    shown = lists[users]
    return ndcg(hit_table(TopK(shown, np.zeros(shown.shape)), relevant), 10)
