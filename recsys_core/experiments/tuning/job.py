"""The tuning of one model as a job: it is queued, runs one trial, and is queued again until its budget is used up.

A process that ends unexpectedly does not end the tuning: the job is queued again, and the next trial marks the one that
was lost.
"""

import contextlib
import logging
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from recsys_core.errors import StoreError
from recsys_core.experiments.jobs import LOST, SILENT_AFTER_SECONDS, STATUS, JobFolder, JobState, JobStatus
from recsys_core.experiments.tuning.rows import TRIALS
from recsys_core.experiments.tuning.studies import STUDY
from recsys_core.storage.checksums import write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.processes import ProcessMark

logger = logging.getLogger(__name__)
HEARTBEAT = "heartbeat"
STUDY_LOCK = f"{STUDY}.lock"
"""Held while a trial is drawn, and while the rows are written."""
BETWEEN = "Cancelled between two trials."


class Helpers:
    """The processes that run further trials of a model beside its job: one folder each, with its heartbeat.

    Args:
        path: The folder of the model.
    """

    def __init__(self, path: Path) -> None:
        self._path = path / "helpers"

    def folder_of(self, mark: ProcessMark) -> JobFolder:
        """Return the folder of a process, which is made if it is missing.

        Raises:
            StoreError: A disk error.
        """
        folder = self._folder(mark)
        with disk_errors_in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return JobFolder(folder)

    def is_gone(self, mark: ProcessMark) -> bool:
        """Return whether a process has ended; one on another machine has if it has been silent for long."""
        if mark.is_here:
            return mark.is_gone
        with contextlib.suppress(FileNotFoundError):
            return time.time() - (self._folder(mark) / HEARTBEAT).stat().st_mtime > SILENT_AFTER_SECONDS
        return True

    def _folder(self, mark: ProcessMark) -> Path:
        return self._path / f"{mark.host}-{mark.pid}"


class TuningJob(JobFolder):
    """The folder of one model of a tuning."""

    def store(self, status: JobStatus) -> None:
        """Store the first status of a new job.

        Raises:
            StoreError: A disk error.
        """
        write_record(self.path / STATUS, status.to_json())

    def verified(self, status: JobStatus) -> JobStatus:
        """Return the status unchanged: the results of a tuning are in its study."""
        return status

    def lose(self, seen: JobStatus) -> JobStatus:
        """Queue the job again, since its process is gone; return the new status."""
        mark = seen.process
        where = f"Process {mark.pid} on {mark.host}" if mark else "Its process"
        again: dict[str, Any] = {
            "state": JobState.QUEUED,
            "process": None,
            "cause": LOST,
            "reason": f"{where} ended during a trial; the tuning goes on with the next one.",
        }
        try:
            changed = self.change({JobState.QUEUED, JobState.RUNNING}, by=mark, **again)
            return changed or self.stored_status()
        except StoreError as error:  # a full disk must not prevent reading the status
            logger.warning("That a trial of '%s' was lost could not be stored: %s", self.path.name, error)
            return replace(seen, **again)

    def ask_to_cancel(self) -> None:
        """Request cancellation; a queued job is CANCELLED immediately.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self.path / "cancel"):
            (self.path / "cancel").touch()
        self.change({JobState.QUEUED}, state=JobState.CANCELLED, ended=time.time(), reason=BETWEEN, cause="cancelled")

    def forget_progress(self) -> None:
        """Remove the progress and the heartbeat of the last trial; a cancel request stays.

        Raises:
            StoreError: A disk error.
        """
        for path in (self.progress_path, self.path / HEARTBEAT):
            with disk_errors_in_words(path):
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the files of the last trial: progress, cancel request, heartbeat; the study stays.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self.path):
            for path in self.path.iterdir():
                if path.name.startswith(STUDY) or path.name in (STATUS, TRIALS):
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def seconds_until_last_beat(self) -> float:
        """Return the seconds between the start of the last trial and its last heartbeat; 0 if unknown."""
        status, beat = self.stored_status(), self.path / HEARTBEAT
        if status.started is None or not beat.exists():
            return 0.0
        return max(0.0, min(beat.stat().st_mtime, time.time()) - status.started)
