"""Common parts of the benchmarks of neural networks: data sets, and training in a separate process.

The process has the environment of an engine worker (threads, allocator), so training time and peak memory are those of
the product. Early stopping and the selection of a checkpoint use the validation data; the test data are read once per
checkpoint.
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
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.engine.cluster import MALLOC
from recsys_core.evaluation.comparison import compare

SEED = 42
METRIC = "ndcg@10"
END = "end"
"""Name of the last checkpoint, at the end of training."""
LAST_OUT = {"kind": "leave_last_out", "validation_fraction": 0.1}
"""The last interaction of each user is for testing, the one before it for validation."""
AT_RANDOM = {"kind": "ratio", "validation_fraction": 0.1}
"""20 % of each user's ratings are for testing, 10 % of the others for validation."""
WHOLE_TABLES = {
    "ML-100K": ("ml-100k", "u.data", "u.user", "u.item"),
    "ML-1M": ("ml-1m", "ratings.dat", "users.dat", "movies.dat"),
}
RESULT = "result.json"
"""File in which the child process writes its result."""
SASREC_FILE = "ML-1M as SASRec's paper"


@dataclass(frozen=True)
class Task:
    """One training run; the input of a child process.

    Args:
        data: Name of a data set, see `data_named`.
        split: Fields of `SplitSpec`.
        model: Key in the registry.
        config: Non-default settings.
        seed: Training seed; the split seed is fixed.
        validated: Whether the model is evaluated on the validation data after each epoch.
        marks: Training times in seconds; the best checkpoint (by validation) up to each of them is evaluated on the
            test data, in addition to the best one overall.
        limit: Maximum training time in seconds; 0 for none.
        tested: Whether to evaluate on the test data.
        threads: Number of cores.
    """

    data: str
    split: dict[str, Any]
    model: str
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = SEED
    validated: bool = True
    marks: tuple[int, ...] = ()
    limit: int = 0
    tested: bool = True
    threads: int = THREADS


@dataclass(frozen=True, eq=False)
class Trained:
    """Result of a training run.

    Args:
        seconds: Training time, including validation.
        peak: Peak memory of the process during training, in bytes.
        epochs: Seconds of each epoch, without validation.
        checkpoints: For each mark that was reached, and for the end: `epoch`, `seconds`, `validation`, and the mean
            test `ndcg@10` and `hit_rate@10` with seen items among the candidates (`*_with_seen`).
        per_user: For the same marks, the test metrics of each user.
    """

    seconds: float
    peak: int
    epochs: list[float]
    checkpoints: dict[str, dict[str, float]]
    per_user: dict[str, pd.DataFrame]

    def mean(self, metric: str, mark: str = END) -> float:
        """Return the mean of a metric over users."""
        return float(self.per_user[mark][metric].mean())


def train(task: Task) -> Trained:
    """Train in a separate process.

    Raises:
        CalledProcessError: The process failed; its messages are on standard error.
    """
    threads = {name: str(task.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.deep_child", json.dumps(asdict(task)), folder]
        subprocess.run(command, env=os.environ | threads | MALLOC, check=True)
        result = json.loads((Path(folder) / RESULT).read_text())
        marks = result["checkpoints"] if task.tested else ()
        per_user = {mark: pd.read_parquet(Path(folder) / f"{mark}.parquet") for mark in marks}
    return Trained(result["seconds"], result["peak"], result["epochs"], result["checkpoints"], per_user)


@cache
def data_named(name: str) -> Dataset:
    """Return a data set by its name in the result tables.

    Raises:
        KeyError: The name is unknown.
    """
    if name == SASREC_FILE:
        pairs = np.loadtxt(PUBLIC_DATA / "ml-1m" / "sasrec_ml-1m.txt", dtype=np.int32) - 1
        return dataset_from_frames(pd.DataFrame(pairs, columns=[USER, ITEM]), name=name)
    if name.endswith(" with tables"):
        return _with_tables(name.removesuffix(" with tables"))
    folder, ratings, *_ = WHOLE_TABLES[name]
    return load_file(PUBLIC_DATA / folder / ratings)


def _with_tables(name: str) -> Dataset:
    """Return ratings with the user and item tables."""
    folder, *files = WHOLE_TABLES[name]
    with tempfile.TemporaryDirectory() as workspace:
        guesses = inspect_files([PUBLIC_DATA / folder / file for file in files])
        data = ingest(guesses, suggest_rules(guesses), Workspace(Path(workspace)), name)[0]
        interactions, users, items = data.interactions, data.users, data.items  # read before the folder is deleted
    assert users is not None
    assert items is not None
    return replace(data, load_interactions=lambda: interactions, load_users=lambda: users, load_items=lambda: items)


def split_of(data: str, split: dict[str, Any]) -> Split:
    """Return the train/validation/test split of a data set."""
    return make_splits(data_named(data), SplitSpec.model_validate(split), SEED)[0]


def gain_over(
    baseline: str, frames: dict[str, pd.DataFrame], key: str, metric: str = METRIC
) -> tuple[str, float, float]:
    """Return the difference of `key` to a baseline as text, and the bounds of its paired interval over users."""
    comparison = compare(frames, metric=metric, seed=SEED)
    gains = comparison.against(baseline).set_index("model")
    by, low, high = (float(gains[column].loc[key]) for column in ("difference", "low", "high"))
    return f"{by:+.4f} [{low:+.4f}, {high:+.4f}] against {baseline}", low, high


def above(what: str, frames: dict[str, pd.DataFrame], key: str, baselines: tuple[str, ...]) -> Row:
    """Return the row of a model that must be better than each baseline, with intervals above 0."""
    gains = {name: gain_over(name, frames, key) for name in baselines}
    means = ", ".join(f"{name} {frames[name][METRIC].mean():.4f}" for name in baselines)
    words = "; ".join(words for words, _, _ in gains.values())
    return Row(
        what,
        f"above {means}",
        f"{frames[key][METRIC].mean():.4f}: {words}; {len(frames[key])} users",
        all(low > 0 for _, low, _ in gains.values()),
    )
