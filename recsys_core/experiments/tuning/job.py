"""The tuning of one model as a job: it is queued, runs one trial, and is queued again until its budget is used up.

A process that ends unexpectedly does not end the tuning: the job is queued again, and the next trial marks the one that
was lost.
"""

import logging
import shutil
import time
from dataclasses import replace
from typing import Any

from recsys_core.errors import StoreError
from recsys_core.experiments.jobs import LOST, STATUS, JobFolder, JobState, JobStatus
from recsys_core.experiments.tuning.rows import TRIALS
from recsys_core.experiments.tuning.studies import STUDY
from recsys_core.storage.checksums import write_record
from recsys_core.storage.disk_errors import disk_errors_in_words

logger = logging.getLogger(__name__)
BETWEEN = "Cancelled between two trials."


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
        for path in (self.progress_path, self.path / "heartbeat"):
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
        status, beat = self.stored_status(), self.path / "heartbeat"
        if status.started is None or not beat.exists():
            return 0.0
        return max(0.0, min(beat.stat().st_mtime, time.time()) - status.started)
