"""One experiment as it is stored: what was asked for, how its jobs stand, and what came out. Reading trains nothing."""

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from recsys_core.errors import RecscopeError, StoreError
from recsys_core.experiments.durable import read_json
from recsys_core.experiments.jobs import JobFolder, JobState, JobStatus
from recsys_core.experiments.saving import (
    ENVIRONMENT,
    HISTORY,
    LISTS,
    PER_USER,
    JobResult,
    load_model,
    load_result,
    load_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.evaluation.comparison import Comparison
    from recsys_core.experiments.spec import ModelSpec
    from recsys_core.models.base import Recommender

SPEC = "spec.json"
SUMMARY = "summary.json"
SPLIT = "split.json"
JOBS = "jobs"


class Run:
    """The folder of one experiment.

    Args:
        path: `runs/<experiment id>`.

    Raises:
        StoreError: It is not whole, or names an algorithm or a setting that this version does not know.
    """

    def __init__(self, path: Path) -> None:
        from recsys_core.experiments.spec import ExperimentSpec

        self.path = path
        self.id = path.name
        values = read_json(path / SPEC)
        try:
            self.spec = ExperimentSpec.stored(values)
        except (ValidationError, RecscopeError) as error:
            raise StoreError(f"Experiment '{self.id}' cannot be opened by this version: {error}") from error

    @cached_property
    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = read_json(self.path / SUMMARY)
        return summary

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self._summary["name"])

    @property
    def data_name(self) -> str:
        """Name of the data set when the experiment was asked for."""
        return str(self._summary["data_name"])

    @property
    def created(self) -> datetime:
        """When it was asked for, in local time."""
        return datetime.fromtimestamp(self._summary["created"]).astimezone()

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Names of the jobs, in the order of the spec."""
        return tuple(model.id for model in self.spec.models)

    def model_spec(self, model_id: str) -> "ModelSpec":
        """Return algorithm and settings of a job.

        Raises:
            StoreError: The experiment has no such job.
        """
        for model in self.spec.models:
            if model.id == model_id:
                return model
        raise StoreError(f"Experiment '{self.id}' has no model '{model_id}'. It has: {', '.join(self.model_ids)}.")

    def job(self, model_id: str) -> JobFolder:
        """Return the folder of a job.

        Raises:
            StoreError: The experiment has no such job.
        """
        return JobFolder(self.path / JOBS / self.model_spec(model_id).id)

    def status(self, model_id: str) -> JobStatus:
        """Return how a job stands; one whose process is gone is FAILED from now on."""
        return self.job(model_id).status()

    def statuses(self) -> list[JobStatus]:
        """Return how all jobs stand, in the order of the spec."""
        return [self.status(model_id) for model_id in self.model_ids]

    def finished(self) -> tuple[str, ...]:
        """Return the jobs that ended well, in the order of the spec."""
        return tuple(status.model_id for status in self.statuses() if status.state is JobState.DONE)

    @property
    def is_live(self) -> bool:
        """Whether a job waits or runs."""
        return any(status.is_live for status in self.statuses())

    def cancel(self, model_id: str) -> None:
        """Ask a job to stop."""
        self.job(model_id).ask_to_cancel()

    def progress(self, model_id: str) -> "pd.DataFrame":
        """Return the points of a job's curves: `time`, `stage`, `step`, `total` and one column a value."""
        return self.job(model_id).progress()

    def result(self, model_id: str) -> JobResult:
        """Return the numbers of a finished job.

        Raises:
            StoreError: It has not finished, or its files are broken.
        """
        return load_result(self._finished(model_id))

    def results(self) -> dict[str, JobResult]:
        """Return the numbers of all finished jobs, in the order of the spec."""
        return {model_id: self.result(model_id) for model_id in self.finished()}

    def per_user(self) -> "dict[str, pd.DataFrame]":
        """Return one row a user (and fold) for each finished job: `user`, `user_id`, `fold` and a column a metric."""
        return {model_id: self.per_user_of(model_id) for model_id in self.finished()}

    def per_user_of(self, model_id: str) -> "pd.DataFrame":
        """Return one row a user (and fold) of a finished job."""
        return load_table(self._finished(model_id) / PER_USER)

    def history(self, model_id: str) -> "pd.DataFrame":
        """Return the curves of a finished job: `stage`, `step`, `fold` and one column a value, such as the loss."""
        return load_table(self._finished(model_id) / HISTORY)

    def comparison(self, metric: str | None = None, *, baseline: str | None = None) -> "Comparison":
        """Return who is better by a metric, and how sure that is; see `judging.compare_run`."""
        from recsys_core.experiments.judging import compare_run

        return compare_run(self, metric, baseline=baseline)

    def lists(self, model_id: str, user: int | None = None) -> "pd.DataFrame":
        """Return what a model recommended to the test users: `user`, `fold`, `rank` from 1, `item`, `score`, `hit`.

        Args:
            model_id: A finished job.
            user: Only this user's list; all by default.
        """
        return load_table(self._finished(model_id) / LISTS, user=user)

    def model(self, model_id: str) -> "Recommender[Any]":
        """Return the trained model, asked as it was trained (on liked items only, if the spec says so).

        Of a k-fold split it is the one of the first fold.
        """
        from recsys_core.experiments.training_part import for_training

        model = self.model_spec(model_id)
        loaded = load_model(self._finished(model_id), model.key, model.config)
        report = self.split_report() or {}
        return for_training(loaded, self.spec, has_ratings=bool(report.get("has_ratings")))

    def environment(self, model_id: str) -> dict[str, Any]:
        """Return on what a job ran: versions, machine, threads."""
        environment: dict[str, Any] = read_json(self._finished(model_id) / ENVIRONMENT)
        return environment

    def split_report(self) -> dict[str, Any] | None:
        """Return counts, leaks and what was left out of the split, one entry a fold; None before a job has made it."""
        if not (self.path / SPLIT).exists():
            return None
        report: dict[str, Any] = read_json(self.path / SPLIT)
        return report

    def _finished(self, model_id: str) -> Path:
        status = self.status(model_id)
        if status.state is not JobState.DONE:
            raise StoreError(f"'{model_id}' has no result: it is {status.state.value}. {status.reason or ''}".rstrip())
        return self.job(model_id).path
