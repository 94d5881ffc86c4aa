"""Client of the engine for pages and programs. It uses the workspace's folders, not a connection."""

import contextlib
import logging
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from recsys_core.engine.presence import EngineFolder, Presence
from recsys_core.engine.queue import JobQueue
from recsys_core.engine.settings import EngineSettings
from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.thresholds import scale_refusal
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.processes import mark_of, start_python
from recsys_core.storage.space import is_full
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.workspace import Workspace
    from recsys_core.engine.estimate import Estimate
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.spec import ExperimentSpec

logger = logging.getLogger(__name__)
NOT_QUEUED = "The job could not be queued: the disk is full. Free some space and start it again."


class Engine:
    """Client of the engine of a workspace.

    Args:
        workspace: The workspace, or its folder.
        settings: Limits for estimates; defaults to the environment.
    """

    def __init__(self, workspace: "Workspace | Path | str", settings: EngineSettings | None = None) -> None:
        if isinstance(workspace, Path | str):
            self.root = Path(workspace).resolve()
        else:
            self.root, self._data_sets = workspace.root, workspace
        self.settings = settings or EngineSettings.from_environment()
        self.store = ResultStore(self.root)
        self.queue = JobQueue(self.root)
        self._folder = EngineFolder(self.root)

    def presence(self) -> Presence | None:
        """Return the running engine of this workspace, None if there is none."""
        return self._folder.presence()

    def ensure_started(self) -> None:
        """Start the engine process if there is none, without waiting for it; it survives this process.

        Does nothing while the disk is full: the engine could not announce itself, and queued jobs cannot start anyway.

        Raises:
            StoreError: A disk error.
        """
        if self.presence() is not None or self._folder.is_starting() or is_full(self.root):
            return
        self._folder.make()
        command = ["-m", "recsys_core.engine", "--workspace", str(self.root)]
        with disk_errors_in_words(self._folder.log), self._folder.log.open("ab") as log:
            process = start_python(command, stdout=log, stderr=log)
        with contextlib.suppress(StoreError):  # a second engine exits because the lock is taken
            self._folder.announce_start(mark_of(process.pid))
        threading.Thread(target=process.wait, name="engine-exit", daemon=True).start()

    def wait_until_ready(self, seconds: float = 30.0) -> Presence:
        """Wait until the engine accepts jobs. Optional, since jobs are queued.

        Raises:
            StoreError: Timeout.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            presence = self.presence()
            if presence is not None and presence.address:
                return presence
            time.sleep(0.05)
        raise StoreError(
            _("The engine did not start within {seconds:g} seconds; see {log}.").format(
                seconds=seconds, log=self._folder.log
            )
        )

    def stop(self, seconds: float = 20.0) -> None:
        """Stop the engine and wait for its end; running jobs become FAILED, queued jobs stay in the queue.

        Raises:
            StoreError: Timeout.
        """
        presence = self.presence()
        if presence is None or not presence.process.is_here:
            return
        try:
            process = psutil.Process(presence.process.pid)
            process.terminate()
            process.wait(seconds)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired as error:
            raise StoreError(
                _("The engine did not stop within {seconds:g} seconds.").format(seconds=seconds)
            ) from error

    def submit(self, spec: "ExperimentSpec", *, data_name: str | None = None, name: str | None = None) -> str:
        """Store an experiment, queue its jobs and start the engine if necessary.

        An existing experiment is reused: finished models stay, the others are run again. A job that needs more memory
        than allowed is FAILED immediately, with the amount and an alternative.

        Args:
            spec: Spec of the experiment.
            data_name: Display name of the data set; defaults to its name in the workspace.
            name: Display name of the experiment.

        Returns:
            The experiment's id.

        Raises:
            ConfigError: No rating of the scale reaches the relevance threshold.
            StoreError: The data set does not exist, or a disk error; nothing is stored or queued.
        """
        card = self._data_sets.card(spec.data)
        if reason := scale_refusal(card.name, card.rating_scale, spec.relevant_from):
            raise ConfigError(reason)
        refused = {
            one.model_id: f"{one.refused} {one.alternative}"
            for one in self.estimate(spec).models
            if one.refused is not None
        }
        is_new = not (self.store.folder / spec.id).exists()
        with self.queue.prepared(spec.id, len(spec.models)) as entries:
            run = self.store.create(spec, data_name or card.name, name=name, refused=refused)
            statuses = run.statuses()
            queued = [one.model_id for one in statuses if one.state is JobState.QUEUED and one.process is None]
            known = {entry.job for entry in self.queue.entries()}
            try:
                entries.put([model_id for model_id in queued if (run.id, model_id) not in known])
            except StoreError:
                self._take_back(run, queued, is_new=is_new)
                raise
        self.wake()
        return run.id

    def _take_back(self, run: "Run", queued: list[str], *, is_new: bool) -> None:
        """Undo `submit`: delete a new experiment, or mark the requeued models as failed."""
        with contextlib.suppress(StoreError):
            if is_new:
                self.store.delete(run.id)
                return
        for model_id in queued:
            with contextlib.suppress(StoreError):
                run.job(model_id).change(
                    {JobState.QUEUED}, state=JobState.FAILED, ended=time.time(), cause="disk", reason=NOT_QUEUED
                )

    def wake(self) -> None:
        """Start an engine if there is none; after a disk error the next `status` call tries again."""
        try:
            self.ensure_started()
        except StoreError as error:
            logger.warning("The engine could not be started yet: %s", error)

    def start_again(self, run_id: str, model_id: str) -> None:
        """Queue a failed or cancelled job again; it resumes from its checkpoint, if there is one.

        Raises:
            StoreError: The job does not exist, or a disk error.
        """
        job = self.store.open(run_id).job(model_id)
        with self.queue.prepared(run_id) as entries:
            job.requeue()
            known = {entry.job for entry in self.queue.entries()}
            if job.stored_status().state is JobState.QUEUED and (run_id, model_id) not in known:
                entries.put([model_id])
        self.wake()

    def cancel(self, run_id: str, model_id: str) -> None:
        """Cancel a job: a queued job immediately, a running one at its next step.

        Raises:
            StoreError: The job does not exist, or a disk error.
        """
        self.store.open(run_id).cancel(model_id)

    def status(self, run_id: str) -> list[JobStatus]:
        """Return the status of the jobs of an experiment, in the order of its spec.

        Starts a new engine if jobs are queued and the engine has ended.

        Raises:
            StoreError: The experiment does not exist.
        """
        statuses = self.store.open(run_id).statuses()
        if any(status.state is JobState.QUEUED and status.process is None for status in statuses):
            self.wake()
        return statuses

    def estimate(self, spec: "ExperimentSpec") -> "Estimate":
        """Return the estimated time and memory of an experiment.

        Raises:
            StoreError: The data set does not exist.
        """
        from recsys_core.engine.estimate import DataSize, estimate

        card = self._data_sets.card(spec.data)
        return estimate(spec, DataSize(card.n_users, card.n_items, card.n_interactions), self.settings, self.root)

    @cached_property
    def _data_sets(self) -> "Workspace":
        from recsys_core.data.workspace import Workspace

        return Workspace(self.root)
