"""A job is one model of one experiment; its folder says how it stands, and is all that anybody reads or writes.

In `jobs/<model id>` stand

- `status.json`: the state, changed in one step under the run's lock;
- `progress.jsonl`: lines appended while it runs;
- `cancel`: an empty file, somebody wants it to stop;
- `heartbeat`: written every two seconds while it runs, with the memory in use; for other machines the sign of life;
- `checkpoint-<fold>.safetensors`: where its training stands, to go on from after the process was killed; see
  `checkpoints`;
- `reserve`: a little space, so that a full disk cannot keep the last word from being written;
- `error.txt`: the traceback of an unexpected error.
"""

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recsys_core.errors import Damaged, StoreError
from recsys_core.experiments.artifacts import OUTPUTS, PER_USER, RESULT, load_result
from recsys_core.experiments.checkpoints import PATTERN, epochs_kept
from recsys_core.experiments.damage import damage_of, sums_of
from recsys_core.experiments.progress import read_last_line, read_progress
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked
from recsys_core.storage.processes import ProcessMark
from recsys_core.storage.space import is_full

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
RESERVE_BYTES = 16_384
HEARTBEAT_SECONDS = 2.0
SILENT_AFTER_SECONDS = 60.0
"""A job on another machine without a sign of life for so long counts as ended."""


class JobState(StrEnum):
    """How a job stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in FINAL


FINAL = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
STATUS = "status.json"
NO_ROOM = "The disk is full, so this model waits; it begins by itself once some space is free."
DAMAGED = "damaged"
"""Cause of a job whose files are not what was written."""
LOST = "lost"
"""Cause of a job whose process ended without a word; whoever knows why may say so later."""


@dataclass(frozen=True)
class JobStatus:
    """How a job stands, as stored; `stage`, `step`, `total` and `values` come from its last line of progress.

    Args:
        model_id: Which model of the experiment.
        key: Its algorithm.
        state: QUEUED, RUNNING, DONE, FAILED or CANCELLED.
        queued: When it was asked for, in Unix seconds.
        started: When it began to run.
        ended: When it reached its final state.
        reason: Why it failed or was cancelled, in words; of a queued job what it waits for, if not for its turn.
        cause: A word for programs: "error", "data", "disk", "memory", "killed", "lost", "refused", "cancelled",
            "damaged".
        process: What runs it; for a queued job the process that will, None if any engine may.
        stage: What is being done.
        step: Steps finished in this stage.
        total: Steps of this stage, None if unknown.
        stage_began: When this stage began, in Unix seconds.
        values: Latest numbers worth a curve.
        cancel_requested: Whether somebody wants it to stop.
        resumed: Epochs that an earlier attempt had done, after which this one went on; 0: none.
        kept: Of a job that does not run and is not done, the epochs after which another attempt would go on.
    """

    model_id: str
    key: str
    state: JobState
    queued: float
    started: float | None = None
    ended: float | None = None
    reason: str | None = None
    cause: str | None = None
    process: ProcessMark | None = None
    stage: str = ""
    step: int = 0
    total: int | None = None
    stage_began: float | None = None
    values: dict[str, float] | None = None
    cancel_requested: bool = False
    resumed: int = 0
    kept: int = 0

    @property
    def pid(self) -> int | None:
        """Number of the process that runs it."""
        return self.process.pid if self.process else None

    @property
    def is_live(self) -> bool:
        """Whether it waits or runs."""
        return not self.state.is_final

    @property
    def fraction(self) -> float | None:
        """Share of the current stage that is finished, None if unknown."""
        return min(1.0, self.step / self.total) if self.total else None

    def seconds(self, now: float | None = None) -> float | None:
        """Return how long it has run, or ran; None before it started."""
        if self.started is None:
            return None
        return max(0.0, (self.ended or now or time.time()) - self.started)

    def seconds_left(self, now: float | None = None) -> float | None:
        """Return how long the current stage will take from here, judged by its steps so far; None if unknown."""
        steps = self.step - self.resumed if self.step >= self.resumed else self.step  # those of this attempt
        if self.state is not JobState.RUNNING or not self.total or not steps or self.stage_began is None:
            return None
        elapsed = max(0.0, (now or time.time()) - self.stage_began)
        return elapsed / steps * max(0, self.total - self.step)

    def to_json(self) -> dict[str, Any]:
        """Return what is stored: everything but what the progress file says."""
        names = ("model_id", "key", "state", "queued", "started", "ended", "reason", "cause", "process", "resumed")
        return {name: value for name, value in asdict(self).items() if name in names}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read back what was stored.

        Raises:
            Damaged: Something is missing in it.
        """
        try:
            process = ProcessMark.from_json(values["process"]) if values.get("process") else None
            status = cls(**values | {"state": JobState(values["state"]), "process": process})
            numbers = (status.queued, status.started or 0, status.ended or 0, status.resumed)
            texts = (status.model_id, status.key, status.reason or "", status.cause or "")
            if not all(isinstance(one, int | float) for one in numbers) or not all(isinstance(t, str) for t in texts):
                raise ValueError("a number or a text stands in the wrong place")
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"'{STATUS}' describes no job ({error}).") from error
        return status


class JobFolder:
    """The folder of one job.

    Args:
        path: `runs/<experiment id>/jobs/<model id>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def progress_path(self) -> Path:
        """Where lines of progress are appended."""
        return self.path / "progress.jsonl"

    @property
    def _lock(self) -> Path:
        return self.path.parent.parent / ".lock"

    def stored_status(self) -> JobStatus:
        """Return the state as it stands on disk, without what the progress file says.

        A job whose status is missing or damaged is FAILED for that reason: it can be started again, and the others of
        its experiment are not touched.
        """
        try:
            return JobStatus.from_json(read_record(self.path / STATUS))
        except Damaged as error:
            reason = f"How this model stood is lost: {error} Start it again."
            name = self.path.name
            return JobStatus(
                name, name.rpartition("-")[0] or name, JobState.FAILED, queued=0.0, reason=reason, cause=DAMAGED
            )

    def verified(self, status: JobStatus) -> JobStatus:
        """Return how a job stands once its results were looked at: it is FAILED if they are damaged.

        Nothing is stored: results that are put back from a backup count again.
        """
        if status.state is not JobState.DONE:
            return status
        damage = damage_of(self.path / RESULT, deep=(PER_USER,), names=OUTPUTS) or self._misshapen()
        if damage is None:
            return status
        reason = f"Its stored results are damaged: {damage} Start this model again."
        return replace(status, state=JobState.FAILED, cause=DAMAGED, reason=reason)

    def _misshapen(self) -> str | None:
        """Return what is wrong with numbers that carry no checksum, since an earlier version wrote them."""
        try:
            if sums_of(self.path / RESULT) is None:
                load_result(self.path)
        except Damaged as error:
            return f"'{RESULT}': {error}"
        return None

    def status(self) -> JobStatus:
        """Return how the job stands; a job whose process is gone, or whose results are damaged, is FAILED."""
        status = self.verified(self.stored_status())
        if status.is_live and self._is_lost(status):
            status = self.lose(status)
        if status.state is JobState.QUEUED and is_full(self.path):
            status = replace(status, reason=NO_ROOM, cause="disk")
        line = read_last_line(self.progress_path) or {}
        return replace(
            status,
            stage=line.get("stage", ""),
            step=line.get("step", 0),
            total=line.get("total"),
            stage_began=line.get("began"),
            values=line.get("values"),
            cancel_requested=self.cancel_requested(),
            kept=0 if status.state in (JobState.RUNNING, JobState.DONE) else epochs_kept(self.path),
        )

    def is_at_work(self) -> bool:
        """Whether a process trains it right now; nothing is stored, so the run's lock may be held meanwhile."""
        status = self.stored_status()
        return status.state is JobState.RUNNING and not self._is_lost(status)

    def read_through(self) -> None:
        """Read every file of a finished job once; its status says afterwards whether one of them is damaged."""
        if self.stored_status().state is JobState.DONE:
            damage_of(self.path / RESULT, deep=OUTPUTS, names=OUTPUTS)

    def progress(self) -> "pd.DataFrame":
        """Return the points of its curves; see `read_progress`."""
        return read_progress(self.progress_path)

    def change(
        self, expected: Collection[JobState], *, by: ProcessMark | None = None, **values: Any
    ) -> JobStatus | None:
        """Change the stored status in one step, if its state is still one of `expected`.

        Args:
            expected: States in which the change makes sense.
            by: If given, the process that the job must still belong to.
            **values: Fields of `JobStatus` with what they become.

        Returns:
            The status as stored now, or None if the state was another one and nothing was changed.

        Raises:
            StoreError: The disk refused.
        """
        with locked(self._lock):
            status = self.stored_status()
            if status.state not in expected or (by is not None and status.process != by):
                return None
            changed = replace(status, **values)
            if changed.state.is_final:
                (self.path / "reserve").unlink(missing_ok=True)
            write_record(self.path / STATUS, changed.to_json())
            return changed

    def requeue(self, owner: ProcessMark | None = None) -> None:
        """Let a job that failed or was stopped wait for another attempt, which goes on from its checkpoint, if any.

        A training that goes on ends with the same weights as one that was never disturbed, so it does not matter why
        the first attempt ended. All else that it left is removed.

        Raises:
            StoreError: The disk refused.
        """
        with locked(self._lock):
            status = self.verified(self.stored_status())
            if status.state not in (JobState.FAILED, JobState.CANCELLED):
                return
            self.clear()
            again = JobStatus(status.model_id, status.key, JobState.QUEUED, time.time(), process=owner)
            write_record(self.path / STATUS, again.to_json())

    def take_back(self, before: JobStatus) -> None:
        """Let a job that was queued a moment ago stand as it did before; a disk that refuses even that is ignored."""
        kept = ("state", "started", "ended", "reason", "cause", "process")
        with contextlib.suppress(StoreError):
            self.change({JobState.QUEUED}, **{name: getattr(before, name) for name in kept})

    def lose(self, seen: JobStatus) -> JobStatus:
        """Store that the process of a job has ended without a word; return how the job stands then."""
        mark = seen.process
        where = f"process {mark.pid} on {mark.host}" if mark else "its process"
        if seen.state is JobState.QUEUED:
            reason = f"It never began: {where}, which was to train it, has ended. Start this model again."
        else:
            reason = (
                f"The training stopped without a word: {where} is gone. "
                "It was killed, or the machine was restarted. Start this model again."
            )
        lost: dict[str, Any] = {"state": JobState.FAILED, "ended": time.time(), "reason": reason, "cause": LOST}
        try:
            return self.change({JobState.QUEUED, JobState.RUNNING}, by=mark, **lost) or self.stored_status()
        except StoreError as error:  # a full disk keeps nobody from reading how the job stands
            logger.warning("That '%s' ended could not be stored: %s", self.path.name, error)
            return replace(seen, **lost)

    def ask_to_cancel(self) -> None:
        """Leave the wish to stop; a job that still waits is CANCELLED at once.

        Raises:
            StoreError: The disk refused.
        """
        with disk_errors_in_words(self.path / "cancel"):
            (self.path / "cancel").touch()
        self.change(
            {JobState.QUEUED},
            state=JobState.CANCELLED,
            ended=time.time(),
            reason="Stopped on request before it began.",
            cause="cancelled",
        )

    def cancel_requested(self) -> bool:
        """Whether somebody wants it to stop."""
        return (self.path / "cancel").exists()

    def cancel_requested_at(self) -> float | None:
        """When that was wished, in Unix seconds."""
        with contextlib.suppress(FileNotFoundError):
            return (self.path / "cancel").stat().st_mtime
        return None

    def clear(self) -> None:
        """Remove what an earlier attempt left but its checkpoints: results, progress, the wish to stop.

        Raises:
            StoreError: The disk refused.
        """
        with disk_errors_in_words(self.path):
            if self.path.exists() and not self.path.is_dir():
                self.path.unlink()
            self.path.mkdir(parents=True, exist_ok=True)
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != STATUS and not path.match(PATTERN):
                    path.unlink(missing_ok=True)

    def reserve_space(self) -> None:
        """Take a little space, given back when the final state is written.

        Raises:
            StoreError: Not even that much is free.
        """
        with disk_errors_in_words(self.path / "reserve"):
            (self.path / "reserve").write_bytes(b"\1" * RESERVE_BYTES)

    def beat(self, **values: float) -> None:
        """Leave a sign of life with some numbers; a disk that refuses is ignored, since this is no result."""
        with contextlib.suppress(OSError):
            (self.path / "heartbeat").write_text(json.dumps(values), encoding="utf-8")

    def last_beat(self) -> dict[str, float]:
        """Return the numbers of the last sign of life, none if there was none."""
        with contextlib.suppress(OSError, ValueError):
            values: dict[str, float] = json.loads((self.path / "heartbeat").read_text(encoding="utf-8"))
            return values
        return {}

    def _is_lost(self, status: JobStatus) -> bool:
        if status.process is None:
            return status.state is JobState.RUNNING
        if status.process.is_here or status.state is JobState.QUEUED:
            return status.process.is_gone
        with contextlib.suppress(FileNotFoundError):
            return time.time() - (self.path / "heartbeat").stat().st_mtime > SILENT_AFTER_SECONDS
        return time.time() - (status.started or 0.0) > SILENT_AFTER_SECONDS
