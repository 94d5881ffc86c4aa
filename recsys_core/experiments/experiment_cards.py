"""Summary cards for lists of experiments, read from their folders without loading any algorithm."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys_core.errors import ConfigError, Damaged
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.artifacts import RESULT, load_result
from recsys_core.experiments.damage import MARKER
from recsys_core.experiments.experiment import JOBS, SPEC, SUMMARY, read_summary
from recsys_core.experiments.jobs import STATUS, JobFolder, JobState
from recsys_core.storage.checksums import read_record
from recsys_core.storage.files import children


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
        return cls(**values | {"created": local_time(values["created"]), "states": states})


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
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise Damaged(f"'{SPEC}' in {path} does not describe an experiment ({error}).") from error
    statuses = [JobFolder(folder).status() for folder in children(path / JOBS)]
    statuses.sort(key=lambda status: keys.index(status.key) if status.key in keys else len(keys))
    values: dict[str, float] = {}
    for status in statuses:
        if status.state is JobState.DONE:
            value = _metric(path / JOBS / status.model_id, metric)
            values |= {status.model_id: value} if isinstance(value, int | float) else {}
    best = (min if lower else max)(values, key=lambda model: values[model], default=None)
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
    )


def _metric(folder: Path, name: str) -> float | None:
    try:
        return load_result(folder).metrics.get(name)
    except Damaged:
        return None


def stamp_of(path: Path) -> str:
    """Return a stamp that changes whenever a file changes from which the card of a run is read."""
    jobs = [os.path.join(path, JOBS, name) for name in sorted(_names(path / JOBS))]
    files = [os.path.join(path, SPEC), os.path.join(path, SUMMARY)]
    files += [os.path.join(job, name) for job in jobs for name in (STATUS, RESULT, MARKER)]
    return ".".join(str(_modified(file)) for file in files)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
