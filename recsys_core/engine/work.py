"""The kinds of work in the queue, trainings of experiments and trials of tunings: their jobs, and what runs them."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from recsys_core.engine.estimate import DataSize, memory_of
from recsys_core.engine.queue import TRAIN, TUNE, Kind, QueueEntry
from recsys_core.engine.settings import EngineSettings, in_words
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import JOBS
from recsys_core.experiments.jobs import JobFolder, JobState
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.job import TuningJob
from recsys_core.experiments.tuning.presets import PresetStore, presets_of
from recsys_core.experiments.tuning.store import TuningStore
from recsys_core.text import _


def run_queued(root: str, run_id: str, model_id: str, threads: int) -> None:
    """Train one model of an experiment in a worker process; Dask pickles the function by name.

    Args:
        root: The workspace's folder, the same on all machines.
        run_id: The experiment.
        model_id: One of its models.
        threads: Cores that it may use; 0: the number of threads of this worker.
    """
    from recsys_core.data.workspace import Workspace

    execute(ResultStore(root), run_id, model_id, Workspace(Path(root)), _allowed(threads))


def run_queued_trial(root: str, tuning_id: str, key: str, threads: int, memory: int) -> None:
    """Run the next trial of one model of a tuning in a worker process; the last one stores a preset.

    Args:
        root: The workspace's folder, the same on all machines.
        tuning_id: The tuning.
        key: One of its models.
        threads: Cores that it may use; 0: the number of threads of this worker.
        memory: Bytes that a job may use; 0: unknown.
    """
    _bench(root, tuning_id, _allowed(threads), memory).run_next(key)


def help_with_trials(root: str, tuning_id: str, key: str, threads: int, memory: int) -> None:
    """Run a further trial of a model whose job is running in another worker; arguments as for `run_queued_trial`."""
    _bench(root, tuning_id, _allowed(threads), memory).help_with(key)


@lru_cache(maxsize=2)
def _bench(root: str, tuning_id: str, threads: int, memory: int) -> Bench:
    """Return a tuning with its split; a worker keeps it for the next trials."""
    from recsys_core.data.workspace import Workspace

    workspace = Workspace(Path(root))
    tuning = TuningStore(root).open(tuning_id)
    card = workspace.card(tuning.spec.experiment.data)
    size = DataSize(card.n_users, card.n_items, card.n_interactions)

    def refusal(model: ModelSpec) -> str | None:
        needed = memory_of(model, size)
        if not memory or needed <= memory:
            return None
        return _("They would need {needed} of memory; a job may use {allowed}.").format(
            needed=in_words(needed), allowed=in_words(memory)
        )

    def keep(key: str) -> None:
        for preset in presets_of(tuning, key):
            PresetStore(Path(root)).save(preset)

    return Bench(tuning, workspace, threads, refusal, keep)


def _allowed(threads: int) -> int:
    from distributed import get_worker

    return threads or int(get_worker().state.nthreads)


class Work:
    """The jobs of a workspace, of both kinds.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.runs = ResultStore(root)
        self._tunings = TuningStore(root)

    def job(self, entry: QueueEntry) -> JobFolder:
        """Return the folder of a queued job.

        Raises:
            RecscopeError: It cannot be opened.
        """
        if entry.kind == TUNE:
            return self._tunings.open(entry.run_id).job(entry.model_id)
        return self.runs.open(entry.run_id).job(entry.model_id)

    def folder(self, entry: QueueEntry) -> JobFolder:
        """Return the folder of a job, whether or not its experiment or tuning can be opened."""
        if entry.kind == TUNE:
            return TuningJob(self._tunings.folder / entry.run_id / JOBS / entry.model_id)
        return JobFolder(self.runs.folder / entry.run_id / JOBS / entry.model_id)

    def task(self, entry: QueueEntry, settings: EngineSettings, threads: int) -> tuple[Any, ...]:
        """Return the function that runs a job, and its arguments.

        Args:
            entry: The job.
            settings: Limits of a job.
            threads: Cores that it may use; 0: those of the worker.
        """
        arguments = (str(self._root), entry.run_id, entry.model_id, threads)
        if entry.kind == TUNE:
            return run_queued_trial, *arguments, _memory(settings)
        return run_queued, *arguments

    def help_task(self, entry: QueueEntry, settings: EngineSettings, threads: int) -> tuple[Any, ...]:
        """Return the function that runs a further trial beside a running job of a tuning, and its arguments."""
        return help_with_trials, str(self._root), entry.run_id, entry.model_id, threads, _memory(settings)

    def queued(self) -> Iterator[tuple[str, str, Kind]]:
        """Yield experiment or tuning, model and kind of every job that is QUEUED without a process of its own."""
        for card in self.runs.runs():
            for model_id, state in card.states.items():
                if state is JobState.QUEUED and _is_open(JobFolder(self.runs.folder / card.id / JOBS / model_id)):
                    yield card.id, model_id, TRAIN
        for tuning in self._tunings.tunings():
            if not tuning.is_live:
                continue
            for key in tuning.states:
                job = TuningJob(self._tunings.folder / tuning.id / JOBS / key)
                if job.status().state is JobState.QUEUED:  # one whose process is gone becomes QUEUED here
                    yield tuning.id, key, TUNE


def _memory(settings: EngineSettings) -> int:
    return settings.job_memory if settings.memory_is_known else 0


def _is_open(job: JobFolder) -> bool:
    status = job.stored_status()
    return status.state is JobState.QUEUED and status.process is None
