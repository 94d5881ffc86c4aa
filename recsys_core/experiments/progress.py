"""Progress files of jobs: at most four lines per second, without losing points of curves."""

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.contracts import Progress
from recsys_core.storage.disk_errors import disk_errors_in_words

if TYPE_CHECKING:
    import pandas as pd

SECONDS_BETWEEN_LINES = 0.25
_KINDS: dict[str, tuple[type, ...]] = {
    "time": (int, float),
    "began": (int, float),
    "stage": (str,),
    "step": (int,),
    "total": (int, type(None)),
    "values": (dict,),
    "points": (list,),
}
TAIL_BYTES = 65_536
"""The last line of a progress file is searched in this number of bytes from its end."""


class ProgressWriter:
    """Appends progress messages to a file as lines of JSON.

    A line has `time` (Unix seconds), `began` (start of its stage), `stage`, `step`, `total`, `values`, and `points`,
    the (step, values) pairs since the previous line. At most four lines are written per second, but always the last one
    of each stage. A delayed line is written with the next message, or by `flush_if_due` from any thread.

    Args:
        path: The file; appended to if it exists.
        clock: Returns Unix seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._clock = clock
        self._held: Progress | None = None
        self._points: list[tuple[int, dict[str, float]]] = []
        self._written_at = -math.inf
        self._began = clock()
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Process one message.

        Raises:
            StoreError: A disk error.
        """
        with self._lock:
            self._take(progress)

    def _take(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self.flush()
            self._stage, self._began = progress.stage, self._clock()
        values = {name: float(value) for name, value in progress.values.items() if math.isfinite(value)}
        if values:
            self._points.append((progress.step, values))
        elif self._held is not None and self._held.step == progress.step:
            values = dict(self._held.values)  # the report of the loop repeats the step of a note with values
        self._held = Progress(progress.stage, progress.step, progress.total, values)
        if progress.total is not None and progress.step >= progress.total:
            self.flush()
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write the delayed line if the last one is old enough.

        Raises:
            StoreError: A disk error.
        """
        if abs(self._clock() - self._written_at) >= SECONDS_BETWEEN_LINES:
            self.flush()

    def flush(self) -> None:
        """Write the delayed line.

        Raises:
            StoreError: A disk error.
        """
        with self._lock:
            if self._held is not None:
                self._write(self._held)

    def _write(self, held: Progress) -> None:
        line = {
            "time": self._clock(),
            "began": self._began,
            "stage": held.stage,
            "step": held.step,
            "total": held.total,
            "values": dict(held.values),
            "points": self._points,
        }
        with disk_errors_in_words(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        self._held, self._points = None, []
        self._written_at = self._clock()


def read_last_line(path: Path) -> dict[str, Any] | None:
    """Return the last complete line of a progress file, None if there is none."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        for text in reversed(file.read().split(b"\n")):
            line = _parsed(text)
            if line is not None:
                return line
    return None


def read_progress(path: Path) -> "pd.DataFrame":
    """Return all points and lines of a progress file: `time`, `stage`, `step`, `total` and one column per value."""
    import pandas as pd

    rows: dict[tuple[str, int], dict[str, Any]] = {}
    with contextlib.suppress(OSError), path.open("rb") as file:
        for text in file:
            line = _parsed(text)
            if line is None:
                continue
            common = {"time": line["time"], "stage": line["stage"], "total": line["total"]}
            for step, values in [*line["points"], (line["step"], line["values"])]:
                key = (line["stage"], step)
                rows[key] = rows.get(key, {}) | common | {"step": step} | values
    first = ["time", "stage", "step", "total"]
    frame = pd.DataFrame(list(rows.values()))
    return frame.reindex(columns=[*first, *(name for name in frame.columns if name not in first)])


def _parsed(text: bytes) -> dict[str, Any] | None:
    """Parse a line; None if it is empty, incomplete or invalid."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or not all(type(line.get(name)) in kinds for name, kinds in _KINDS.items()):
        return None
    return line
