"""User profiles, segments and map of ML-1M: computed, and read again from the workspace."""

import shutil
import tempfile
from pathlib import Path

from benchmarks.movielens import PUBLIC_DATA, THREADS, seconds_of
from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.ingest import ingest, inspect_files
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.workspace import Workspace
from recsys_core.profiles.items import item_profiles
from recsys_core.profiles.users import user_profiles

TARGET_SECONDS = 10.0
ROUNDS = 3
FILES = ("ratings.dat", "users.dat", "movies.dat")


def run() -> list[Row]:
    """Compute everything from the stored Parquet files; report the median of three runs."""
    root = Path(tempfile.mkdtemp(prefix="recscope-bench-"))
    try:
        dataset = _stored(Workspace(root))
        first, again = [], []
        for _ in range(ROUNDS):
            shutil.rmtree(root / "derived", ignore_errors=True)
            first.append(seconds_of(lambda: _profiles(dataset, root)))
            again.append(seconds_of(lambda: _profiles(dataset, root)))
        items = seconds_of(lambda: item_profiles(dataset, root, RunContext(threads=THREADS)).table)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    median = sorted(first)[ROUNDS // 2]
    return [
        Row(
            f"profiles, segments and map of all {dataset.n_users:,} users of ML-1M",
            f"under {TARGET_SECONDS:.0f} s",
            f"{median:.1f} s (read again: {sorted(again)[ROUNDS // 2]:.2f} s; items after that: {items:.1f} s)",
            median < TARGET_SECONDS,
        )
    ]


def _stored(workspace: Workspace) -> Dataset:
    guesses = inspect_files([PUBLIC_DATA / "ml-1m" / name for name in FILES])
    return ingest(guesses, IngestRules(), workspace, "ml-1m")[0]


def _profiles(dataset: Dataset, root: Path) -> None:
    """Compute or read the profiles and the map, and query the users most similar to one user."""
    profiles = user_profiles(dataset, root, RunContext(threads=THREADS))
    assert len(profiles.table) == dataset.n_users
    profiles.similar(0)
