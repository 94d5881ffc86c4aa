"""Summary cards for lists of experiments, read from their folders without loading any algorithm."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys_core.errors import ConfigError, Damaged
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.annotations import ANNOTATIONS, read_annotations
from recsys_core.experiments.artifacts import ENVIRONMENT, RESULT, JobResult, load_result
from recsys_core.experiments.damage import MARKER
from recsys_core.experiments.experiment import JOBS, SPEC, SUMMARY, read_summary
from recsys_core.experiments.jobs import STATUS, JobFolder, JobState
from recsys_core.storage.checksums import read_record
from recsys_core.storage.files import children
from recsys_core.text import _

FORMAT = 2
"""Format of the cards in the index; cards of other formats are read from their folders again."""
OWN_FILES = (SPEC, SUMMARY, ANNOTATIONS)
JOB_FILES = (STATUS, RESULT, MARKER)


@dataclass(frozen=True)
class RunCard:
    """Summary of an experiment for lists.

    Args:
        id: Its id.
        name: Display name.
        created: Creation time, in local time.
        data: Fingerprint of the data set.
        data_name: Name of the data set at that time.
        split: Kind of split.
        metric: Its primary metric.
        states: State of each job by model id, in the order of the spec.
        best: Model id of the finished model that is best by the primary metric, None if there is none.
        best_value: The metric of that model.
        models: Algorithm of each job, in the order of the spec.
        interval: Ends of the 95% interval of `best_value`; empty if there is none, and in results of earlier versions.
        versions: Versions of Recscope that trained its models; empty without results, and in results of versions that
            did not store theirs.
        imported: Whether it was opened from a run card.
        repetition: Its number among repetitions of the same experiment, 0 for the first.
        tags: Tags, in alphabetical order.
        note: Note of the users.
        favorite: Whether it is marked as favorite.
        archived: Whether it is archived.
    """

    id: str
    name: str
    created: datetime
    data: str
    data_name: str
    split: str
    metric: str
    states: dict[str, JobState]
    best: str | None = None
    best_value: float | None = None
    models: tuple[str, ...] = ()
    interval: tuple[float, ...] = ()
    versions: tuple[str, ...] = ()
    imported: bool = False
    repetition: int = 0
    tags: tuple[str, ...] = ()
    note: str = ""
    favorite: bool = False
    archived: bool = False

    @property
    def running(self) -> int:
        """Number of running jobs."""
        return self._count(JobState.RUNNING)

    @property
    def queued(self) -> int:
        """Number of queued jobs."""
        return self._count(JobState.QUEUED)

    @property
    def done(self) -> int:
        """Number of jobs that are done."""
        return self._count(JobState.DONE)

    @property
    def is_live(self) -> bool:
        """Whether a job is queued or running."""
        return self.running + self.queued > 0

    def _count(self, state: JobState) -> int:
        return sum(found is state for found in self.states.values())

    def to_json(self) -> str:
        """Return the card as JSON for the index."""
        return json.dumps(asdict(self) | {"created": self.created.timestamp()})

    @classmethod
    def from_json(cls, text: str) -> "RunCard":
        """Return the card from its JSON.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: It is not a valid card.
        """
        values = json.loads(text)
        states = {model: JobState(state) for model, state in values["states"].items()}
        lists = {name: tuple(values[name]) for name in ("models", "interval", "versions", "tags")}
        return cls(**values | {"created": local_time(values["created"]), "states": states} | lists)


def local_time(seconds: float) -> datetime:
    """Return Unix seconds as a timezone-aware local datetime."""
    return datetime.fromtimestamp(seconds).astimezone()


def read_card(path: Path) -> RunCard:
    """Read the card of a run from its folder, without loading any algorithm.

    Raises:
        Damaged: The spec or the summary is missing or damaged.
    """
    spec, summary = read_record(path / SPEC), read_summary(path)
    try:
        data, split, models = str(spec["data"]), str(spec["split"]["kind"]), list(spec["models"])
        metric = str(spec.get("primary") or f"ndcg@{int(spec['k'])}")
        lower = MetricName.parse(metric).info.direction == "lower"
        keys = [str(model["key"]) for model in models]
        repetition = int(spec.get("repetition", 0))
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise Damaged(
            _("'{spec}' in {path} does not describe an experiment ({error}).").format(spec=SPEC, path=path, error=error)
        ) from error
    statuses = [JobFolder(folder).status() for folder in children(path / JOBS)]
    statuses.sort(key=lambda status: keys.index(status.key) if status.key in keys else len(keys))
    done = [status.model_id for status in statuses if status.state is JobState.DONE]
    results = {model: found for model in done if (found := _result(path / JOBS / model)) is not None}
    metrics = {model: result.metrics.get(metric) for model, result in results.items()}
    values = {model: value for model, value in metrics.items() if isinstance(value, int | float)}
    best = (min if lower else max)(values, key=lambda model: values[model], default=None)
    interval = results[best].interval if best else {}
    return RunCard(
        id=path.name,
        name=summary.name,
        created=summary.created,
        data=data,
        data_name=summary.data_name,
        split=split,
        metric=metric,
        states={status.model_id: status.state for status in statuses},
        best=best,
        best_value=values[best] if best else None,
        models=tuple(keys),
        interval=(interval["low"], interval["high"]) if {"low", "high"} <= interval.keys() else (),
        versions=tuple(sorted({version for model in results if (version := _version(path / JOBS / model))})),
        imported=summary.imported is not None,
        repetition=repetition,
        **asdict(read_annotations(path)),
    )


def _result(folder: Path) -> JobResult | None:
    try:
        return load_result(folder)
    except Damaged:
        return None


def _version(folder: Path) -> str:
    """Return the version of Recscope that trained a model; empty if it did not store it."""
    try:
        return str(read_record(folder / ENVIRONMENT).get("recscope", ""))
    except Damaged:
        return ""


def stamp_of(path: Path) -> str:
    """Return a stamp that changes whenever a file changes from which the card of a run is read."""
    folder, jobs = str(path), f"{path}{os.sep}{JOBS}"
    times = [_modified(f"{folder}{os.sep}{name}") for name in OWN_FILES]
    for job in sorted(_names(jobs)):
        times += [_modified(f"{jobs}{os.sep}{job}{os.sep}{name}") for name in JOB_FILES]
    return f"{FORMAT}:" + ".".join(map(str, times))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
