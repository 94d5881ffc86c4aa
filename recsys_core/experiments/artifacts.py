"""Stored results of a job: tables as Parquet, arrays as safetensors, the rest as JSON.

Loading executes no code. All files of a job are written to a temporary folder and then moved, `result.json` last, so
its presence means that the results are complete.
"""

import contextlib
import math
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psutil

from recsys_core.errors import Damaged, StoreError
from recsys_core.experiments.damage import check_files, sums_of
from recsys_core.storage.checksums import FILES as LISTED
from recsys_core.storage.checksums import file_sums, read_record, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words, safetensors_errors
from recsys_core.storage.files import sync
from recsys_core.text import _
from recsys_core.version import VERSION

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
COSTS = ("fit_seconds", "recommend_seconds", "peak_memory_bytes")
"""Fields of a result that may be unknown."""
PACKAGES = ("numpy", "scipy", "pandas", "numba", "torch", "duckdb", "pyarrow", "scikit-learn", "distributed")


@dataclass(frozen=True)
class JobResult:
    """Metrics and costs of one finished model.

    Args:
        key: Its algorithm.
        config: All its settings.
        fit_seconds: Training time, sum over folds; NaN if it is not known, as of an uploaded list.
        recommend_seconds: Time of scoring and ranking for all test users, sum over folds; NaN likewise.
        peak_memory_bytes: Peak memory of the job above the memory of its process before; NaN likewise.
        model_bytes: Size of the learned arrays.
        work: Floating point operations of training as estimated by the model.
        judging_units: Size of the work besides training, see `judging_units`.
        folds: Number of folds.
        users: Users with test cases, counted once per fold.
        metrics: Mean over users of each metric, None if undefined for all users.
        overall: Per-model metrics, such as coverage; mean over folds.
        threads: Number of cores it was allowed to use.
        notes: Input of the protocol check, such as whether all users got the same list.
        interval: Ends `low` and `high` of the 95% interval of the primary metric; empty if it has none, and in results
            of earlier versions.
    """

    key: str
    config: dict[str, Any]
    fit_seconds: float
    recommend_seconds: float
    peak_memory_bytes: float
    model_bytes: int
    work: float
    judging_units: float
    folds: int
    users: int
    metrics: dict[str, float | None]
    overall: dict[str, float | None]
    threads: int = 1
    notes: dict[str, Any] = field(default_factory=dict)
    interval: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary; unknown costs become None."""
        return {name: None if value != value else value for name, value in asdict(self).items()}  # noqa: PLR0124 - NaN

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the result from its stored fields.

        Raises:
            Damaged: A field is missing or has the wrong type.
        """
        try:
            kept = {name: value for name, value in values.items() if name != LISTED}
            costs = {name: math.nan for name in COSTS if name in kept and kept[name] is None}
            result = cls(**kept | costs)
        except TypeError as error:
            raise Damaged(
                _("A stored result cannot be read: {error}; start that model again.").format(error=error)
            ) from error
        if not all(
            isinstance(one, dict)
            for one in (result.config, result.metrics, result.overall, result.notes, result.interval)
        ):
            raise Damaged(_("A stored result cannot be read: it holds no metrics; start that model again."))
        return result


@dataclass(frozen=True, eq=False)
class JobTables:
    """The tables of one finished model.

    Args:
        per_user: One row per user and fold: `user`, `user_id`, `fold` and one column per metric.
        lists: One row per recommendation: `user`, `fold`, `rank` from 1, `item`, `score`, `hit`.
        history: Points of training curves: `stage`, `step`, `fold` and one column per value.
    """

    per_user: "pd.DataFrame"
    lists: "pd.DataFrame"
    history: "pd.DataFrame"


def save_job(folder: Path, result: JobResult, tables: JobTables, model: "Recommender[Any] | None") -> None:
    """Write the results of a job into its folder; without a model if only its lists are known.

    Raises:
        StoreError: A disk error; the folder is unchanged.
    """
    from safetensors.numpy import save_file

    aside = folder / f"aside-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(folder), safetensors_errors(folder / MODEL):
            aside.mkdir()
            for name, table in ((PER_USER, tables.per_user), (LISTS, tables.lists), (HISTORY, tables.history)):
                table.to_parquet(aside / name, index=False)
            if model is not None:
                save_file(dict(model.state()), aside / MODEL, metadata={"key": result.key})
            write_record(aside / ENVIRONMENT, environment(result.threads))
            outputs = [name for name in OUTPUTS if name != MODEL or model is not None]
            sums = file_sums(aside, outputs)
            write_record(aside / RESULT, result.to_json() | {LISTED: sums_to_json(sums)})
            for name in (*outputs, RESULT):
                sync(aside / name)
            for name in (*outputs, RESULT):
                os.replace(aside / name, folder / name)
            sync(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def judging_units(users: int, items: int, interactions: int) -> float:
    """Return the size of the work besides training: one unit per score, fifty per interaction to read and split."""
    return float(users) * items + 50.0 * interactions


def load_result(folder: Path) -> JobResult:
    """Load the result of a finished job.

    Raises:
        Damaged: It is missing, or its checksum differs.
    """
    return JobResult.from_json(read_record(folder / RESULT))


def outputs_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that the result of a job must have: no model if it is from a run card.

    Raises:
        Damaged: The result is missing, or its checksum differs.
    """
    sums = sums_of(folder / RESULT)
    return OUTPUTS if sums is None or MODEL in sums else tuple(name for name in OUTPUTS if name != MODEL)


def load_table(path: Path, record: str = RESULT, **filters: Any) -> "pd.DataFrame":
    """Load a table of a job after verifying its checksum.

    Args:
        path: The table.
        record: Name of the record in the same folder that lists it.
        **filters: Keep only the rows whose columns have these values; None means no condition.

    Raises:
        Damaged: It is missing, or its checksum differs.
    """
    import pandas as pd
    import pyarrow as pa

    check_files(path.parent / record, deep=[path.name], names=[path.name])
    chosen = [(name, "==", value) for name, value in filters.items() if value is not None]
    try:
        return pd.read_parquet(path, filters=chosen or None)
    except (OSError, ValueError, pa.ArrowException, KeyError) as error:
        raise Damaged(
            _("'{path_name}' of {parent_name} cannot be read; start that model again.").format(
                path_name=path.name, parent_name=path.parent.name
            )
        ) from error


def load_model(folder: Path, key: str, config: Mapping[str, Any]) -> "Recommender[Any]":
    """Load a trained model after verifying its checksum; trains nothing and executes no stored code.

    Raises:
        StoreError: The experiment was opened from a run card, which contains no models.
        Damaged: It is missing, or its checksum differs.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from recsys_core.models.registry import make_model, model_class

    if model_class(key).info.lists_only:
        raise StoreError(_("'{key}' has no trained model here: only its lists are known.").format(key=key))
    if MODEL not in outputs_of(folder):
        raise StoreError(_("Run cards contain results, not trained models: re-run this experiment to use its models."))
    check_files(folder / RESULT, deep=[MODEL], names=[MODEL])
    model = make_model(key, dict(config))
    try:
        arrays: dict[str, NDArray[Any]] = load_file(folder / MODEL)
    except (OSError, SafetensorError) as error:
        raise Damaged(
            _("The stored model of '{folder_name}' cannot be read; start it again.").format(folder_name=folder.name)
        ) from error
    model.load_state(arrays)
    return model


def environment(threads: int) -> dict[str, Any]:
    """Return the environment of a job: versions, machine, threads."""
    return {
        "recscope": VERSION,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": psutil.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "threads": threads,
        "host": platform.node(),
    }


@cache
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
