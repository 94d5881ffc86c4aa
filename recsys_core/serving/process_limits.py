"""Resource limits of a process that reads untrusted files: kernel limits, plus monitoring from the parent process.

Kernel limits act immediately, even if a library allocates a terabyte in one call, but exist on POSIX only and count
address space. Monitoring counts resident memory and works everywhere, but only samples it.
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
from recsys_core.text import _

POLL_SECONDS = 0.1
SHARE_OF_MEMORY = 0.6
"""Maximum share of the machine's memory for one process."""
ADDRESSES_BEYOND = 8 * GIB
"""Additional address space that libraries reserve without using it."""
NICENESS = 2
_ENDINGS = {
    "SIGKILL": "was killed, most likely because the machine ran out of memory. Try again, or split the files.",
    "SIGABRT": "aborted (SIGABRT): a file needs more memory than allowed, or is damaged.",
    "SIGSEGV": "crashed (SIGSEGV): a file is damaged or malicious.",
    "SIGXCPU": "used more processor time than allowed. Split the files.",
}
"""How a process ended, by the signal."""


def process_limits(environment: Mapping[str, str] = os.environ) -> ProcessLimits:
    """Return the limits of one reading process: defaults, the machine's memory, and the operator's settings.

    Raises:
        ConfigError: A setting is not a memory size or not a number.
    """
    limits = ProcessLimits()
    limits = replace(limits, memory_bytes=min(limits.memory_bytes, int(machine_memory() * SHARE_OF_MEMORY)))
    if text := environment.get("RECSCOPE_READ_MEMORY"):
        limits = replace(limits, memory_bytes=parse_bytes(text))
    if text := environment.get("RECSCOPE_READ_DISK"):
        limits = replace(limits, disk_bytes=parse_bytes(text))
    return replace(limits, seconds=positive_number(environment, "RECSCOPE_READ_SECONDS", limits.seconds, low=1.0))


def readers_at_once(environment: Mapping[str, str] = os.environ) -> int:
    """Return the maximum number of concurrent reading processes (`RECSCOPE_READERS`).

    Raises:
        ConfigError: The setting is not a number of at least 1.
    """
    return int(positive_number(environment, "RECSCOPE_READERS", READERS, low=1))


def confine(limits: ProcessLimits) -> None:
    """Set the kernel limits of the calling process; the others are enforced by `watch`."""
    _lower_priority()
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


def _lower_priority() -> None:
    """Lower the scheduling priority, and be the first process that the kernel kills when memory runs out."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def watch(
    process: "subprocess.Popen[bytes] | psutil.Process",
    limits: ProcessLimits,
    wanted: Callable[[], bool] = lambda: True,
) -> str:
    """Wait until a process ends; kill it when it exceeds its limits or is no longer wanted.

    Args:
        process: A child of this process, or any other process.
        limits: Limits from now on.
        wanted: Returns whether its result is still wanted.

    Returns:
        A sentence about the limit that it exceeded or the cause of an abnormal exit; empty otherwise.
    """
    began = time.monotonic()
    while not _has_ended(process):
        words = ""
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            monitored = process if isinstance(process, psutil.Process) else psutil.Process(process.pid)
            words = _beyond(monitored, limits, time.monotonic() - began)
        if words or not wanted():
            end(process)
            return words
        _wait(process)
    return ending_in_words(process.returncode) if isinstance(process, subprocess.Popen) else ""


def end(process: "subprocess.Popen[bytes] | psutil.Process") -> None:
    """Kill a process and wait for its end."""
    with contextlib.suppress(psutil.Error, OSError):
        process.kill()
    with contextlib.suppress(psutil.Error, OSError, subprocess.TimeoutExpired):
        process.wait(10)


def ending_in_words(status: int | None) -> str:
    """Return a sentence about an abnormal exit, empty after a normal one."""
    if not status:
        return ""
    if status > 0:
        return _("The process that read these files ended with exit status {status}.").format(status=status)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"The process that read these files {_ENDINGS.get(name, f'was ended by the system ({name}).')}"


def _beyond(process: psutil.Process, limits: ProcessLimits, seconds: float) -> str:
    if process.memory_info().rss > limits.memory_bytes:
        return _(
            "Reading these files needs more memory than allowed ({in_words}). Split them, or "
            "save them as CSV or Parquet."
        ).format(in_words=in_words(limits.memory_bytes))
    if seconds > limits.seconds:
        return _("Reading these files takes longer than allowed ({seconds:,.0f} seconds). Split them.").format(
            seconds=limits.seconds
        )
    if _written(process) > limits.disk_bytes:
        return _("Reading these files writes more to the disk than allowed ({in_words}). Split them.").format(
            in_words=in_words(limits.disk_bytes)
        )
    return ""


def _written(process: psutil.Process) -> int:
    """Return the bytes that a process has written so far; 0 if the system does not count them (macOS)."""
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
        process.wait(POLL_SECONDS)
