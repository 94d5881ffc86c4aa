"""Tunings in the queue of the engine: start, cancel, resume, and the experiment of the tuned models."""

from typing import TYPE_CHECKING

from recsys_core.engine.client import Engine
from recsys_core.engine.queue import TUNE
from recsys_core.errors import ConfigError
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.thresholds import scale_refusal
from recsys_core.experiments.tuning.store import TuningStore

if TYPE_CHECKING:
    from recsys_core.data.workspace import Workspace
    from recsys_core.experiments.tuning.spec import TuningSpec

RESUMED = (JobState.FAILED, JobState.CANCELLED)


class Tunings:
    """Client of the engine for tunings. Several users may use one tuning at once.

    Args:
        engine: The engine of the workspace.
        workspace: Its data sets.
    """

    def __init__(self, engine: Engine, workspace: "Workspace") -> None:
        self._engine = engine
        self._data_sets = workspace
        self.store = TuningStore(engine.root)

    def start(self, spec: "TuningSpec", *, name: str | None = None) -> str:
        """Store a tuning and queue the first trial of each model; a stored one goes on where it ended.

        Args:
            spec: The tuning.
            name: Its name, and that of its presets; defaults to data set, metric and budget.

        Returns:
            Its id.

        Raises:
            ConfigError: The name is invalid, or no rating of the scale reaches the relevance threshold.
            TestPartSealed: Its tuned models were already evaluated on the test part.
            StoreError: The data set does not exist, or a disk error.
        """
        card = self._data_sets.card(spec.experiment.data)
        if reason := scale_refusal(card.name, card.rating_scale, spec.experiment.relevant_from):
            raise ConfigError(reason)
        tuning = self.store.create(spec, card.name, name)
        self.resume(tuning.id)
        return tuning.id

    def resume(self, tuning_id: str) -> None:
        """Queue the failed and cancelled models of a tuning again; unfinished trials are marked and repeated.

        Raises:
            TestPartSealed: Its tuned models were already evaluated on the test part.
            StoreError: The tuning does not exist, or a disk error.
        """
        tuning = self.store.open(tuning_id)
        if any(status.state is not JobState.DONE for status in tuning.statuses()):
            tuning.guard.refuse_if_read()
        for key in tuning.spec.models:
            job = tuning.job(key)
            if job.stored_status().state in RESUMED:
                job.requeue()
            if job.stored_status().state is JobState.QUEUED:
                self._engine.queue.add(tuning_id, key, TUNE)
        self._engine.wake()

    def cancel(self, tuning_id: str) -> None:
        """Cancel all models of a tuning: queued ones at once, running ones at their next step.

        Raises:
            StoreError: The tuning does not exist, or a disk error.
        """
        self.store.open(tuning_id).cancel()

    def status(self, tuning_id: str) -> list[JobStatus]:
        """Return the status of each model; starts a new engine if models are queued and the engine has ended.

        Raises:
            StoreError: The tuning does not exist.
        """
        statuses = self.store.open(tuning_id).statuses()
        if any(status.state is JobState.QUEUED for status in statuses):
            self._engine.wake()
        return statuses

    def train(self, tuning_id: str, *, name: str | None = None) -> str:
        """Start the experiment of the tuned models, which reads the test part; the tuning is then closed.

        Returns:
            The id of the experiment; that of the first call if there was one.

        Raises:
            ConfigError: The tuning is running, or has no tuned settings.
            StoreError: The tuning does not exist, or a disk error.
        """
        tuning = self.store.open(tuning_id)
        return self._engine.submit(tuning.read_test_part(), data_name=tuning.data_name, name=name or tuning.name)
