"""Run a command of a program within limits: memory and time of all its processes, disk space, progress, cancel.

Progress comes as lines on standard output, of which all others are ignored:

    recscope: 3/15 iterations loss=0.31       step 3 of 15 of the stage 'iterations', and a value for the curve
    recscope: 3/? reading                     the number of steps is not known
"""

import contextlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import ProgramFailed
from recsys_core.storage import leash
from recsys_core.text import _

POLL_SECONDS = 0.1
DISK_POLL_SECONDS = 1.0
TAIL_LINES = 8
LONGEST_LINE = 2_000
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of terminals."""
LONGEST_STAGE = 60
MOST_VALUES = 10
GIB = 2**30
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of the environment that a program gets; nothing else of the server's environment reaches it."""
PROXIES = (
    "HOME", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST",
   "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_CERT", "REQUESTS_CA_BUNDLE",
)  # fmt: skip
"""Variables that the installation of an environment needs besides."""
LINE = re.compile(r"recscope: (?P<step>\d{1,9})/(?P<total>\d{1,9}|\?)(?: (?P<rest>.*))?")
VALUE = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_@.]{0,39})=(?P<value>[-+]?[0-9.]+(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class Bounds:
    """What a command may use.

    Args:
        memory_bytes: Resident memory of all its processes.
        seconds: Wall-clock time.
        disk_bytes: Size of its working folder.
    """

    memory_bytes: float
    seconds: float
    disk_bytes: float


@dataclass(frozen=True)
class Outcome:
    """How a command ended well.

    Args:
        seconds: Wall-clock time.
        peak_bytes: Largest memory of all its processes that was seen.
    """

    seconds: float
    peak_bytes: int


def run_command(
    command: Sequence[str],
    folder: Path,
    bounds: Bounds,
    ctx: RunContext,
    *,
    what: str,
    stage: str,
    variables: Mapping[str, str],
) -> Outcome:
    """Run a command in a folder until it has ended with exit status 0.

    Args:
        command: Program and arguments.
        folder: Its working folder, whose size is limited.
        bounds: What it may use.
        ctx: Receives its progress; cancellation ends it.
        what: Its name in messages.
        stage: Name of its stage until it names one itself.
        variables: Variables of its environment.

    Raises:
        ProgramFailed: It cannot be started, ended badly, or exceeded a limit; the message has its last lines.
        Cancelled: The user cancelled the job.
    """
    started, errors = time.monotonic(), folder / "stderr.txt"
    ctx.report(Progress(stage))
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(leash.__file__)), *command],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    output = _Output(process.stdout)
    try:
        peak, words = _watch(process, folder, bounds, ctx, output, started)
        ctx.stop_if_requested(f"while {what} ran")
    finally:
        _end(process)
        output.close()
    output.report(ctx)
    if words:
        raise ProgramFailed(f"{what} {words}")
    if process.returncode:
        raise ProgramFailed(f"{what} {_ending(process.returncode)}{_tail(errors, output.tail)}")
    return Outcome(time.monotonic() - started, peak)


def own_variables(folder: Path, threads: int, *, network: bool = False) -> dict[str, str]:
    """Return the environment of a command: the search path, folders of its own, and the number of threads.

    Args:
        folder: Its working folder.
        threads: Cores that it may use.
        network: Whether it may need the proxy and the package index of the server.
    """
    kept = (*KEPT_VARIABLES, *PROXIES, *map(str.lower, PROXIES)) if network else KEPT_VARIABLES
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    variables |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    if not network:
        variables["HOME"] = str(folder)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        variables[name] = str(threads)
    return variables | {"PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}


class _Output:
    """Reads standard output in a thread of its own: the progress that it reports, and its last other lines."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._progress: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._thread = threading.Thread(target=self._read, name="program output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while line := self._pipe.readline(LONGEST_LINE):
            text = line.decode(errors="replace").rstrip()
            progress = progress_of(text)
            if progress is not None:
                self._progress.put(progress)
            elif text:
                self.tail.append(text)

    def report(self, ctx: RunContext) -> None:
        """Report the progress that was read since the last call."""
        with contextlib.suppress(queue.Empty):
            while True:
                ctx.report(self._progress.get_nowait())

    def close(self) -> None:
        """Wait for the rest of the output."""
        self._thread.join(5)
        if not self._thread.is_alive():
            self._pipe.close()


def progress_of(line: str) -> Progress | None:
    """Return the progress that a line reports, None for other lines."""
    found = LINE.fullmatch(line)
    if found is None:
        return None
    words: list[str] = []
    values: dict[str, float] = {}
    for word in (found["rest"] or "").split():
        value = VALUE.fullmatch(word)
        if value is None:
            words.append(word)
        elif len(values) < MOST_VALUES:
            with contextlib.suppress(ValueError):
                values[value["name"]] = float(value["value"])
    total = None if found["total"] == "?" else int(found["total"])
    stage = " ".join(words)[:LONGEST_STAGE] or "run the program"
    return Progress(stage, int(found["step"]), total, values)


def _watch(
    process: "subprocess.Popen[bytes]", folder: Path, bounds: Bounds, ctx: RunContext, output: _Output, started: float
) -> tuple[int, str]:
    """Wait until a command has ended, exceeds a limit or is cancelled; return its peak memory, and which limit."""
    peak, looked = 0, started
    while process.poll() is None and not ctx.stop_requested():
        output.report(ctx)
        peak = max(peak, memory := _memory(process.pid))
        now = time.monotonic()
        if memory > bounds.memory_bytes:
            return peak, f"was ended: it used more memory than allowed ({bounds.memory_bytes / GIB:.1f} GiB)."
        if now - started > bounds.seconds:
            return peak, f"was ended: it ran longer than allowed ({bounds.seconds:,.0f} seconds)."
        if now - looked > DISK_POLL_SECONDS:
            looked = now
            if _size(folder) > bounds.disk_bytes:
                return peak, f"was ended: it wrote more to the disk than allowed ({bounds.disk_bytes / GIB:.1f} GiB)."
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
    return peak, ""


def _memory(pid: int) -> int:
    """Return the resident memory of the children of a process; 0 if they have ended."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += int(child.memory_info().rss)
    return total


def _size(folder: Path) -> int:
    total = 0
    for place, _unused, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let go of the leash, and kill what is left after its time."""
    children = []
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(leash.END_SECONDS + 3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.kill()


def _ending(status: int) -> str:
    if status == 127:
        return "could not be started."
    if status == 137:
        return "was killed, most likely because the machine ran out of memory."
    return (
        f"crashed (signal {status - 128})."
        if status > 128
        else _("ended with exit status {status}.").format(status=status)
    )


def _tail(errors: Path, output: Sequence[str]) -> str:
    """Return the last lines of standard error, or else of standard output, as a sentence."""
    with contextlib.suppress(OSError), errors.open("rb") as file:
        file.seek(max(0, errors.stat().st_size - TAIL_LINES * LONGEST_LINE))
        lines = [line for line in map(_printable, file.read().decode(errors="replace").splitlines()) if line]
        if lines:
            return f" Its last lines: {' | '.join(line[:300] for line in lines[-TAIL_LINES:])}"
    lines = [line for line in map(_printable, output) if line]
    return f" Its last lines: {' | '.join(line[:300] for line in lines)}" if lines else _(" It wrote no message.")


def _printable(line: str) -> str:
    """Return a line without what would steer a terminal, such as colors."""
    return "".join(letter for letter in ESCAPES.sub("", line) if letter.isprintable()).strip()


def remove(folder: Path) -> None:
    """Remove a working folder, whatever a program left in it."""
    shutil.rmtree(folder, ignore_errors=True)
