"""What the benchmarks of networks share: the data, and trainings in a process of their own.

A training gets the environment of a worker of the engine (threads, allocator), so its times and its peak of memory are
those that a person meets. Early stopping, and the choice among the states of a training, look at the validation part;
the test part is read once for each mark of the clock.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.movielens import PUBLIC_DATA, THREADS
from benchmarks.table import Row
from recsys_core.columns import ITEM, USER
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.ingest import ingest, inspect_files, load_file, suggest_rules
from recsys_core.data.splits import Split, SplitSpec, make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.engine.cluster import MALLOC
from recsys_core.evaluation.comparison import compare

SEED = 42
METRIC = "ndcg@10"
END = "end"
"""Name of the mark at the end of a training."""
LAST_OUT = {"kind": "leave_last_out", "validation_fraction": 0.1}
"""The last of each user is the test part, the one before it the validation part."""
AT_RANDOM = {"kind": "ratio", "validation_fraction": 0.1}
"""A fifth of each user's ratings is the test part, a tenth of the others the validation part."""
WHOLE_TABLES = {
    "ML-100K": ("ml-100k", "u.data", "u.user", "u.item"),
    "ML-1M": ("ml-1m", "ratings.dat", "users.dat", "movies.dat"),
}
SASREC_FILE = "ML-1M as SASRec's paper"


@dataclass(frozen=True)
class Task:
    """A training: what a child process is told.

    Args:
        data: Name of a data set, see `data_named`.
        split: Fields of the split.
        model: Key in the registry.
        config: Settings that differ from the defaults.
        seed: Of the training; the split is always drawn with the same one.
        validated: Whether the model is measured on the validation part after each epoch.
        marks: Seconds of training after which the state that was best on validation by then is judged on the test part,
            beside that of the end.
        limit: Seconds after which the training is stopped; 0 for never.
        judged: Whether the test part is read at all.
        threads: Cores.
    """

    data: str
    split: dict[str, Any]
    model: str
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = SEED
    validated: bool = True
    marks: tuple[int, ...] = ()
    limit: int = 0
    judged: bool = True
    threads: int = THREADS


@dataclass(frozen=True, eq=False)
class Trained:
    """What came out of a training.

    Args:
        seconds: From the start to the end of the training, its measurements on the validation part included.
        peak: Most bytes of memory that the process had in use while it trained.
        epochs: Seconds of each epoch, without measurements.
        looks: For each mark that was reached, and for the end: `epoch`, `seconds`, `validation`, and the mean
            `ndcg@10` and `hit_rate@10` on the test part with the items seen among the candidates (`*_with_seen`).
        judged: For the same marks, one value a user of each metric on the test part.
    """

    seconds: float
    peak: int
    epochs: list[float]
    looks: dict[str, dict[str, float]]
    judged: dict[str, pd.DataFrame]

    def mean(self, metric: str, mark: str = END) -> float:
        """Return the mean over users."""
        return float(self.judged[mark][metric].mean())


def train(task: Task) -> Trained:
    """Train in a process of its own.

    Raises:
        CalledProcessError: It failed; its messages are on standard error.
    """
    threads = {name: str(task.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.deep_child", json.dumps(asdict(task)), folder]
        subprocess.run(command, env=os.environ | threads | MALLOC, check=True)
        told = json.loads((Path(folder) / "told.json").read_text())
        judged = {mark: pd.read_parquet(Path(folder) / f"{mark}.parquet") for mark in told["looks"] if task.judged}
    return Trained(told["seconds"], told["peak"], told["epochs"], told["looks"], judged)


@cache
def data_named(name: str) -> Dataset:
    """Return a data set by the name that the tables of results call it by.

    Raises:
        KeyError: There is no such name.
    """
    if name == SASREC_FILE:
        pairs = np.loadtxt(PUBLIC_DATA / "ml-1m" / "sasrec_ml-1m.txt", dtype=np.int32) - 1
        return dataset_from_frames(pd.DataFrame(pairs, columns=[USER, ITEM]), name=name)
    if name.endswith(" with tables"):
        return _with_tables(name.removesuffix(" with tables"))
    folder, ratings, *_ = WHOLE_TABLES[name]
    return load_file(PUBLIC_DATA / folder / ratings)


def _with_tables(name: str) -> Dataset:
    """Return ratings with the tables of users and films."""
    folder, *files = WHOLE_TABLES[name]
    with tempfile.TemporaryDirectory() as workspace:
        guesses = inspect_files([PUBLIC_DATA / folder / file for file in files])
        data = ingest(guesses, suggest_rules(guesses), Workspace(Path(workspace)), name)[0]
        interactions, users, items = data.interactions, data.users, data.items  # read while the folder is there
    assert users is not None
    assert items is not None
    return replace(data, load_interactions=lambda: interactions, load_users=lambda: users, load_items=lambda: items)


def split_of(data: str, split: dict[str, Any]) -> Split:
    """Return a data set in its parts."""
    return make_splits(data_named(data), SplitSpec.model_validate(split), SEED)[0]


def gain_over(
    baseline: str, frames: dict[str, pd.DataFrame], key: str, metric: str = METRIC
) -> tuple[str, float, float]:
    """Return the difference of `key` and a baseline in words, and the two ends of its paired interval over users."""
    found = compare(frames, metric=metric, seed=SEED)
    gains = found.against(baseline).set_index("model")
    by, low, high = (float(gains[column].loc[key]) for column in ("difference", "low", "high"))
    return f"{by:+.4f} [{low:+.4f}, {high:+.4f}] against {baseline}", low, high


def above(what: str, frames: dict[str, pd.DataFrame], key: str, baselines: tuple[str, ...]) -> Row:
    """Return the row of a model that has to be better than each of some others, intervals without 0."""
    gains = {name: gain_over(name, frames, key) for name in baselines}
    means = ", ".join(f"{name} {frames[name][METRIC].mean():.4f}" for name in baselines)
    words = "; ".join(words for words, _, _ in gains.values())
    return Row(
        what,
        f"above {means}",
        f"{frames[key][METRIC].mean():.4f}: {words}; {len(frames[key])} users",
        all(low > 0 for _, low, _ in gains.values()),
    )
