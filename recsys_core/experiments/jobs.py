"""A job trains one model of one experiment; all its state is in its folder.

Contents of `jobs/<model id>`:

- `status.json`: the state, changed atomically under the run's lock;
- `progress.jsonl`: lines appended while it runs;
- `cancel`: an empty file that requests cancellation;
- `heartbeat`: written every two seconds while it runs, with the memory in use; tells other machines that it is alive;
- `checkpoint-<fold>.safetensors`: the state of its training, to resume from after the process was killed; see
  `checkpoints`;
- `reserve`: reserved space, so that the final status can be written to a full disk;
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
from recsys_core.experiments.artifacts import OUTPUTS, PER_USER, RESULT, load_result, outputs_of
from recsys_core.experiments.checkpoints import PATTERN, epochs_kept
from recsys_core.experiments.damage import damage_of, sums_of
from recsys_core.experiments.progress import read_last_line, read_progress
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked
from recsys_core.storage.processes import ProcessMark
from recsys_core.storage.space import is_full
from recsys_core.text import _

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
RESERVE_BYTES = 16_384
HEARTBEAT_SECONDS = 2.0
SILENT_AFTER_SECONDS = 60.0
"""A job on another machine without a heartbeat for this long is considered lost."""


class JobState(StrEnum):
    """State of a job."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in FINAL


FINAL = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
STATUS = "status.json"
NO_ROOM = "The disk is full, so this model stays queued; it starts automatically once some space is free."
DAMAGED = "damaged"
"""Cause of a job whose files do not match their checksums."""
LOST = "lost"
"""Cause of a job whose process ended without storing why; a more specific cause may be stored later."""
REPORT_SECONDS = 10.0
"""Time in which the engine replaces `LOST` by the cause that it knows."""


@dataclass(frozen=True)
class JobStatus:
    """Status of a job as stored; `stage`, `step`, `total` and `values` come from its last line of progress.

    Args:
        model_id: The model of the experiment.
        key: Its algorithm.
        state: QUEUED, RUNNING, DONE, FAILED or CANCELLED.
        queued: When it was queued, in Unix seconds.
        started: When it started to run.
        ended: When it reached its final state.
        reason: Sentence about why it failed or was cancelled, or why a queued job cannot start.
        cause: Machine-readable cause: "error", "data", "disk", "memory", "killed", "lost", "refused", "cancelled",
            "damaged".
        process: The process that runs it, or that will run a queued job; None if any engine may run it.
        stage: Current stage.
        step: Finished steps of this stage.
        total: Steps of this stage, None if unknown.
        stage_began: When this stage started, in Unix seconds.
        values: Latest values for curves, such as the loss.
        cancel_requested: Whether cancellation was requested.
        resumed: Epochs done by an earlier attempt from which this one resumed; 0: none.
        kept: Epochs in the checkpoint of a job that is neither running nor done.
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
        """Id of the process that runs it."""
        return self.process.pid if self.process else None

    @property
    def is_live(self) -> bool:
        """Whether it is queued or running."""
        return not self.state.is_final

    @property
    def may_change(self) -> bool:
        """Whether it is live, or its process has been missed too recently for the engine to have reported the cause."""
        return self.is_live or (self.cause == LOST and time.time() - (self.ended or 0.0) < REPORT_SECONDS)

    @property
    def fraction(self) -> float | None:
        """Finished share of the current stage, None if unknown."""
        return min(1.0, self.step / self.total) if self.total else None

    def seconds(self, now: float | None = None) -> float | None:
        """Return the running time so far or in total; None before it started."""
        if self.started is None:
            return None
        return max(0.0, (self.ended or now or time.time()) - self.started)

    def seconds_left(self, now: float | None = None) -> float | None:
        """Return the remaining time of the current stage, extrapolated from its steps; None if unknown."""
        steps = self.step - self.resumed if self.step >= self.resumed else self.step  # those of this attempt
        if self.state is not JobState.RUNNING or not self.total or not steps or self.stage_began is None:
            return None
        elapsed = max(0.0, (now or time.time()) - self.stage_began)
        return elapsed / steps * max(0, self.total - self.step)

    def to_json(self) -> dict[str, Any]:
        """Return the stored fields, without those of the progress file."""
        names = ("model_id", "key", "state", "queued", "started", "ended", "reason", "cause", "process", "resumed")
        return {name: value for name, value in asdict(self).items() if name in names}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the status from its stored fields.

        Raises:
            Damaged: A field is missing or has the wrong type.
        """
        try:
            process = ProcessMark.from_json(values["process"]) if values.get("process") else None
            status = cls(**values | {"state": JobState(values["state"]), "process": process})
            numbers = (status.queued, status.started or 0, status.ended or 0, status.resumed)
            texts = (status.model_id, status.key, status.reason or "", status.cause or "")
            if not all(isinstance(one, int | float) for one in numbers) or not all(isinstance(t, str) for t in texts):
                raise ValueError("a field has the wrong type")
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(
                _("'{status}' does not describe a job ({error}).").format(status=STATUS, error=error)
            ) from error
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
        """The progress file."""
        return self.path / "progress.jsonl"

    @property
    def _lock(self) -> Path:
        return self.path.parent.parent / ".lock"

    def stored_status(self) -> JobStatus:
        """Return the status on disk, without the fields of the progress file.

        A job with a missing or damaged status is FAILED: it can be started again, and the other jobs of the experiment
        are not affected.
        """
        try:
            return JobStatus.from_json(read_record(self.path / STATUS))
        except Damaged as error:
            reason = f"The status of this model is lost: {error} Start it again."
            name = self.path.name
            return JobStatus(
                name, name.rpartition("-")[0] or name, JobState.FAILED, queued=0.0, reason=reason, cause=DAMAGED
            )

    def verified(self, status: JobStatus) -> JobStatus:
        """Return the status after checking the results: FAILED if they are damaged.

        Nothing is stored, so results that are restored from a backup are valid again.
        """
        if status.state is not JobState.DONE:
            return status
        damage = damage_of(self.path / RESULT, deep=(PER_USER,), names=self._outputs()) or self._misshapen()
        if damage is None:
            return status
        reason = f"Its stored results are damaged: {damage} Train this model again."
        return replace(status, state=JobState.FAILED, cause=DAMAGED, reason=reason)

    def _outputs(self) -> tuple[str, ...]:
        try:
            return outputs_of(self.path)
        except Damaged:
            return OUTPUTS

    def _misshapen(self) -> str | None:
        """Return what is wrong with a result of an earlier version, which has no checksums."""
        try:
            if sums_of(self.path / RESULT) is None:
                load_result(self.path)
        except Damaged as error:
            return f"'{RESULT}': {error}"
        return None

    def status(self) -> JobStatus:
        """Return the current status; a job whose process is gone or whose results are damaged is FAILED."""
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

    def is_running(self) -> bool:
        """Return whether a process is training it; writes nothing, so the caller may hold the run's lock."""
        status = self.stored_status()
        return status.state is JobState.RUNNING and not self._is_lost(status)

    def read_through(self) -> None:
        """Verify the checksums of all files of a finished job; `status` reports damage afterwards."""
        if self.stored_status().state is JobState.DONE:
            damage_of(self.path / RESULT, deep=self._outputs(), names=self._outputs())

    def progress(self) -> "pd.DataFrame":
        """Return its progress as a frame; see `read_progress`."""
        return read_progress(self.progress_path)

    def change(
        self, expected: Collection[JobState], *, by: ProcessMark | None = None, **values: Any
    ) -> JobStatus | None:
        """Change the stored status atomically if its state is one of `expected`.

        Args:
            expected: States in which the change is allowed.
            by: If given, the process that the job must belong to.
            **values: New values of fields of `JobStatus`.

        Returns:
            The stored status, or None if nothing was changed because the state was not expected.

        Raises:
            StoreError: A disk error.
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
        """Queue a failed or cancelled job again; it resumes from its checkpoint, if there is one.

        A resumed training ends with the same weights as an uninterrupted one, so the cause of the first ending does not
        matter. All other files of the first attempt are removed.

        Raises:
            StoreError: A disk error.
        """
        with locked(self._lock):
            status = self.verified(self.stored_status())
            if status.state not in (JobState.FAILED, JobState.CANCELLED):
                return
            self.clear()
            again = JobStatus(status.model_id, status.key, JobState.QUEUED, time.time(), process=owner)
            write_record(self.path / STATUS, again.to_json())

    def take_back(self, before: JobStatus) -> None:
        """Restore the status that a newly queued job had before; disk errors are ignored."""
        kept = ("state", "started", "ended", "reason", "cause", "process")
        with contextlib.suppress(StoreError):
            self.change({JobState.QUEUED}, **{name: getattr(before, name) for name in kept})

    def lose(self, seen: JobStatus) -> JobStatus:
        """Store that the process of a job has ended unexpectedly; return the new status."""
        mark = seen.process
        where = f"process {mark.pid} on {mark.host}" if mark else "its process"
        what = f"ended unexpectedly: {where} is gone. It was killed, or the machine was restarted."
        if seen.state is JobState.QUEUED:
            what = f"never started: {where}, which should have run it, has ended."
        reason = f"The training {what} Train this model again."
        lost: dict[str, Any] = {"state": JobState.FAILED, "ended": time.time(), "reason": reason, "cause": LOST}
        try:
            return self.change({JobState.QUEUED, JobState.RUNNING}, by=mark, **lost) or self.stored_status()
        except StoreError as error:  # a full disk must not prevent reading the status
            logger.warning("That '%s' ended could not be stored: %s", self.path.name, error)
            return replace(seen, **lost)

    def ask_to_cancel(self) -> None:
        """Request cancellation; a queued job is CANCELLED immediately.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self.path / "cancel"):
            (self.path / "cancel").touch()
        why: dict[str, Any] = {"reason": "Cancelled before it started.", "cause": "cancelled"}
        self.change({JobState.QUEUED}, state=JobState.CANCELLED, ended=time.time(), **why)

    def cancel_requested(self) -> bool:
        """Return whether cancellation was requested."""
        return (self.path / "cancel").exists()

    def cancel_requested_at(self) -> float | None:
        """Return when cancellation was requested, in Unix seconds."""
        with contextlib.suppress(FileNotFoundError):
            return (self.path / "cancel").stat().st_mtime
        return None

    def clear(self) -> None:
        """Remove all files of an earlier attempt except its checkpoints: results, progress, cancel request.

        Raises:
            StoreError: A disk error.
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
        """Reserve disk space that is released when the final status is written.

        Raises:
            StoreError: There is not enough free space.
        """
        with disk_errors_in_words(self.path / "reserve"):
            (self.path / "reserve").write_bytes(b"\1" * RESERVE_BYTES)

    def beat(self, **values: float) -> None:
        """Write a heartbeat with some numbers; disk errors are ignored."""
        with contextlib.suppress(OSError):
            (self.path / "heartbeat").write_text(json.dumps(values), encoding="utf-8")

    def last_beat(self) -> dict[str, float]:
        """Return the numbers of the last heartbeat, empty if there is none."""
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
