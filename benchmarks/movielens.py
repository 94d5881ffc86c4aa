"""What the benchmarks of models share: ML-1M, in two parts, and how time is taken."""

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from recsys_core.data import Dataset
from recsys_core.data.ingest import load_file
from recsys_core.data.splits import Split, SplitSpec, make_splits
from recsys_core.engine.settings import usable_cores

PUBLIC_DATA = Path(os.environ.get("RECSCOPE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
THREADS = usable_cores()
"""Every measured work, ours or a peer's, gets as many."""
ROUNDS = 5
"""Ours and the peer's take turns so many times; the best time of each counts, as others may use the machine."""


@cache
def movielens_1m() -> Dataset:
    """Return ML-1M with its ratings."""
    return load_file(PUBLIC_DATA / "ml-1m" / "ratings.dat")


@cache
def split_1m() -> Split:
    """Return ML-1M with a fifth of each user's ratings set aside at random."""
    return make_splits(movielens_1m(), SplitSpec(), 42)[0]


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratings_file(part: Dataset, path: Path) -> str:
    """Write positions and ratings as Surprise reads them, and return the path."""
    part.interactions[["user", "item", "rating"]].to_csv(path, sep="\t", header=False, index=False)
    return str(path)
