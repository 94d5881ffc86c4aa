"""Execution of the next trial of a model: claim its job, run the trial, and queue the job again or end it.

While a job is running, other workers may help with further trials of the model (`help_with`), up to a round of them;
see `rounds.py`. They leave the job alone, so it is the process of the job that ends it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.contracts import RunContext
from recsys_core.data.splits import Split
from recsys_core.errors import Cancelled, DataError
from recsys_core.experiments.execution import ending_of, heartbeats
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.progress import ProgressWriter
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.train_job import DataSource
from recsys_core.experiments.tuning.job import BETWEEN, STUDY_LOCK, Helpers, TuningJob
from recsys_core.experiments.tuning.program_trial import is_program, prepare
from recsys_core.experiments.tuning.rows import write_rows
from recsys_core.experiments.tuning.space import search_space
from recsys_core.experiments.tuning.store import Tuning
from recsys_core.experiments.tuning.studies import (
    REASON,
    ModelStudy,
    close_storage,
    open_storage,
    storage_address,
    storage_errors,
    study_name,
)
from recsys_core.experiments.tuning.trial import Folders, Limits, Refusal, run_trial, sealed_split
from recsys_core.models.registry import model_class
from recsys_core.storage.locks import locked
from recsys_core.storage.processes import ProcessMark, own_mark
from recsys_core.text import _

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

MANY_FAILURES = 3
"""Failed trials after which a model without any result is given up."""
PATIENCE_SECONDS, LOOK_SECONDS = 1.0, 0.1
"""How long a process waits for the end of a round before it gives its worker to other jobs, and how often it looks."""
KILLED = "Its process ended unexpectedly: it was killed, or it ran out of memory."


def _nothing_refused(_: ModelSpec) -> str | None:
    return None


def _nothing_to_do(_: str) -> None:
    """Do nothing."""


@dataclass
class Bench:
    """A tuning with its split, which is made once for all trials of a process.

    Args:
        tuning: The tuning.
        source: Opens its data.
        threads: Cores that a trial may use.
        refusal: Which settings this machine refuses.
        on_done: Called with the model before its job becomes DONE.
    """

    tuning: Tuning
    source: DataSource
    threads: int = 1
    refusal: Refusal = _nothing_refused
    on_done: Callable[[str], None] = _nothing_to_do
    _studies: dict[str, ModelStudy] = field(default_factory=dict, init=False)
    _storages: "dict[str, RDBStorage]" = field(default_factory=dict, init=False)

    @cached_property
    def split(self) -> Split:
        """The split without its test part."""
        return sealed_split(self.tuning.spec.experiment, self.source, self.tuning.guard, RunContext())

    def run_next(self, key: str) -> JobStatus:
        """Run the next trial of a QUEUED model, and store what follows: QUEUED again, DONE, CANCELLED or FAILED.

        A job in another state is not touched, so a job that is started twice runs once.

        Args:
            key: The model.

        Returns:
            The status after the trial.

        Raises:
            StoreError: The model does not exist, or its status could not be stored.
        """
        job, mark = self.tuning.job(key), own_mark()
        lost_seconds = job.seconds_until_last_beat()
        claimed = job.change(
            {JobState.QUEUED}, state=JobState.RUNNING, started=time.time(), process=mark, cause=None, reason=None
        )
        if claimed is None:
            return job.status()
        try:
            after = self._run(job, key, lost_seconds)
            if after is JobState.DONE:
                self.on_done(key)
        except BaseException as error:
            state, cause, reason = ending_of(error)
            self._store(job, mark, state, cause, reason)
            if not isinstance(error, Exception):
                raise
        else:
            self._store(job, mark, after, None, None)
        return job.status()

    def _run(self, job: TuningJob, key: str, lost_seconds: float) -> JobState:
        """Run one trial; return the state of the job after it.

        Args:
            job: The claimed job.
            key: The model.
            lost_seconds: Seconds that the last trial is known to have used, if its process ended unexpectedly.
        """
        if job.cancel_requested():
            raise Cancelled(BETWEEN)
        job.forget_progress()
        self.tuning.guard.refuse_if_read()
        writer = ProgressWriter(job.progress_path)
        folders = self._folders(job.path)
        with heartbeats(job, writer), storage_errors():
            job.reserve_space()
            if is_program(key):
                ctx = RunContext(report=writer, threads=self.threads, stop_requested=job.cancel_requested)
                prepare(key, self.tuning.spec.experiment, folders.root, ctx)
            study = self._study(job, key)
            study.close_unfinished(KILLED, lost_seconds)
            try:
                if self._may_start(job, study):
                    ctx = RunContext(report=writer, threads=self.threads)
                    limits = Limits(job.cancel_requested, self._seconds_left(study))
                    run_trial(study, key, self.tuning.spec, self.split, ctx, limits, self.refusal, folders)
                    writer.flush()
            finally:
                study.on_start()
            return self._state_after(study)

    def help_with(self, key: str) -> None:
        """Run a further trial of a model whose job is running, if the round allows it; the job is left alone.

        Args:
            key: The model.

        Raises:
            RecscopeError: The trial could not be run.
        """
        job, mark = self.tuning.job(key), own_mark()
        if job.stored_status().state is not JobState.RUNNING:
            return
        self.tuning.guard.refuse_if_read()
        beats = Helpers(job.path).folder_of(mark)
        beats.beat()  # before the trial is drawn: a silent helper counts as gone
        with storage_errors(), suppress(Cancelled), heartbeats(beats, ProgressWriter(beats.progress_path)):
            study = self._study(job, key)
            try:
                if self._may_start(job, study):
                    limits = Limits(job.cancel_requested, self._seconds_left(study))
                    ctx, folders = RunContext(threads=self.threads), self._folders(beats.path)
                    run_trial(study, key, self.tuning.spec, self.split, ctx, limits, self.refusal, folders, mark)
            finally:
                study.on_start()

    def _folders(self, own: Path) -> Folders:
        """Return where a program works, in a folder of its process."""
        return Folders(own, self.tuning.path.parent.parent)

    def _may_start(self, job: TuningJob, study: ModelStudy) -> bool:
        """Return whether a trial may start, after waiting a little for the round to end; False if the budget is used.

        Raises:
            Cancelled: The user cancelled meanwhile.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while not study.used().exceeds(self.tuning.spec):
            if study.next_place() is not None:
                return True
            if job.cancel_requested():
                raise Cancelled(BETWEEN)
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_SECONDS)
            study.close_helpers(KILLED)
        return False

    def _study(self, job: TuningJob, key: str) -> ModelStudy:
        """Return the study of a model, which stays open until `close`."""
        if key not in self._studies:
            space = search_space(model_class(key).config_type)
            name = study_name(job.path, self.tuning.spec, key, self.tuning.created)
            study = ModelStudy(self._storage(job.path), self.tuning.spec, key, space, name)
            study.alone = partial(locked, job.path / STUDY_LOCK)
            study.is_gone = Helpers(job.path).is_gone
            study.on_start = partial(self._write_rows, job, study)
            self._studies[key] = study
        return self._studies[key]

    def _storage(self, folder: Path) -> "RDBStorage":
        """Return the storage of a model, one for all models of a shared database, which limits its connections."""
        address = storage_address(folder)
        if address not in self._storages:
            self._storages[address] = open_storage(folder)
        return self._storages[address]

    def _write_rows(self, job: TuningJob, study: ModelStudy) -> None:
        with study.alone():  # else an older state could replace a newer one
            write_rows(job.path, study.trials(), study.space)

    def close(self) -> None:
        """Close the studies."""
        for storage in self._storages.values():
            close_storage(storage)
        self._studies.clear()
        self._storages.clear()

    def _seconds_left(self, study: ModelStudy) -> float | None:
        """Return the rest of a budget of seconds; None for the first trial, which is always finished."""
        seconds, used = self.tuning.spec.budget.seconds, study.used()
        return None if seconds is None or used.trials == 0 else seconds - used.seconds

    def _state_after(self, study: ModelStudy) -> JobState:
        used = study.used()
        if used.completed == 0 and used.failed >= MANY_FAILURES:
            last = [trial.user_attrs[REASON] for trial in study.trials() if REASON in trial.user_attrs][-1]
            raise DataError(_("All {failed} trials failed. The last one: {last}").format(failed=used.failed, last=last))
        return JobState.DONE if used.exceeds(self.tuning.spec) else JobState.QUEUED

    def _store(self, job: TuningJob, mark: ProcessMark, state: JobState, cause: str | None, reason: str | None) -> None:
        if state is JobState.QUEUED and job.cancel_requested():
            state, cause, reason = JobState.CANCELLED, "cancelled", BETWEEN
        ended = time.time() if state.is_final else None
        process = mark if state.is_final else None
        job.change({JobState.RUNNING}, by=mark, state=state, ended=ended, process=process, cause=cause, reason=reason)
