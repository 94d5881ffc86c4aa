"""What comes out of a job, and how it is kept: tables as Parquet, arrays as safetensors, the rest as JSON.

Nothing is executed on reading. All files of a job are written into a folder aside first and then moved, the one with
the numbers last, so that it stands for the whole.
"""

import contextlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psutil

from recsys_core.errors import Damaged
from recsys_core.experiments.damage import check_files
from recsys_core.storage.checksums import FILES as LISTED
from recsys_core.storage.checksums import file_sums, read_record, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words, safetensors_errors
from recsys_core.storage.files import sync

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from recsys_core.models.base import Recommender

RESULT = "result.json"
ENVIRONMENT = "environment.json"
PER_USER = "per_user.parquet"
LISTS = "lists.parquet"
HISTORY = "history.parquet"
MODEL = "model.safetensors"
OUTPUTS = (PER_USER, LISTS, HISTORY, MODEL, ENVIRONMENT)
FILES = (*OUTPUTS, RESULT)
PACKAGES = ("numpy", "scipy", "pandas", "numba", "torch", "duckdb", "pyarrow", "scikit-learn", "distributed")


@dataclass(frozen=True)
class JobResult:
    """The numbers of one finished model.

    Args:
        key: Its algorithm.
        config: All its settings.
        fit_seconds: Time of training, all folds together.
        recommend_seconds: Time of making the lists of all test users, all folds together.
        peak_memory_bytes: Memory at the peak of the job above what its process held before.
        model_bytes: Size of what training learned.
        work: Floating point operations of training as the model estimates them.
        judging_units: Size of all that is done beside training, see `judging_units`.
        folds: Number of folds.
        users: Users with test cases, counted once a fold.
        metrics: Mean over users of each metric, None where it is undefined for all of them.
        overall: Metrics that are not a mean over users, such as coverage; mean over folds.
        threads: Cores it was allowed to use.
        notes: What the protocol check wants to know, such as whether everybody got the same list.
    """

    key: str
    config: dict[str, Any]
    fit_seconds: float
    recommend_seconds: float
    peak_memory_bytes: int
    model_bytes: int
    work: float
    judging_units: float
    folds: int
    users: int
    metrics: dict[str, float | None]
    overall: dict[str, float | None]
    threads: int = 1
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read back what was stored.

        Raises:
            Damaged: Something is missing in it.
        """
        try:
            result = cls(**{name: value for name, value in values.items() if name != LISTED})
        except TypeError as error:
            raise Damaged(f"A stored result cannot be read: {error}; start that model again.") from error
        if not all(isinstance(one, dict) for one in (result.config, result.metrics, result.overall, result.notes)):
            raise Damaged("A stored result cannot be read: it holds no metrics; start that model again.")
        return result


@dataclass(frozen=True, eq=False)
class JobTables:
    """The tables of one finished model.

    Args:
        per_user: A row a user and fold: `user`, `user_id`, `fold` and a column a metric.
        lists: A row a recommendation: `user`, `fold`, `rank` from 1, `item`, `score`, `hit`.
        history: Points of curves: `stage`, `step`, `fold` and a column a value.
    """

    per_user: "pd.DataFrame"
    lists: "pd.DataFrame"
    history: "pd.DataFrame"


def save_job(folder: Path, result: JobResult, tables: JobTables, model: "Recommender[Any]") -> None:
    """Write all that came out of a job into its folder.

    Raises:
        StoreError: The disk refused; nothing new stands in the folder then.
    """
    from safetensors.numpy import save_file

    aside = folder / f"aside-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(folder), safetensors_errors(folder / MODEL):
            aside.mkdir()
            for name, table in ((PER_USER, tables.per_user), (LISTS, tables.lists), (HISTORY, tables.history)):
                table.to_parquet(aside / name, index=False)
            save_file(dict(model.state()), aside / MODEL, metadata={"key": result.key})
            write_record(aside / ENVIRONMENT, environment(result.threads))
            sums = file_sums(aside, OUTPUTS)
            write_record(aside / RESULT, result.to_json() | {LISTED: sums_to_json(sums)})
            for name in FILES:
                sync(aside / name)
            for name in FILES:
                os.replace(aside / name, folder / name)
            sync(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def judging_units(users: int, items: int, interactions: int) -> float:
    """Return the size of what is done beside training: a unit a score, fifty an interaction that is read and parted."""
    return float(users) * items + 50.0 * interactions


def load_result(folder: Path) -> JobResult:
    """Read the numbers of a finished job.

    Raises:
        Damaged: They are missing, or not what was written.
    """
    return JobResult.from_json(read_record(folder / RESULT))


def load_table(path: Path, record: str = RESULT, **filters: Any) -> "pd.DataFrame":
    """Read a table that a job wrote, once it was compared with what was written.

    Args:
        path: The table.
        record: Name of the record beside it that lists it.
        **filters: Only the rows whose columns have these values; None is no condition.

    Raises:
        Damaged: It is missing, or not what was written.
    """
    import pandas as pd
    import pyarrow as pa

    check_files(path.parent / record, deep=[path.name], names=[path.name])
    chosen = [(name, "==", value) for name, value in filters.items() if value is not None]
    try:
        return pd.read_parquet(path, filters=chosen or None)
    except (OSError, ValueError, pa.ArrowException, KeyError) as error:
        raise Damaged(f"'{path.name}' of {path.parent.name} cannot be read; start that model again.") from error


def load_model(folder: Path, key: str, config: Mapping[str, Any]) -> "Recommender[Any]":
    """Read a trained model back, once it was compared with what was written; no training, and nothing is executed.

    Raises:
        Damaged: It is missing, or not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from recsys_core.models.registry import make_model

    check_files(folder / RESULT, deep=[MODEL], names=[MODEL])
    model = make_model(key, dict(config))
    try:
        arrays: dict[str, NDArray[Any]] = load_file(folder / MODEL)
    except (OSError, SafetensorError) as error:
        raise Damaged(f"The stored model of '{folder.name}' cannot be read; start it again.") from error
    model.load_state(arrays)
    return model


def environment(threads: int) -> dict[str, Any]:
    """Return on what a job ran: versions, machine, threads."""
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": psutil.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "threads": threads,
        "host": platform.node(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
