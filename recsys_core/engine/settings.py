"""Settings of the engine from the environment, with defaults for a small machine."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from recsys_core.engine.scheduler import SchedulerAccess
from recsys_core.errors import ConfigError
from recsys_core.text import _

CORES_PER_JOB = 4
"""Cores per job by default: concurrent jobs only pay off with this many cores each."""
SHARE_OF_MEMORY = 0.8
"""Maximum share of the machine's memory for all jobs."""
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the engine.

    Args:
        access: An existing Dask cluster (`RECSCOPE_SCHEDULER`), None for local processes.
        jobs: Number of concurrent jobs (`RECSCOPE_JOBS`).
        threads: Cores per job.
        job_memory: Bytes per job (`RECSCOPE_JOB_MEMORY`, such as 4GiB).
        memory_is_known: Whether `job_memory` applies to the machine where jobs run.
        connect_seconds: Timeout of the connection to the cluster (`RECSCOPE_CONNECT`).
        idle_seconds: Idle time after which the engine exits (`RECSCOPE_ENGINE_IDLE`).
        cancel_grace: Seconds that a cancelled job has to stop before its process is killed (`RECSCOPE_CANCEL_GRACE`).
        warm_up: Whether to load and compile algorithms in idle time (`RECSCOPE_WARM_UP`, 0 or 1).
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
            ConfigError: A setting is not a number or out of range.
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


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def machine_memory() -> int:
    """Return the memory of the machine, or of the container, in bytes."""
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
    """Parse a memory size such as 4GiB, 500 MB or 1000000; units are powers of 1024.

    Raises:
        ConfigError: The text is not a memory size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(_("'{text}' is not a memory size; write for example 4GiB.").format(text=text))
    return int(float(found[1]) * UNITS[found[2]])


def in_words(amount: float) -> str:
    """Format a memory size, such as 1.2 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB" if amount < 1024 else f"{amount / 1024:.1f} TiB"


def positive_number(environment: Mapping[str, str], name: str, default: float, *, low: float) -> float:
    """Return a numeric setting.

    Raises:
        ConfigError: It is not a number, or below `low`.
    """
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value < float("inf"):
        raise ConfigError(
            _("Setting {name} must be a number of at least {low:g}, but is '{text}'.").format(
                name=name, low=low, text=text
            )
        )
    return value
