"""The engine's loop: take jobs from the queue, hand them to workers, watch them end, say why one did not."""

import contextlib
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_core.engine.cluster import Cluster
from recsys_core.engine.queue import JobQueue, Ticket
from recsys_core.engine.speeds import Speeds
from recsys_core.engine.task import run_queued, warm_up
from recsys_core.errors import DiskFull, RecscopeError, StoreError
from recsys_core.experiments.execution import ending_of
from recsys_core.experiments.experiment import JOBS
from recsys_core.experiments.jobs import LOST, JobFolder, JobState, JobStatus
from recsys_core.experiments.store import ID, ResultStore
from recsys_core.models.registry import MODELS
from recsys_core.storage.processes import end_at_once
from recsys_core.storage.space import is_full

logger = logging.getLogger(__name__)
LIVE = {JobState.QUEUED, JobState.RUNNING}
WORKERS_EVERY_SECONDS = 2.0
FULL_SECONDS = 1.0
"""After so long it is tried again whether a full disk has space."""
FORGOTTEN_SECONDS = 5.0
"""So often it is looked for jobs that are queued but have no ticket."""
ATTEMPTS = 5
"""A job whose worker died before the job began is handed out so often."""


@dataclass(frozen=True)
class _Started:
    """A job that was handed to a worker."""

    ticket: Ticket
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
        self._store = ResultStore(root)
        self._queue = JobQueue(root)
        self._speeds = Speeds(root)
        self._started: list[_Started] = []
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._killed: set[tuple[str, str]] = set()
        self._cold = list(MODELS) if cluster.settings.warm_up and cluster.settings.scheduler is None else []
        self._warming: Any = None
        self._workers = 0
        self._workers_seen = 0.0
        self._full_until = self._found_at = -math.inf
        self.last_work = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, waits or warms up."""
        return not self._started and self._warming is None and not self._queue.tickets()

    def recover(self) -> None:
        """Bring folders and queue in line after a crash: what is half-written is set apart, what waits has a ticket."""
        self._store.set_apart()
        self._find_forgotten()

    def step(self) -> None:
        """Look at everything once."""
        for started in list(self._started):
            self._watch(started)
        self._find_forgotten()
        self._start_waiting()
        self._warm_up()
        if not self.is_idle:
            self.last_work = time.monotonic()

    def stop(self, reason: str) -> None:
        """End what runs, with the reason; what waits stays in the queue."""
        for started in self._started:
            with contextlib.suppress(StoreError):
                self._end(started, JobState.FAILED, "killed", reason)
        self._started.clear()

    def _watch(self, started: _Started) -> None:
        """Look after one job: settle it when it has ended, end it when it does not listen."""
        if started.future.done():
            with contextlib.suppress(StoreError):
                if self._never_began(started):
                    self._started.remove(started)  # its ticket is still in the queue
                    return
                self._settle(started)
                self._forget(started)
            return
        asked = started.job.cancel_requested_at()
        grace = self._cluster.settings.cancel_grace
        if asked is not None and time.time() - asked > grace and started.ticket.job not in self._killed:
            self._kill(started)

    def _kill(self, started: _Started) -> None:
        """End the process of a job that was asked to stop and does not listen; its nanny starts another one."""
        seconds = self._cluster.settings.cancel_grace
        process = started.job.stored_status().process
        reason = f"Stopped on request; it did not listen for {seconds:g} seconds, so its process was restarted."
        self._end(started, JobState.CANCELLED, "cancelled", reason)
        self._killed.add(started.ticket.job)
        if process is not None and process.is_here and not process.is_gone:
            end_at_once(process.pid)
        else:
            self._cluster.restart_worker_of(started.future)

    def _never_began(self, started: _Started) -> bool:
        """Whether a worker died before it came to this job; so it is tried again, but not for ever."""
        if started.future.status != "error" or started.job.stored_status().state is not JobState.QUEUED:
            return False
        if isinstance(started.future.exception(), DiskFull) or is_full(self._root):
            return True  # that is no fault of the job: it waits for space
        self._attempts[started.ticket.job] += 1
        return self._attempts[started.ticket.job] < ATTEMPTS

    def _settle(self, started: _Started) -> None:
        """Store how a job ended if its worker could not.

        Raises:
            StoreError: The disk refused; it is tried again at the next step.
        """
        status = started.job.stored_status()
        if status.state is JobState.DONE:
            self._speeds.learn(started.job, status)
        elif status.state in LIVE or status.cause == LOST:
            cause, reason = self._why(started, status)
            self._end(started, JobState.FAILED, cause, reason)

    def _why(self, started: _Started, status: JobStatus) -> tuple[str, str]:
        from distributed.scheduler import KilledWorker

        error = started.future.exception() if started.future.status == "error" else None
        if error is None or isinstance(error, KilledWorker):
            return self._cluster.why_killed(status, started.job.last_beat())
        _, cause, reason = ending_of(error if isinstance(error, Exception) else RecscopeError(str(error)))
        return cause or "error", reason or str(error)

    def _end(self, started: _Started, state: JobState, cause: str, reason: str) -> None:
        """Store an ending, also in place of a bare 'its process is gone' that a reader left."""
        changes: dict[str, Any] = {"state": state, "ended": time.time(), "cause": cause, "reason": reason}
        if started.job.change(LIVE, **changes) is None and started.job.stored_status().cause == LOST:
            started.job.change({JobState.FAILED}, **changes)
        logger.info("%s/%s: %s. %s", *started.ticket.job, state.value, reason)

    def _forget(self, started: _Started) -> None:
        self._killed.discard(started.ticket.job)
        self._attempts.pop(started.ticket.job, None)
        self._started.remove(started)
        self._queue.remove(started.ticket)
        started.future.release()

    def _start_waiting(self) -> None:
        """Hand waiting jobs to free workers, in order; drop tickets of jobs that have ended."""
        under_way = {started.ticket.job for started in self._started}
        for ticket in self._queue.tickets():
            if ticket.job in under_way:
                continue
            try:
                job = self._store.open(ticket.run_id).job(ticket.model_id)
                state = job.status().state
            except RecscopeError as error:
                self._give_up(ticket, str(error))
                continue
            if state.is_final:
                self._queue.remove(ticket)
            elif state is JobState.QUEUED:
                if not self._has_room() or not self._has_space(job):
                    return
                arguments = (str(self._root), ticket.run_id, ticket.model_id, self._cluster.threads)
                self._started.append(_Started(ticket, job, self._cluster.submit(run_queued, *arguments, priority=1)))

    def _give_up(self, ticket: Ticket, reason: str) -> None:
        """Take a job that cannot even be opened out of the queue, and say so in its folder if there is one."""
        logger.warning("%s/%s cannot be run: %s", *ticket.job, reason)
        changes: dict[str, Any] = {"state": JobState.FAILED, "ended": time.time(), "cause": "refused", "reason": reason}
        with contextlib.suppress(StoreError):
            if ID.fullmatch(ticket.run_id) and Path(ticket.model_id).name == ticket.model_id:
                JobFolder(self._store.folder / ticket.run_id / JOBS / ticket.model_id).change(LIVE, **changes)
        self._queue.remove(ticket)

    def _has_space(self, job: JobFolder) -> bool:
        """Whether the disk has space for a job to note how it stands; if not, all wait, and their status says so."""
        if time.monotonic() < self._full_until:
            return False
        try:
            if not is_full(self._root):
                job.reserve_space()
                return True
        except DiskFull:
            pass
        logger.warning("The disk of the workspace is full: what is queued waits for space.")
        self._full_until = time.monotonic() + FULL_SECONDS
        return False

    def _find_forgotten(self) -> None:
        """Give a ticket to every job that is queued without one: a full disk or a killed process kept it from that."""
        if time.monotonic() - self._found_at < FORGOTTEN_SECONDS:
            return
        self._found_at = time.monotonic()
        known = {ticket.job for ticket in self._queue.tickets()}
        for card in self._store.runs():
            for model_id, state in card.states.items():
                if state is not JobState.QUEUED or (card.id, model_id) in known:
                    continue
                status = JobFolder(self._store.folder / card.id / JOBS / model_id).stored_status()
                if status.state is JobState.QUEUED and status.process is None:
                    with contextlib.suppress(StoreError):  # the disk is full: it is tried again
                        self._queue.add(card.id, model_id)

    def _has_room(self) -> bool:
        """Whether a worker is free: one job at a time for each of them."""
        if self._cluster.settings.scheduler is None:
            return len(self._started) < self._cluster.settings.jobs
        now = time.monotonic()
        if now - self._workers_seen > WORKERS_EVERY_SECONDS or not self._workers:
            self._workers, self._workers_seen = self._cluster.workers(), now
        return len(self._started) < self._workers

    def _warm_up(self) -> None:
        """While nothing else is to be done, let a worker load and compile the next algorithm."""
        if self._warming is not None and self._warming.done():
            self._warming.release()
            self._warming = None
        if self._cold and self._warming is None and self.is_idle:
            self._warming = self._cluster.submit(warm_up, self._cold.pop(0))
