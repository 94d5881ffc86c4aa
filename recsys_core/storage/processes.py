"""Start processes, identify them by PID, start time and host, and check whether they are alive."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psutil

PROJECT = Path(__file__).resolve().parents[2]
START_TIME_TOLERANCE = 2.0
"""Tolerance in seconds between two readings of a start time, since clocks can be adjusted."""


@dataclass(frozen=True)
class ProcessMark:
    """Identity of a process that a later process with the same PID does not share.

    Args:
        pid: Process ID.
        started: Start time in Unix seconds.
        host: Host name.
    """

    pid: int
    started: float
    host: str

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read a mark back.

        Raises:
            ValueError: The values are not a process mark.
        """
        match values:
            case {"pid": int(pid), "started": int() | float() as started, "host": str(host), **rest}:
                if type(pid) is int and pid >= 0 and not rest:
                    return cls(pid, float(started), host)
        raise ValueError("not a process mark")

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether the process is on this machine, so that it can be checked."""
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """Whether the process ran on this machine and has ended; False for other machines, where this is unknown."""
        if not self.is_here:
            return False
        with contextlib.suppress(psutil.NoSuchProcess, OverflowError):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > START_TIME_TOLERANCE:
                return True
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        return True


def own_mark() -> ProcessMark:
    """Return the mark of the current process."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> ProcessMark:
    """Return the mark of a process on this machine; if it has ended, the mark counts as gone."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0
    return ProcessMark(pid, started, socket.gethostname())


def end_at_once(pid: int) -> None:
    """Kill a process; no effect if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


def start_python(arguments: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a Python process that can import this package and survives its parent and terminal signals.

    Args:
        arguments: Arguments of the interpreter, such as `-m` and a module.
        **options: Further arguments of `subprocess.Popen`; without `stdin` the process has no input.
    """
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    options.setdefault("stdin", subprocess.DEVNULL)
    path = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=environment, **options)


def give_way(niceness: int) -> None:
    """Lower the priority of this process: at least this niceness, or below normal on Windows."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    process.nice(max(niceness, int(process.nice())))
