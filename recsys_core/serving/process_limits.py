"""Limits of a process that reads what came from outside: set by itself where the system can, watched from beside it.

The kernel's limits hold at once, even against a library that allocates a terabyte in one call, but exist on POSIX only
and count address space. The watch counts memory in use and works everywhere, but looks only now and then.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import psutil

from recsys_core.data.ingest.limits import GIB, READERS, ProcessLimits
from recsys_core.engine.settings import in_words, machine_memory, parse_bytes, positive_number, usable_cores

LOOK_SECONDS = 0.1
SHARE_OF_MEMORY = 0.6
"""Of the machine's memory one process gets at most this share."""
ADDRESSES_BEYOND = 8 * GIB
"""Address space that libraries reserve without using it."""
NICENESS = 2
_ENDINGS = {
    "SIGKILL": "was killed, most likely because the machine ran out of memory. Try again, or split the files.",
    "SIGABRT": "gave up (SIGABRT): a file asks for more memory than is allowed, or is damaged.",
    "SIGSEGV": "crashed (SIGSEGV): a file is damaged, or made to do that.",
    "SIGXCPU": "took more processor time than is allowed. Split the files.",
}
"""How a process ended, by the signal."""


def process_limits(environment: Mapping[str, str] = os.environ) -> ProcessLimits:
    """Return the limits of one reading process: defaults, the machine's memory, and what the operator has set.

    Raises:
        ConfigError: A setting is not an amount or not a number.
    """
    limits = ProcessLimits()
    limits = replace(limits, memory_bytes=min(limits.memory_bytes, int(machine_memory() * SHARE_OF_MEMORY)))
    if text := environment.get("RECSCOPE_READ_MEMORY"):
        limits = replace(limits, memory_bytes=parse_bytes(text))
    if text := environment.get("RECSCOPE_READ_DISK"):
        limits = replace(limits, disk_bytes=parse_bytes(text))
    return replace(limits, seconds=positive_number(environment, "RECSCOPE_READ_SECONDS", limits.seconds, low=1.0))


def readers_at_once(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many processes may read at the same time (`RECSCOPE_READERS`).

    Raises:
        ConfigError: The setting is not a number of at least 1.
    """
    return int(positive_number(environment, "RECSCOPE_READERS", READERS, low=1))


def confine(limits: ProcessLimits) -> None:
    """Set the limits of the calling process that the system can hold; others are left to `watch`."""
    _come_last()
    if sys.platform == "win32":
        return
    import resource

    processor = int(limits.seconds * usable_cores()) + 1
    for kind, wanted in (
        (resource.RLIMIT_AS, limits.memory_bytes + ADDRESSES_BEYOND),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, limits.disk_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(kind, (most, most))


def _come_last() -> None:
    """Let others go first on the processor, and be the first that the system ends when memory runs out."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def watch(
    process: "subprocess.Popen[bytes] | psutil.Process",
    limits: ProcessLimits,
    wanted: Callable[[], bool] = lambda: True,
) -> str:
    """Wait until a process ends; end it when it goes beyond its limits or nobody wants it any more.

    Args:
        process: A child of this process, or any other.
        limits: What it may use, from now on.
        wanted: Whether its work is still wanted.

    Returns:
        Which limit it broke, as a sentence; why it ended if it ended badly; empty otherwise.
    """
    began = time.monotonic()
    looked_at = process if isinstance(process, psutil.Process) else psutil.Process(process.pid)
    while not _has_ended(process):
        words = ""
        with contextlib.suppress(psutil.Error):  # it ended while it was looked at
            words = _beyond(looked_at, limits, time.monotonic() - began)
        if words or not wanted():
            end(process)
            return words
        _wait(process)
    return ending_in_words(process.returncode) if isinstance(process, subprocess.Popen) else ""


def end(process: "subprocess.Popen[bytes] | psutil.Process") -> None:
    """End a process at once; it holds nothing that must be saved."""
    with contextlib.suppress(psutil.Error, OSError):
        process.kill()
    with contextlib.suppress(psutil.Error, OSError, subprocess.TimeoutExpired):
        process.wait(10)


def ending_in_words(status: int | None) -> str:
    """Return why a process ended badly, empty if it ended well."""
    if not status:
        return ""
    if status > 0:
        return f"The process at work on these files ended with exit status {status}."
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"The process at work on these files {_ENDINGS.get(name, f'was ended by the system ({name}).')}"


def _beyond(process: psutil.Process, limits: ProcessLimits, seconds: float) -> str:
    if process.memory_info().rss > limits.memory_bytes:
        return (
            f"Reading these files needs more memory than allowed ({in_words(limits.memory_bytes)}). "
            "Split them, or save them as CSV or Parquet."
        )
    if seconds > limits.seconds:
        return f"Reading these files takes longer than allowed ({limits.seconds:,.0f} seconds). Split them."
    if _written(process) > limits.disk_bytes:
        return f"Reading these files writes more to the disk than allowed ({in_words(limits.disk_bytes)}). Split them."
    return ""


def _written(process: psutil.Process) -> int:
    """Return the bytes that a process has written so far; 0 where the system does not count them (macOS)."""
    if not hasattr(process, "io_counters"):
        return 0
    with contextlib.suppress(psutil.AccessDenied):
        counted = process.io_counters()
        return int(getattr(counted, "write_chars", counted.write_bytes))
    return 0


def _has_ended(process: "subprocess.Popen[bytes] | psutil.Process") -> bool:
    if isinstance(process, subprocess.Popen):
        return process.poll() is not None
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait(process: "subprocess.Popen[bytes] | psutil.Process") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
        process.wait(LOOK_SECONDS)
