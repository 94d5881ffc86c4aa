"""A stored experiment: its spec, the status of its jobs, and their results. Read-only; nothing is trained."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from recsys_core.errors import Damaged, RecscopeError, StoreError
from recsys_core.experiments import artifacts
from recsys_core.experiments.damage import check_files, damage_of
from recsys_core.experiments.jobs import JobFolder, JobState, JobStatus
from recsys_core.storage.checksums import FILES, read_record
from recsys_core.storage.files import children
from recsys_core.text import _

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.experiments.spec import ModelSpec
    from recsys_core.models.base import Recommender

SPEC = "spec.json"
SUMMARY = "summary.json"
SPLIT = "split.json"
JOBS = "jobs"
UPLOADED = "uploaded"
"""Folder of uploaded lists, which are judged like models; see `uploaded_lists`."""
LOCK = ".lock"
LIST_ID = re.compile(r"list-[0-9a-f]{8}")
_LIST_FILES = tuple(name for name in artifacts.OUTPUTS if name != artifacts.MODEL)


@dataclass(frozen=True)
class Summary:
    """Names and creation time of an experiment.

    Args:
        name: Name of the experiment.
        data_name: Name of the data set at that time.
        created: Creation time, in local time.
        imported: When it was opened from a run card, in local time; None if it was trained in this workspace.
    """

    name: str
    data_name: str
    created: datetime
    imported: datetime | None = None


def read_summary(path: Path) -> Summary:
    """Return the summary in the folder of an experiment.

    Raises:
        Damaged: It is missing, or its checksum differs.
    """
    values = read_record(path / SUMMARY)
    try:
        name, data_name = values["name"], values["data_name"]
        created = datetime.fromtimestamp(values["created"]).astimezone()
        imported = datetime.fromtimestamp(values["imported"]).astimezone() if "imported" in values else None
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise Damaged(
            _("'{summary}' in {path} has no valid name and time ({error}).").format(
                summary=SUMMARY, path=path, error=error
            )
        ) from error
    if not isinstance(name, str) or not isinstance(data_name, str):
        raise Damaged(_("'{summary}' in {path} has no name.").format(summary=SUMMARY, path=path))
    return Summary(name, data_name, created, imported)


class Run:
    """The folder of one experiment.

    Args:
        path: `runs/<experiment id>`.

    Raises:
        StoreError: It is incomplete, or has an algorithm or a setting that is unknown to this version.
    """

    def __init__(self, path: Path) -> None:
        from recsys_core.experiments.spec import ExperimentSpec

        self.path = path
        self.id = path.name
        values = read_record(path / SPEC)
        try:
            self.spec = ExperimentSpec.stored(values)
        except (ValidationError, RecscopeError, KeyError, TypeError) as error:
            raise StoreError(
                _("Experiment '{id}' cannot be opened by this version: {error}").format(id=self.id, error=error)
            ) from error

    @cached_property
    def _summary(self) -> Summary:
        return read_summary(self.path)

    @property
    def name(self) -> str:
        """Display name."""
        return self._summary.name

    @property
    def data_name(self) -> str:
        """Name of the data set when the experiment was created."""
        return self._summary.data_name

    @property
    def created(self) -> datetime:
        """Creation time, in local time."""
        return self._summary.created

    @property
    def imported(self) -> datetime | None:
        """When it was opened from a run card, in local time; None if it was trained in this workspace."""
        return self._summary.imported

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of the jobs, in the order of the spec."""
        return tuple(model.id for model in self.spec.models)

    @property
    def entries(self) -> "tuple[ModelSpec, ...]":
        """The models of the spec, then the uploaded lists."""
        return *self.spec.models, *(self.model_spec(one) for one in self.uploaded())

    def uploaded(self) -> tuple[str, ...]:
        """Return the ids of the uploaded lists whose results can be read, oldest first."""
        folders = [path for path in children(self.path / UPLOADED) if LIST_ID.fullmatch(path.name)]
        found = [path for path in folders if damage_of(path / artifacts.RESULT, names=_LIST_FILES) is None]
        return tuple(path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))

    def damaged_lists(self) -> tuple[str, ...]:
        """Return the ids of the uploaded lists whose results cannot be read."""
        readable = self.uploaded()
        return tuple(
            path.name
            for path in children(self.path / UPLOADED)
            if LIST_ID.fullmatch(path.name) and path.name not in readable
        )

    def model_spec(self, model_id: str) -> "ModelSpec":
        """Return algorithm and settings of a job or an uploaded list.

        Raises:
            StoreError: The experiment has no such job.
        """
        for model in self.spec.models:
            if model.id == model_id:
                return model
        if LIST_ID.fullmatch(model_id) and (self.path / UPLOADED / model_id).is_dir():
            from recsys_core.experiments.spec import ModelSpec

            result = artifacts.load_result(self.path / UPLOADED / model_id)
            return ModelSpec(key=result.key, config=result.config)
        raise StoreError(
            _("Experiment '{id}' has no model '{model_id}'. It has: {model_ids}.").format(
                id=self.id, model_id=model_id, model_ids=", ".join(self.model_ids)
            )
        )

    def job(self, model_id: str) -> JobFolder:
        """Return the folder of a job.

        Raises:
            StoreError: The experiment has no such job.
        """
        return JobFolder(self.path / JOBS / self.model_spec(model_id).id)

    def status(self, model_id: str) -> JobStatus:
        """Return the status of a job; one whose process is gone becomes FAILED."""
        return self.job(model_id).status()

    def statuses(self) -> list[JobStatus]:
        """Return the status of all jobs, in the order of the spec."""
        return [self.status(model_id) for model_id in self.model_ids]

    def finished(self) -> tuple[str, ...]:
        """Return the ids of the jobs that are done, in the order of the spec."""
        return tuple(status.model_id for status in self.statuses() if status.state is JobState.DONE)

    def with_scores(self) -> tuple[str, ...]:
        """Return the ids of the finished jobs whose models answer queries, in the order of the spec."""
        return tuple(model_id for model_id in self.finished() if self.model_spec(model_id).has_scores)

    @property
    def is_live(self) -> bool:
        """Whether a job is queued or running."""
        return any(status.is_live for status in self.statuses())

    def cancel(self, model_id: str) -> None:
        """Request cancellation of a job."""
        self.job(model_id).ask_to_cancel()

    def progress(self, model_id: str) -> "pd.DataFrame":
        """Return the progress of a job: `time`, `stage`, `step`, `total` and one column per value."""
        return self.job(model_id).progress()

    def result(self, model_id: str) -> artifacts.JobResult:
        """Return the result of a finished job, with its settings under their current names.

        Raises:
            StoreError: It has not finished, or its files are damaged.
        """
        from recsys_core.models.registry import model_class

        result = artifacts.load_result(self._finished(model_id))
        config_type = model_class(self.model_spec(model_id).key).config_type
        return replace(result, config=config_type.with_current_names(result.config))

    def results(self) -> dict[str, artifacts.JobResult]:
        """Return the results of all finished jobs, in the order of the spec, then those of uploaded lists."""
        return {model_id: self.result(model_id) for model_id in (*self.finished(), *self.uploaded())}

    def per_user(self) -> "dict[str, pd.DataFrame]":
        """Return the per-user metrics of all `results`: `user`, `user_id`, `fold` and one column per metric."""
        folders = {model_id: self.job(model_id).path for model_id in self.finished()}  # read and verified just now
        folders |= {list_id: self._finished(list_id) for list_id in self.uploaded()}
        return {one: artifacts.load_table(folder / artifacts.PER_USER) for one, folder in folders.items()}

    def per_user_of(self, model_id: str) -> "pd.DataFrame":
        """Return the per-user metrics of a finished job, one row per user and fold."""
        return artifacts.load_table(self._finished(model_id) / artifacts.PER_USER)

    def history(self, model_id: str) -> "pd.DataFrame":
        """Return the training curves of a finished job: `stage`, `step`, `fold` and one column per value."""
        return artifacts.load_table(self._finished(model_id) / artifacts.HISTORY)

    def lists(self, model_id: str, user: int | None = None) -> "pd.DataFrame":
        """Return the recommendations for the test users: `user`, `fold`, `rank` from 1, `item`, `score`, `hit`.

        Args:
            model_id: A finished job.
            user: Only this user's list; all by default.
        """
        return artifacts.load_table(self._finished(model_id) / artifacts.LISTS, user=user)

    def model(self, model_id: str) -> "Recommender[Any]":
        """Return the trained model, restricted to relevant items if it was trained on those only.

        For a k-fold split this is the model of the first fold. Updated models that are kept: see `stored_replays`.
        """
        from recsys_core.experiments.training_part import for_training

        model = self.model_spec(model_id)
        loaded = artifacts.load_model(self._finished(model_id), model.key, model.config)
        report = self.split_report() or {}
        return for_training(loaded, self.spec, has_ratings=bool(report.get("has_ratings")))

    def environment(self, model_id: str) -> dict[str, Any]:
        """Return the environment of a job: versions, machine, threads."""
        folder = self._finished(model_id)
        check_files(folder / artifacts.RESULT, deep=[artifacts.ENVIRONMENT], names=[artifacts.ENVIRONMENT])
        return read_record(folder / artifacts.ENVIRONMENT)

    def split_report(self) -> dict[str, Any] | None:
        """Return counts, leakage and excluded rows of the split, one entry per fold; None before a job has made it.

        Raises:
            Damaged: Its checksum differs.
        """
        if not (self.path / SPLIT).exists():
            return None
        report = read_record(self.path / SPLIT)
        report.pop(FILES, None)
        return report

    def _finished(self, model_id: str) -> Path:
        if LIST_ID.fullmatch(model_id) and (self.path / UPLOADED / model_id).is_dir():
            return self.path / UPLOADED / model_id
        status = self.status(model_id)
        if status.state is not JobState.DONE:
            raise StoreError(
                _("'{model}' has no result: it is {state}. {reason}")
                .format(model=model_id, state=status.state.value, reason=status.reason or "")
                .rstrip()
            )
        return self.job(model_id).path
