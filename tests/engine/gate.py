"""A gate in the jobs of an engine: they are held at a step that a test names until the test opens the gate.

So no test races a training job. The gate is a folder, since test and job are different processes. It is open until
closed. A job with a cancel request passes, and continues only if it ignores the request.
"""

import json
import os
import time
from pathlib import Path

from recsys_core.contracts import Progress
from recsys_core.experiments.progress import ProgressWriter

VARIABLE = "RECSCOPE_TEST_GATE"
LOOK_SECONDS = 0.01
LONGEST_SECONDS = 600.0
"""Maximum time a job is held, in case its test has ended."""


class Gate:
    """The gate, as used by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the engine."""
        return {VARIABLE: str(self.folder)}

    def close(self, stage: str, step: int = 1) -> None:
        """Hold every job that reports this step of a stage, or a later one."""
        aside = self.folder / "closing.json"
        aside.write_text(json.dumps({"stage": stage, "step": step}), encoding="utf-8")
        (self.folder / "arrived").unlink(missing_ok=True)
        aside.replace(self.folder / "closed.json")

    def open(self) -> None:
        """Open the gate."""
        (self.folder / "closed.json").unlink(missing_ok=True)

    def arrived(self) -> bool:
        """Return whether a job has been held since the gate was closed; its reports are on disk."""
        return (self.folder / "arrived").exists()


def install() -> None:
    """Install the gate of `RECSCOPE_TEST_GATE` in the jobs of this process."""
    if VARIABLE not in os.environ:
        return
    folder, take = Path(os.environ[VARIABLE]), ProgressWriter.__call__

    def held(writer: ProgressWriter, progress: Progress) -> None:
        take(writer, progress)
        if not _is_closed(folder, progress):
            return
        writer.flush()
        (folder / "arrived").touch()
        ends = time.monotonic() + LONGEST_SECONDS
        while _is_closed(folder, progress) and not (writer._path.parent / "cancel").exists():
            assert time.monotonic() < ends, "nobody has opened the gate"
            time.sleep(LOOK_SECONDS)

    ProgressWriter.__call__ = held  # type: ignore[method-assign]


def _is_closed(folder: Path, progress: Progress) -> bool:
    try:
        closed = json.loads((folder / "closed.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(progress.stage == closed["stage"] and progress.step >= closed["step"])
