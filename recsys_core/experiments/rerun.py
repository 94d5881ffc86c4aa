"""Train an experiment again with the same spec, and compare the results number by number.

A repetition is an experiment of its own: its spec differs in the field `repetition` only, which no model reads. A
deterministic model must give the same numbers. A model that depends on the seed gives the same numbers on the same
machine and versions; elsewhere, floating-point sums in another order can lead its training to other weights. How far
the results may then differ is known from trainings with several seeds: the difference between the means of S trainings
each lies within

    t(0.975, S - 1) * std * sqrt(2 / S)

in 95 % of cases, with `std` the standard deviation between trainings. With one training it is unknown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, SCORE, TRAINING, USER, USER_ID
from recsys_core.data.synthetic.samples import SAMPLES, load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.estimates import metric_columns
from recsys_core.evaluation.quantiles import student_quantile
from recsys_core.experiments.audience import audience, pooled
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import is_stochastic
from recsys_core.text import _

CONFIDENCE = 0.95
ROW = [USER_ID, FOLD, TRAINING]
Job = tuple[Run, str]
"""A model of a run."""
ENVIRONMENT_KEYS = ("recscope", "python", "system", "cpu", "threads")


@dataclass(frozen=True, eq=False)
class ModelDifference:
    """Results of one model in two runs of the same experiment.

    Args:
        model_id: Id of its job.
        deterministic: Whether it must give the same numbers.
        trainings: Number of trainings in each run.
        metrics: One row per metric: `metric`, `first`, `second`, `difference` (second minus first; 0 if both are
            undefined), `band` (see the module; 0 for a deterministic model, NaN if unknown), `users` (number of users
            whose values differ; 0 for metrics without a value per user), `largest` (largest difference of a user).
        users: One row per user with different values: `user_id`, `metric`, `first`, `second`, `difference`.
        lists_differ: Number of lists that differ in an item or its rank.
        lists: Number of lists.
        score_difference: Largest difference between scores of the same item; NaN without common items.
    """

    model_id: str
    deterministic: bool
    trainings: int
    metrics: pd.DataFrame
    users: pd.DataFrame
    lists_differ: int
    lists: int
    score_difference: float

    @property
    def largest(self) -> float:
        """Largest absolute difference of a metric."""
        return float(self.metrics["difference"].abs().max()) if len(self.metrics) else 0.0

    @property
    def identical(self) -> bool:
        """Whether metrics, values of all users, and lists are equal."""
        return self.largest == 0.0 and self.users.empty and self.lists_differ == 0

    @property
    def band_known(self) -> bool:
        """Whether it is known how far the results may differ."""
        return self.deterministic or self.trainings > 1

    @property
    def within_band(self) -> bool | None:
        """Whether every metric differs by no more than its band; None if what differs has no known band.

        Metrics with one value per model, and lists, have none unless the model is deterministic.
        """
        if self.identical:
            return True
        if self.deterministic:
            return False
        known = self.metrics[self.metrics["band"].notna()]
        if self.users.empty and not known["difference"].any():
            return None
        return bool((known["difference"].abs() <= known["band"]).all()) if self.band_known else None


@dataclass(frozen=True, eq=False)
class RunDifference:
    """Comparison of two runs of the same experiment.

    Args:
        first: Id of the first run.
        second: Id of the repetition.
        models: One entry per model that is done in both.
        missing: Models that are done in only one of them.
        environment: One row per difference of the environment: `what`, `first`, `second`.
    """

    first: str
    second: str
    models: tuple[ModelDifference, ...]
    missing: tuple[str, ...]
    environment: pd.DataFrame

    @property
    def identical(self) -> bool:
        """Whether all models have equal results."""
        return not self.missing and all(model.identical for model in self.models)


def repetition_of(store: ResultStore, spec: ExperimentSpec) -> ExperimentSpec:
    """Return the spec of the next repetition of an experiment that the store does not have yet."""
    values = spec.model_dump(mode="json")
    for number in range(1, 10_000):
        again = ExperimentSpec.model_validate(values | {"repetition": number})
        if not (store.folder / again.id).exists():
            return again
    raise ConfigError(_("This experiment has been repeated 9,999 times; delete some repetitions first."))


def require_data(workspace: Workspace, run: Run) -> None:
    """Make sure that the data of an experiment are in the workspace; a bundled sample is stored.

    Raises:
        DataError: They are not, with what to do.
        StoreError: A disk error.
    """
    stored = {card.fingerprint for card in workspace.datasets()}
    for fingerprint in filter(None, (run.spec.data, run.spec.split.test_data)):
        if fingerprint in stored:
            continue
        sample = next((found for key in SAMPLES if (found := load_sample(key)).fingerprint == fingerprint), None)
        if sample is None:
            raise DataError(
                _(
                    "The data of '{run_name}' ('{data_name}', fingerprint {fingerprint}) are not in this "
                    "workspace. Upload the same files with the same settings on the Data page; they then "
                    "have the same fingerprint."
                ).format(run_name=run.name, data_name=run.data_name, fingerprint=fingerprint)
            )
        workspace.store(sample)


def is_repetition(first: ExperimentSpec, second: ExperimentSpec) -> bool:
    """Return whether two specs differ at most in the number of the repetition."""
    return first.model_copy(update={"repetition": 0}).id == second.model_copy(update={"repetition": 0}).id


def repetitions(store: ResultStore, run: Run) -> list[str]:
    """Return the ids of all other stored runs of the same experiment, in the order of their numbers."""
    highest = max((card.repetition for card in store.runs()), default=0)
    copies = (run.spec.model_copy(update={"repetition": number}).id for number in range(highest + 1))
    return [one for one in copies if one != run.id and (store.folder / one).is_dir()]


def difference(first: Run, second: Run) -> RunDifference:
    """Compare two runs of the same experiment.

    Raises:
        ConfigError: They are different experiments.
        DataError: No model is done in both.
        StoreError: A file of a run is missing or damaged.
    """
    if not is_repetition(first.spec, second.spec):
        raise ConfigError(
            _("'{first_name}' and '{second_name}' are different experiments; compare them instead.").format(
                first_name=first.name, second_name=second.name
            )
        )
    done = first.finished(), second.finished()
    pairs = list(zip(first.model_ids, second.model_ids, strict=True))  # ids differ if settings were added in between
    common = [pair for pair in pairs if pair[0] in done[0] and pair[1] in done[1]]
    if not common:
        raise DataError(_("No model is done in both runs."))
    return RunDifference(
        first=first.id,
        second=second.id,
        models=tuple(_model_difference((first, one), (second, other)) for one, other in common),
        missing=tuple(one for one, other in pairs if (one in done[0]) != (other in done[1])),
        environment=_environments(*((run, model) for run, model in zip((first, second), common[0], strict=True))),
    )


def _model_difference(first: Job, second: Job) -> ModelDifference:
    (run, model), (other, twin) = first, second
    chosen = run.model_spec(model)
    deterministic = not is_stochastic(chosen.key, chosen.config)
    users = _users(run.per_user_of(model), other.per_user_of(twin))
    lists, differ, score = _lists(run.lists(model), other.lists(twin))
    audiences = [audience({"": job.per_user_of(name)}, job.spec.users) for job, name in (first, second)]
    means = [
        {**pooled(one.judged[""]), **job.result(name).overall}
        for one, (job, name) in zip(audiences, (first, second), strict=True)
    ]
    bands = _bands([pooled(frame) for frame in audiences[0].trainings[""]])
    return ModelDifference(
        model_id=model,
        deterministic=deterministic,
        trainings=min(len(one.trainings[""]) for one in audiences),
        metrics=_metrics(means, {} if deterministic else bands, users, unknown=0.0 if deterministic else math.nan),
        users=users,
        lists_differ=differ,
        lists=lists,
        score_difference=score,
    )


def _metrics(
    means: Sequence[Mapping[str, float | None]], bands: Mapping[str, float], users: pd.DataFrame, *, unknown: float
) -> pd.DataFrame:
    """Return one row per metric; see `ModelDifference`.

    Args:
        means: Metrics of both runs.
        bands: Band of each metric.
        users: Values of users that differ.
        unknown: Band of the other metrics.
    """
    by_metric = users.assign(difference=users["difference"].abs()).groupby("metric")
    counts, largest = by_metric[USER_ID].nunique(), by_metric["difference"].max()
    rows = []
    for name in dict.fromkeys([*means[0], *means[1]]):
        one, other = (math.nan if (value := of_run.get(name)) is None else float(value) for of_run in means)
        undefined = math.isnan(one), math.isnan(other)
        change = 0.0 if all(undefined) else math.inf if any(undefined) else other - one
        band = bands.get(name, unknown)
        rows.append((name, one, other, change, band, int(counts.get(name, 0)), float(largest.get(name, 0.0))))
    return pd.DataFrame(rows, columns=["metric", "first", "second", "difference", "band", "users", "largest"])


def _bands(trainings: Sequence[dict[str, float | None]]) -> dict[str, float]:
    """Return the band of each metric from its means in several trainings; empty with one training."""
    count = len(trainings)
    if count < 2:
        return {}
    values = pd.DataFrame(trainings, dtype="float64")
    factor = student_quantile(CONFIDENCE, count - 1) * math.sqrt(2 / count)
    return {str(name): float(std) * factor for name, std in values.std(ddof=1).items() if math.isfinite(std)}


def _users(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the values that differ; see `ModelDifference.users`. A value in only one run differs infinitely."""
    names = [name for name in metric_columns(first) if name in second]
    keys = [name for name in ROW if name in first and name in second]
    columns = [*keys, *names]
    both = first[columns].merge(second[columns], on=keys, how="outer", suffixes=("", "_second"), validate="1:1")
    parts = []
    for name in names:
        one, other = both[name].to_numpy(np.float64), both[f"{name}_second"].to_numpy(np.float64)
        differ = (one != other) & ~(np.isnan(one) & np.isnan(other))
        if differ.any():
            change = np.where(np.isnan(one) | np.isnan(other), np.inf, other - one)[differ]
            part = pd.DataFrame({USER_ID: both.loc[differ, USER_ID].to_numpy(), "metric": name})
            parts.append(part.assign(first=one[differ], second=other[differ], difference=change))
    columns = [USER_ID, "metric", "first", "second", "difference"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns).astype({"difference": float})


def _lists(first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, int, float]:
    """Return the number of lists, of those that differ, and the largest difference between scores of the same item."""
    keys = [USER, FOLD, RANK]
    both = first.merge(second, on=keys, how="outer", suffixes=("", "_second"))
    differ = both[ITEM].ne(both[f"{ITEM}_second"])
    scores = (both[SCORE].astype("float64") - both[f"{SCORE}_second"].astype("float64"))[~differ].abs()
    owners = both[[USER, FOLD]]
    return (
        len(owners.drop_duplicates()),
        len(owners[differ].drop_duplicates()),
        float(scores.max()) if len(scores) else math.nan,
    )


def _environments(first: Job, second: Job) -> pd.DataFrame:
    """Return what differs between the environments of two jobs: `what`, `first`, `second`."""
    flat = []
    for run, model in (first, second):
        found = run.environment(model)
        flat.append({name: found.get(name, "unknown") for name in ENVIRONMENT_KEYS} | found.get("packages", {}))
    rows = [
        (name, str(flat[0].get(name, "none")), str(flat[1].get(name, "none")))
        for name in dict.fromkeys([*flat[0], *flat[1]])
        if flat[0].get(name) != flat[1].get(name)
    ]
    return pd.DataFrame(rows, columns=["what", "first", "second"])
