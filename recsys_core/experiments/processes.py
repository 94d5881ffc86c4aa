"""Which process does a piece of work, and whether it still lives: number, start time and host together."""

import contextlib
import os
import socket
from dataclasses import asdict, dataclass
from typing import Any

import psutil

START_TIME_TOLERANCE = 2.0
"""Seconds by which two readings of one start time may differ, since the clock of a machine can be corrected."""


@dataclass(frozen=True)
class ProcessMark:
    """A process that cannot be mistaken for a later one with the same number.

    Args:
        pid: Its number.
        started: When it started, in Unix seconds.
        host: Name of the machine it runs on.
    """

    pid: int
    started: float
    host: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether it ran on this machine, so that one can look for it."""
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """Whether it ran here and has ended; False for other machines, about which nothing is known from here."""
        if not self.is_here:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > START_TIME_TOLERANCE:
                return True
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        return True


def own_mark() -> ProcessMark:
    """Return the mark of the process that asks."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> ProcessMark:
    """Return the mark of a process on this machine; of one that has ended, a mark that counts as gone."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0
    return ProcessMark(pid, started, socket.gethostname())
