"""Common parts of the benchmarks of models: ML-1M, its train/test split, and timing."""

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from recsys_core.data import Dataset
from recsys_core.data.ingest import load_file
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.engine.settings import usable_cores

PUBLIC_DATA = Path(os.environ.get("RECSCOPE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
THREADS = usable_cores()
"""Threads of every measured computation, ours and the peer's."""
ROUNDS = 5
"""Number of alternating runs of ours and the peer's; the minimum times are compared, as the machine may be shared."""


@cache
def movielens_1m() -> Dataset:
    """Return ML-1M with its ratings."""
    return load_file(PUBLIC_DATA / "ml-1m" / "ratings.dat")


@cache
def split_1m() -> Split:
    """Return ML-1M with a random 20 % of each user's ratings held out."""
    return make_splits(movielens_1m(), SplitSpec(), 42)[0]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the run time of `work` in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratings_file(part: Dataset, path: Path) -> str:
    """Write positions and ratings in the format of Surprise, and return the path."""
    part.interactions[["user", "item", "rating"]].to_csv(path, sep="\t", header=False, index=False)
    return str(path)
