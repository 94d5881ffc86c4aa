"""Which process does a piece of work, and whether it still lives: number, start time and host together."""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any, Self

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

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read a mark back.

        Raises:
            ValueError: It is none.
        """
        if not isinstance(values, dict) or set(values) != {"pid", "started", "host"}:
            raise ValueError("it names no process")
        pid, started, host = values["pid"], values["started"], values["host"]
        if type(pid) is not int or pid < 0 or not isinstance(started, int | float) or not isinstance(host, str):
            raise ValueError("it names no process")
        return cls(pid, float(started), host)

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
        with contextlib.suppress(psutil.NoSuchProcess, OverflowError):
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


def end_at_once(pid: int) -> None:
    """End a process without asking it; nothing happens if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


def detached() -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` for a process that outlives this one and what its terminal sends."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def give_way(niceness: int) -> None:
    """Let other programs go first: at least this niceness, or a lower class of priority on Windows."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    process.nice(max(niceness, int(process.nice())))
