"""The engine's main loop: submit queued jobs to workers, monitor them, and record failures."""

import contextlib
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.engine.cluster import Cluster
from recsys_core.engine.queue import TUNE, JobQueue, QueueEntry
from recsys_core.engine.speeds import Speeds
from recsys_core.engine.warmup import warm_up_model
from recsys_core.engine.work import Work
from recsys_core.errors import DiskFull, RecscopeError, StoreError
from recsys_core.experiments.execution import ending_of
from recsys_core.experiments.jobs import LOST, JobFolder, JobState, JobStatus
from recsys_core.experiments.store import ID
from recsys_core.experiments.tuning.rounds import ROUND
from recsys_core.models.registry import MODELS
from recsys_core.storage.processes import end_at_once
from recsys_core.storage.space import is_full

logger = logging.getLogger(__name__)
LIVE = {JobState.QUEUED, JobState.RUNNING}
WORKERS_EVERY_SECONDS = 2.0
FULL_SECONDS = 1.0
"""Interval between checks whether a full disk has space again."""
ORPHAN_SECONDS = 5.0
"""Interval between searches for QUEUED jobs without a queue entry."""
ATTEMPTS = 5
"""Maximum submissions of a job whose worker died before the job started."""


@dataclass(frozen=True)
class _Started:
    """A job submitted to a worker."""

    entry: QueueEntry
    job: JobFolder
    future: Any


class Dispatcher:
    """Runs the jobs of one workspace on one cluster.

    Args:
        root: The workspace's folder.
        cluster: Where jobs run.
    """

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self._root = root
        self._cluster = cluster
        self._work = Work(root)
        self._queue = JobQueue(root)
        self._speeds = Speeds(root)
        self._started: list[_Started] = []
        self._helping: list[_Started] = []
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._killed: set[tuple[str, str]] = set()
        self._cold = list(MODELS) if cluster.settings.warm_up and cluster.settings.access is None else []
        self._warming: Any = None
        self._workers = 0
        self._workers_seen = 0.0
        self._full_until = self._searched_at = -math.inf
        self.last_work = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running, queued or warming up."""
        return not self._started and not self._helping and self._warming is None and not self._queue.entries()

    def recover(self) -> None:
        """Repair the state after a crash: set damaged runs aside, and add queue entries for QUEUED jobs without one."""
        self._work.runs.set_apart()
        self._requeue_orphans()

    def step(self) -> None:
        """Run one iteration."""
        for started in list(self._started):
            self._watch(started)
        for helping in list(self._helping):
            self._watch_helper(helping)
        self._requeue_orphans()
        if self._start_queued():
            self._start_helpers()
        self._warm_up()
        if not self.is_idle:
            self.last_work = time.monotonic()

    def stop(self, reason: str) -> None:
        """Fail all running jobs with a reason; queued jobs stay in the queue."""
        for started in self._started:
            with contextlib.suppress(StoreError):
                if started.entry.kind == TUNE:
                    self._end(started, JobState.QUEUED, LOST, reason)  # the next engine goes on with the tuning
                else:
                    self._end(started, JobState.FAILED, "killed", reason)
        self._started.clear()
        self._helping.clear()

    def _watch(self, started: _Started) -> None:
        """Monitor one job: settle it when it has ended, kill it when it ignores cancellation."""
        if started.future.done():
            with contextlib.suppress(StoreError):
                if self._never_started(started):
                    self._started.remove(started)  # its entry is still in the queue
                    return
                self._settle(started)
                self._forget(started)
            return
        requested = started.job.cancel_requested_at()
        grace = self._cluster.settings.cancel_grace
        if requested is not None and time.time() - requested > grace and started.entry.job not in self._killed:
            self._kill(started)

    def _watch_helper(self, helping: _Started) -> None:
        """Forget a trial beside a job when it has ended; restart the worker of one that ignores cancellation."""
        if not helping.future.done():
            requested = helping.job.cancel_requested_at()
            if requested is None or time.time() - requested <= self._cluster.settings.cancel_grace:
                return
            self._cluster.restart_worker_of(helping.future)
        elif helping.future.status == "error":
            logger.warning("%s/%s: a further trial failed. %s", *helping.entry.job, helping.future.exception())
        self._helping.remove(helping)
        helping.future.release()

    def _kill(self, started: _Started) -> None:
        """Kill the process of a job that ignores cancellation; its nanny restarts the worker."""
        seconds = self._cluster.settings.cancel_grace
        process = started.job.stored_status().process
        reason = f"Cancelled; it did not stop within {seconds:g} seconds, so its process was restarted."
        self._end(started, JobState.CANCELLED, "cancelled", reason)
        self._killed.add(started.entry.job)
        if process is not None and process.is_here and not process.is_gone:
            end_at_once(process.pid)
        else:
            self._cluster.restart_worker_of(started.future)

    def _never_started(self, started: _Started) -> bool:
        """Return whether a worker died before this job started and the job should be retried."""
        if started.future.status != "error" or started.job.stored_status().state is not JobState.QUEUED:
            return False
        if isinstance(started.future.exception(), DiskFull) or is_full(self._root):
            return True  # not a failure of the job: it stays queued until there is space
        self._attempts[started.entry.job] += 1
        return self._attempts[started.entry.job] < ATTEMPTS

    def _settle(self, started: _Started) -> None:
        """Store how a job ended if its worker could not do so.

        Raises:
            StoreError: A disk error; retried in the next iteration.
        """
        status = started.job.stored_status()
        if started.entry.kind == TUNE:
            self._settle_trial(started, status)
        elif status.state is JobState.DONE:
            self._speeds.learn(started.job, status)
        elif status.state in LIVE or status.cause == LOST:
            cause, reason = self._why(started, status)
            self._end(started, JobState.FAILED, cause, reason)

    def _settle_trial(self, started: _Started, status: JobStatus) -> None:
        """Queue the next trial of a model behind all other jobs; one whose worker died is marked by the next one.

        Raises:
            StoreError: A disk error; retried in the next iteration.
        """
        if status.state is JobState.RUNNING:
            _, reason = self._why(started, status)
            self._end(started, JobState.QUEUED, LOST, reason)
        if started.job.stored_status().state is JobState.QUEUED:
            self._queue.remove(started.entry)
            self._queue.add(*started.entry.job, kind=TUNE)

    def _why(self, started: _Started, status: JobStatus) -> tuple[str, str]:
        from distributed.scheduler import KilledWorker

        error = started.future.exception() if started.future.status == "error" else None
        if error is None or isinstance(error, KilledWorker):
            return self._cluster.why_killed(status, started.job.last_beat())
        _, cause, reason = ending_of(error if isinstance(error, Exception) else RecscopeError(str(error)))
        return cause or "error", reason or str(error)

    def _end(self, started: _Started, state: JobState, cause: str, reason: str) -> None:
        """Store an ending; also replaces the unspecific LOST ending stored by a reader."""
        changes: dict[str, Any] = {"state": state, "ended": time.time(), "cause": cause, "reason": reason}
        if state is JobState.QUEUED:
            changes |= {"ended": None, "process": None}
        if started.job.change(LIVE, **changes) is None and started.job.stored_status().cause == LOST:
            started.job.change({JobState.FAILED}, **changes)
        logger.info("%s/%s: %s. %s", *started.entry.job, state.value, reason)

    def _forget(self, started: _Started) -> None:
        self._killed.discard(started.entry.job)
        self._attempts.pop(started.entry.job, None)
        self._started.remove(started)
        self._queue.remove(started.entry)
        started.future.release()

    def _start_queued(self) -> bool:
        """Submit queued jobs to free workers, in order; remove entries of jobs that have ended.

        Returns:
            Whether no queued job is left.
        """
        running = {started.entry.job for started in self._started}
        for entry in self._queue.entries():
            if entry.job in running:
                continue
            try:
                job = self._work.job(entry)
                state = job.status().state
            except RecscopeError as error:
                self._reject(entry, str(error))
                continue
            if state.is_final:
                self._queue.remove(entry)
            elif state is JobState.QUEUED:
                if not self._has_free_worker() or not self._has_space(job):
                    return False
                task = self._work.task(entry, self._cluster.settings, self._cluster.threads)
                self._started.append(_Started(entry, job, self._cluster.submit(*task, priority=1)))
        return True

    def _start_helpers(self) -> None:
        """Let workers that no job waits for run further trials of the models whose trials are running."""
        for started in self._started:
            beside = sum(helping.entry.job == started.entry.job for helping in self._helping)
            if started.entry.kind != TUNE or beside >= ROUND - 1 or not self._has_free_worker():
                continue
            if started.job.stored_status().state is JobState.RUNNING:
                task = self._work.help_task(started.entry, self._cluster.settings, self._cluster.threads)
                self._helping.append(_Started(started.entry, started.job, self._cluster.submit(*task, priority=1)))

    def _reject(self, entry: QueueEntry, reason: str) -> None:
        """Remove a job that cannot be opened from the queue, and mark it as FAILED if its folder exists."""
        logger.warning("%s/%s cannot be run: %s", *entry.job, reason)
        changes: dict[str, Any] = {"state": JobState.FAILED, "ended": time.time(), "cause": "refused", "reason": reason}
        with contextlib.suppress(StoreError):
            if ID.fullmatch(entry.run_id) and Path(entry.model_id).name == entry.model_id:
                self._work.folder(entry).change(LIVE, **changes)
        self._queue.remove(entry)

    def _has_space(self, job: JobFolder) -> bool:
        """Return whether the disk has space for the status of a job; if not, all jobs stay queued."""
        if time.monotonic() < self._full_until:
            return False
        try:
            if not is_full(self._root):
                job.reserve_space()
                return True
        except DiskFull:
            pass
        logger.warning("The disk of the workspace is full: queued jobs wait for free space.")
        self._full_until = time.monotonic() + FULL_SECONDS
        return False

    def _requeue_orphans(self) -> None:
        """Add queue entries for QUEUED jobs without one, left over from a full disk or a killed process."""
        if time.monotonic() - self._searched_at < ORPHAN_SECONDS:
            return
        self._searched_at = time.monotonic()
        known = {entry.job for entry in self._queue.entries()}
        for run_id, model_id, kind in self._work.queued():
            if (run_id, model_id) not in known:
                with contextlib.suppress(StoreError):  # the disk is full: retried later
                    self._queue.add(run_id, model_id, kind)

    def _has_free_worker(self) -> bool:
        """Return whether a worker is free; each worker runs one job at a time."""
        busy = len(self._started) + len(self._helping)
        if self._cluster.settings.access is None:
            return busy < self._cluster.settings.jobs
        now = time.monotonic()
        if now - self._workers_seen > WORKERS_EVERY_SECONDS or not self._workers:
            self._workers, self._workers_seen = self._cluster.workers(), now
        return busy < self._workers

    def _warm_up(self) -> None:
        """When idle, let a worker load and compile the next algorithm."""
        if self._warming is not None and self._warming.done():
            self._warming.release()
            self._warming = None
        if self._cold and self._warming is None and self.is_idle:
            self._warming = self._cluster.submit(warm_up_model, self._cold.pop(0))
