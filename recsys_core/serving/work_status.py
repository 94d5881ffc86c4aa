"""Status files of a process that works on a folder.

status.json       RUNNING, DONE, FAILED or CANCELLED, the process, and the reason
progress.jsonl    its progress
cancel            an empty file that requests cancellation
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.contracts import RunContext
from recsys_core.data.ingest.read_errors import is_unexpected
from recsys_core.errors import Cancelled, RecscopeError, StoreError
from recsys_core.experiments.progress import ProgressWriter, read_last_line
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.processes import ProcessMark, own_mark
from recsys_core.storage.space import is_full

logger = logging.getLogger(__name__)
ENDINGS = ("DONE", "FAILED", "CANCELLED")
_STATES = {state: state for state in ("RUNNING", *ENDINGS)}
GONE = "The process that worked on these files ended unexpectedly; nothing was stored. Try again."
FULL = "The disk is full, so nothing was stored; free some space and try again."
START_SECONDS = 20.0
"""A process that has not written its status after this time is considered lost."""


@dataclass(frozen=True)
class WorkStatus:
    """Status of the process that works on a folder; WAITING if there is none."""

    state: str
    work: str = ""
    stage: str = ""
    step: int = 0
    total: int | None = None
    reason: str = ""
    fingerprint: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it runs."""
        return self.state == "RUNNING"

    @property
    def fraction(self) -> float | None:
        """Finished share of the current stage, None if unknown."""
        return min(1.0, self.step / self.total) if self.total else None


def begin(folder: Path, work: str, process: ProcessMark | None = None) -> None:
    """Record that a process works on the folder, or will within seconds if its mark is not known yet.

    Raises:
        StoreError: A disk error.
    """
    for name in ("cancel", "progress.jsonl"):
        (folder / name).unlink(missing_ok=True)
    known = {} if process is None else {"process": process.to_json()}
    write_json(folder / "status.json", {"state": "RUNNING", "work": work, "since": time.time()} | known)


def note_ending(folder: Path, work: str, state: str, reason: str) -> None:
    """Record how the work ended, on behalf of a process that has already ended.

    Raises:
        StoreError: A disk error.
    """
    write_json(folder / "status.json", {"state": state, "work": work, "reason": reason})


def status_of(folder: Path) -> WorkStatus:
    """Return the status of the work in a folder; a process that ended without recording it has FAILED."""
    with contextlib.suppress(StoreError, KeyError, TypeError, AttributeError, ValueError):  # damaged: as if not begun
        stored = read_json(folder / "status.json")
        line = read_last_line(folder / "progress.jsonl") or {}
        status = WorkStatus(
            state=_STATES[stored["state"]],
            work=stored.get("work", ""),
            stage=line.get("stage", ""),
            step=line.get("step", 0),
            total=line.get("total"),
            reason=stored.get("reason", ""),
            fingerprint=stored.get("fingerprint", ""),
        )
        if status.is_live and _is_lost(stored):
            return WorkStatus("FAILED", status.work, reason=FULL if is_full(folder) else GONE)
        return status
    return WorkStatus("WAITING")


def has_ended(folder: Path) -> bool:
    """Return whether an ending is recorded; False for a process that ended without recording it."""
    with contextlib.suppress(StoreError, KeyError, TypeError):
        return str(read_json(folder / "status.json")["state"]) in ENDINGS
    return False


def process_of(folder: Path) -> ProcessMark | None:
    """Return the mark of the process that works on a folder, None if none is recorded."""
    with contextlib.suppress(StoreError, KeyError, TypeError, ValueError):
        return ProcessMark.from_json(read_json(folder / "status.json")["process"])
    return None


def run_in(folder: Path, work: str, body: Callable[[RunContext], str]) -> None:
    """Do a piece of work and record how it ended in all cases; the body of a process.

    Args:
        folder: Folder of the status files.
        work: Name of the work.
        body: Does the work and returns the fingerprint of the resulting data set, empty if there is none.

    Raises:
        StoreError: The status could not be written.
    """
    begun = {"work": work, "process": own_mark().to_json()}
    write_json(folder / "status.json", begun | {"state": "RUNNING"})
    progress = ProgressWriter(folder / "progress.jsonl")
    ctx = RunContext(report=progress, stop_requested=(folder / "cancel").exists)
    try:
        ending = {"state": "DONE", "fingerprint": body(ctx)}
    except Cancelled:
        ending = {"state": "CANCELLED", "reason": "Cancelled; nothing was stored."}
    except RecscopeError as error:
        logger.log(logging.ERROR if is_unexpected(error) else logging.INFO, "%s", error, exc_info=is_unexpected(error))
        ending = {"state": "FAILED", "reason": str(error)}
    except MemoryError:
        logger.exception("Out of memory in %s", folder)
        ending = {"state": "FAILED", "reason": "Reading these files needs more memory than allowed. Split them."}
    except Exception as error:
        logger.exception("Unexpected in %s", folder)
        words = " ".join(str(error).split())[:300]
        reason = f"These files cannot be read with these settings ({type(error).__name__}: {words})."
        ending = {"state": "FAILED", "reason": reason}
    write_json(folder / "status.json", begun | ending)


def _is_lost(stored: dict[str, Any]) -> bool:
    if stored.get("process"):
        return ProcessMark.from_json(stored["process"]).is_gone
    return time.time() - float(stored.get("since", 0.0)) > START_SECONDS
