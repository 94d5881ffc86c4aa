"""Models across data sets: ranks with intervals, and whether their average ranks differ.

Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets": models are ranked on each data set, and
two models differ if their average ranks differ by more than the critical difference of the Nemenyi test,
q_alpha sqrt(k (k + 1) / (6 N)) for k models and N data sets. A rank on one data set has an interval, too: that of the
ranks of the means of resampled users.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from recsys_core.columns import MODEL, USER_ID
from recsys_core.contracts import FloatArray
from recsys_core.errors import DataError
from recsys_core.evaluation.estimates import estimates_of
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.analysis import users_of
from recsys_core.experiments.budgets import same_budget
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.text import _

SAMPLES = 1000
CONFIDENCE = 0.95
FEWEST_DATA_SETS = 3
"""Data sets from which average ranks are tested: with two, no orders of the models differ significantly."""


@dataclass(frozen=True, eq=False)
class Across:
    """Models across data sets.

    Args:
        metric: The metric by which the models are ranked.
        ranks: One row per model and data set: `model`, `title`, `data`, `mean`, `rank` (1 is best, ties share the mean
            rank), `low`, `high` (95 % interval of the rank over users).
        average: One row per model, best first: `model`, `title`, `rank` (mean over data sets).
        critical_difference: Difference of average ranks from which two models differ significantly; NaN with fewer
            than `FEWEST_DATA_SETS` data sets or two models.
        groups: Titles of models whose average ranks do not differ significantly, best first.
        left_out: Titles of models that not all experiments contain.
        unequal: Whether the ranked models of an experiment were tuned in different ways; then none is called best.
    """

    metric: str
    ranks: pd.DataFrame
    average: pd.DataFrame
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]
    unequal: bool = False


def across(runs: Sequence[Run], metric: str, *, seed: int = 42) -> Across:
    """Rank the models that all experiments contain, on the data set of each.

    Args:
        runs: One finished experiment per data set.
        metric: A metric with a value per user that is higher or lower for better models.
        seed: Seed of the resampled users.

    Raises:
        DataError: Fewer than two data sets or two common models, two experiments on one data set, or the metric is
            missing.
    """
    if len({run.spec.data for run in runs}) < len(runs) or len(runs) < 2:
        raise DataError(_("Choose one finished experiment for each of at least two data sets."))
    titles = {model: title for run in runs for model, title in model_titles(run.entries).items()}
    tables = {run.id: _frames(run, metric) for run in runs}
    common = [str(model) for model in tables[runs[0].id] if all(model in table for table in tables.values())]
    if len(common) < 2:
        raise DataError(
            _(
                "The experiments have fewer than two models with {parse_title} in common. Train the "
                "same models with the same settings on each data set."
            ).format(parse_title=MetricName.parse(metric).title)
        )
    rng = np.random.default_rng(seed)
    names = _data_names(runs)
    ranked = [_ranked({model: tables[run.id][model] for model in common}, names[run.id], metric, rng) for run in runs]
    ranks = pd.concat(ranked, ignore_index=True)
    ranks.insert(1, "title", ranks[MODEL].map(titles))
    average = pd.DataFrame(ranks.groupby([MODEL, "title"])["rank"].mean()).reset_index()
    average = average.sort_values(["rank", "title"], ignore_index=True)
    critical = critical_difference(len(common), len(runs))
    everyone = {titles[str(model)] for table in tables.values() for model in table}
    left_out = tuple(sorted(everyone - {titles[model] for model in common}))
    unequal = any(not same_budget(run.spec, common) for run in runs)
    return Across(metric, ranks, average, critical, _groups(average, critical), left_out, unequal)


def critical_difference(models: int, data_sets: int, confidence: float = CONFIDENCE) -> float:
    """Return the critical difference of the Nemenyi test; NaN with too few models or data sets.

    Demšar 2006, section 3.2.2; q_alpha is the studentized range for infinitely many degrees of freedom divided by
    sqrt(2).
    """
    if models < 2 or data_sets < FEWEST_DATA_SETS:
        return math.nan
    q = float(scipy.stats.studentized_range.ppf(confidence, models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * data_sets))


def _frames(run: Run, metric: str) -> dict[str, pd.DataFrame]:
    """Return the per-user values of each model, of the users for whom every model has one."""
    judged = {model: frame.set_index(USER_ID) for model, frame in users_of(run).judged.items() if metric in frame}
    if not judged:
        raise DataError(
            _("No finished model of '{run_name}' has the metric '{metric}'; choose another metric.").format(
                run_name=run.name, metric=metric
            )
        )
    users = pd.DataFrame({model: frame[metric] for model, frame in judged.items()}).dropna().index
    return {model: frame.loc[users] for model, frame in judged.items()}


def _ranked(frames: Mapping[str, pd.DataFrame], data: str, metric: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return the ranks of the models on one data set with their intervals; the means are those of `compare`."""
    name = MetricName.parse(metric)
    estimates = estimates_of([(frame, name) for frame in frames.values()])
    users = len(estimates.values)
    if not users:
        raise DataError(_("No user of '{data}' has a value for every model.").format(data=data))
    counts = rng.multinomial(users, np.full(users, 1 / users), size=SAMPLES)
    sign = 1.0 if name.info.direction == "lower" else -1.0
    resampled = _ranks(sign * estimates.resampled(counts))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0, method="closest_observation")
    means = estimates.means()
    return pd.DataFrame(
        {
            MODEL: list(frames),
            "data": data,
            "mean": means,
            "rank": _ranks(sign * means[None])[0],
            "low": low,
            "high": high,
        }
    )


def _ranks(values: FloatArray) -> FloatArray:
    """Return (S, M) the rank of each value in its row, from 1 for the smallest; ties share their mean rank."""
    ranks: FloatArray = scipy.stats.rankdata(values, axis=1)
    return ranks


def _data_names(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name of the data of each run, with the start of the fingerprint where two are the same."""
    names = {run.id: run.data_name for run in runs}
    twice = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {run.id: f"{name} ({run.spec.data[:6]})" if (name := names[run.id]) in twice else name for run in runs}


def _groups(average: pd.DataFrame, critical: float) -> tuple[tuple[str, ...], ...]:
    """Return the maximal sets of models, best first, whose average ranks differ by less than the critical one."""
    if math.isnan(critical):
        return ()
    ranks, titles = average["rank"].to_numpy(), average["title"].tolist()
    ends = [int((ranks < rank + critical).sum()) for rank in ranks]
    starts = [start for start, end in enumerate(ends) if start == 0 or end > ends[start - 1]]
    return tuple(tuple(titles[start : ends[start]]) for start in starts)
