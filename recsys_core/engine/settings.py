"""Settings of the engine, read from the environment; every limit has a default that fits a small machine."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from recsys_core.engine.scheduler import SchedulerAccess
from recsys_core.errors import ConfigError

CORES_PER_JOB = 4
"""A second job at the same time pays only where each has so many cores."""
SHARE_OF_MEMORY = 0.8
"""So much of the machine's memory all jobs together may use."""
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class EngineSettings:
    """How the engine works.

    Args:
        access: An existing Dask cluster (`RECSCOPE_SCHEDULER`), None for processes of our own.
        jobs: Jobs at the same time (`RECSCOPE_JOBS`).
        threads: Cores that one job may use.
        job_memory: Bytes that one job may use (`RECSCOPE_JOB_MEMORY`, such as 4GiB).
        memory_is_known: Whether `job_memory` says something about the machine where jobs run.
        connect_seconds: How long to try to reach the cluster (`RECSCOPE_CONNECT`).
        idle_seconds: The engine ends itself after so long without work (`RECSCOPE_ENGINE_IDLE`).
        cancel_grace: Seconds that a job has to stop by itself before its process is ended (`RECSCOPE_CANCEL_GRACE`).
        warm_up: Whether to load and compile in idle time what jobs need (`RECSCOPE_WARM_UP`, 0 or 1).
    """

    access: SchedulerAccess | None
    jobs: int
    threads: int
    job_memory: int
    memory_is_known: bool
    connect_seconds: float
    idle_seconds: float
    cancel_grace: float
    warm_up: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ConfigError: One of them is not a number in its range.
        """
        cores = usable_cores()
        access = SchedulerAccess.from_environment(environment)
        jobs = int(positive_number(environment, "RECSCOPE_JOBS", max(1, cores // CORES_PER_JOB), low=1))
        memory = environment.get("RECSCOPE_JOB_MEMORY")
        return cls(
            access=access,
            jobs=jobs,
            threads=max(1, cores // jobs),
            job_memory=parse_bytes(memory) if memory else int(machine_memory() * SHARE_OF_MEMORY / jobs),
            memory_is_known=memory is not None or access is None,
            connect_seconds=positive_number(environment, "RECSCOPE_CONNECT", 15.0, low=0.1),
            idle_seconds=positive_number(environment, "RECSCOPE_ENGINE_IDLE", 1800.0, low=0.1),
            cancel_grace=positive_number(environment, "RECSCOPE_CANCEL_GRACE", 10.0, low=0.0),
            warm_up=positive_number(environment, "RECSCOPE_WARM_UP", 1.0, low=0.0) > 0,
        )

    @property
    def scheduler(self) -> str | None:
        """Address of an existing Dask cluster."""
        return self.access.address if self.access else None


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def machine_memory() -> int:
    """Return the bytes of memory of the machine, or of the container that this process is in."""
    total = int(psutil.virtual_memory().total)
    for path in CGROUP_LIMITS:
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def parse_bytes(text: str) -> int:
    """Return the bytes of a text such as 4GiB, 500 MB or 1000000; units are powers of 1024.

    Raises:
        ConfigError: It is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"'{text}' is no amount of memory; write for instance 4GiB.")
    return int(float(found[1]) * UNITS[found[2]])


def in_words(amount: float) -> str:
    """Return an amount of memory for people, such as 1.2 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB" if amount < 1024 else f"{amount / 1024:.1f} TiB"


def positive_number(environment: Mapping[str, str], name: str, default: float, *, low: float) -> float:
    """Return a setting that is a number.

    Raises:
        ConfigError: It is none, or below `low`.
    """
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value < float("inf"):
        raise ConfigError(f"Setting {name} must be a number of at least {low:g}, but it is '{text}'.")
    return value
