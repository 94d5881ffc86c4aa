"""Estimates of time and memory of an experiment before it starts, and rejection of models that need too much memory."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recsys_core.configs import field_specs
from recsys_core.engine.settings import EngineSettings, in_words
from recsys_core.engine.speeds import Speeds
from recsys_core.experiments.artifacts import judging_units
from recsys_core.experiments.jobs import JobStatus
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.models.registry import MODELS, is_stochastic, make_model, model_class
from recsys_core.text import _

DATA_BYTES_A_ROW = 60
"""Memory of a job per interaction: table, splits and matrix."""
SHORTEST = 0.1
"""Seconds that each job counts at least in the share of the work."""
TORCH_BYTES = 500 * 2**20
"""Additional memory of a process that has loaded torch."""


@dataclass(frozen=True)
class DataSize:
    """Size of a data set."""

    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class ModelEstimate:
    """Estimated time and memory of one job.

    Args:
        model_id: Id of the job.
        key: Its algorithm.
        seconds: Time from start to stored result.
        bytes: Peak memory.
        refused: Why it must not run, None if it may.
        alternative: What to do instead, None if it may run.
    """

    model_id: str
    key: str
    seconds: float
    bytes: int
    refused: str | None = None
    alternative: str | None = None


@dataclass(frozen=True)
class Estimate:
    """Estimated time and memory of an experiment.

    Args:
        seconds: Time until the last job has ended.
        bytes: Peak memory, sum over concurrent jobs.
        refused: Why some jobs must not run, None if all may.
        alternative: What to do instead, None if all may run.
        models: Estimates of the jobs, in the order of the spec.
    """

    seconds: float
    bytes: int
    refused: str | None
    alternative: str | None
    models: tuple[ModelEstimate, ...]


def estimate(spec: ExperimentSpec, size: DataSize, settings: EngineSettings, root: Path) -> Estimate:
    """Return the estimate of an experiment on data of this size."""
    speeds = Speeds(root)
    models = tuple(_of_model(spec, model, size, settings, speeds) for model in spec.models)
    run = [model for model in models if model.refused is None]
    refused = [model for model in models if model.refused is not None]
    largest = sorted((model.bytes for model in run), reverse=True)[: settings.jobs]
    return Estimate(
        seconds=sum(model.seconds for model in run) / settings.jobs,
        bytes=sum(largest),
        refused=" ".join(model.refused or "" for model in refused) or None,
        alternative=" ".join(model.alternative or "" for model in refused) or None,
        models=models,
    )


def work_left(estimate: Estimate, jobs: Sequence[JobStatus], parallel: int) -> tuple[float, float]:
    """Return the finished share (0..1) of the estimated work, and the estimated seconds until the last job has ended.

    Args:
        estimate: Estimate of the experiment.
        jobs: Its jobs as they are now.
        parallel: Number of jobs that run at the same time.
    """
    expected = {model.model_id: max(model.seconds, SHORTEST) for model in estimate.models}
    work, left = 0.0, []
    for job in jobs:
        if job.is_live:
            open_work = expected[job.model_id] * (1 - (job.fraction or 0.0))
            work += open_work
            left.append(max(open_work, job.seconds_left() or 0.0))
    return 1 - work / sum(expected.values()), max([sum(left) / max(1, parallel), *left], default=0.0)


def _of_model(
    spec: ExperimentSpec, model: ModelSpec, size: DataSize, settings: EngineSettings, speeds: Speeds
) -> ModelEstimate:
    trainings = spec.split.n_folds * (spec.seeds if is_stochastic(model.key, model.config) else 1)
    needed = memory_of(model, size)
    work = _work(model, size) * trainings
    units = judging_units(size.users, size.items, size.interactions) * trainings
    found = ModelEstimate(model.id, model.key, speeds.seconds(model.key, work, units, settings.threads), needed)
    if not settings.memory_is_known or needed <= settings.job_memory:
        return found
    title = model_class(model.key).info.title
    return replace(
        found,
        refused=f"{title} would need {in_words(needed)} of memory; a job may use {in_words(settings.job_memory)}.",
        alternative=_alternative(model, size, settings),
    )


def _alternative(model: ModelSpec, size: DataSize, settings: EngineSettings) -> str:
    """Return a sentence about what fits: fewer items, or other algorithms."""
    title = model_class(model.key).info.title
    sizes = range(1, size.items + 1)
    fits = bisect(sizes, settings.job_memory, key=lambda items: memory_of(model, replace(size, items=items)))
    others = [key for key in MODELS if key != model.key and memory_of(ModelSpec(key=key), size) <= settings.job_memory]
    ways = []
    made = make_model(model.key, model.config)
    most = settings.job_memory - DATA_BYTES_A_ROW * size.interactions
    smaller = made.smaller(made.config, size.users, size.items, size.interactions, most)
    labels = {spec.name: spec.label for spec in field_specs(made.config_type)}
    if smaller:
        ways.append(" and ".join(f"set {labels[name]} to {value:,}" for name, value in smaller.items()))
    if fits > 0:
        ways.append(f"keep the {fits:,} most popular items (raise the minimum number of interactions per item)")
    if others:
        ways.append(f"choose {', '.join(model_class(key).info.title for key in others[:4])}")
    return _("Instead of {title} on all data, {ways}.").format(
        title=title, ways=", or ".join(ways) or "use a machine with more memory"
    )


def memory_of(model: ModelSpec, size: DataSize) -> int:
    """Return the estimated peak memory of a training, in bytes."""
    made = make_model(model.key, model.config)
    own = made.memory_estimate(made.config, size.users, size.items, size.interactions)
    loaded = TORCH_BYTES if made.info.runtime == "torch" else 0
    return int(own) + loaded + DATA_BYTES_A_ROW * size.interactions


def _work(model: ModelSpec, size: DataSize) -> float:
    made = make_model(model.key, model.config)
    return float(made.work_estimate(made.config, size.users, size.items, size.interactions))
