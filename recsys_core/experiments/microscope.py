"""One number of a leaderboard taken apart: the users who make it, and what the same lists score in other libraries."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import USER, USER_ID
from recsys_core.contracts import FloatArray
from recsys_core.evaluation.conventions import LIBRARIES, conventions_of
from recsys_core.evaluation.evaluate import N_LISTED, N_RELEVANT
from recsys_core.evaluation.metric_info import MetricInfo, MetricName
from recsys_core.evaluation.metrics import ACCURACY
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import Contender
from recsys_core.experiments.stored_lists import judged_lists, rows_of
from recsys_core.text import later

OURS = "Recscope"
OWN = later("The definition above.")
SHOWN = 5
"""Number of users at each end."""


@dataclass(frozen=True, eq=False)
class Microscope:
    """A metric of a model.

    Args:
        name: The metric.
        value: The number on the leaderboard; None if it is undefined.
        users: The users with a value, best first; of users with equal values, those with more relevant items come first
            at either end: `user`, `user_id`, `value`, `n_relevant`, `n_listed` (at most k, where stored). Empty for a
            metric with one value per model.
        undefined: Number of users without a value.
        conventions: The same lists in other libraries, ours first: `library`, `name`, `mean`, `users`, `difference` (to
            ours), `reason` (a message). Empty for metrics that are not compared.
        trainings: Number of trainings; values of users are means over them, and the lists are those of the first.
    """

    name: MetricName
    value: float | None
    users: pd.DataFrame
    undefined: int
    conventions: pd.DataFrame
    trainings: int

    @property
    def info(self) -> MetricInfo:
        """Description of the metric."""
        return self.name.info

    def best(self) -> pd.DataFrame:
        """Return the users with the best values, or with the highest if no direction is better."""
        return _first(self.users, ascending=self.info.direction == "lower")

    def worst(self) -> pd.DataFrame:
        """Return the users with the worst values, or with the lowest if no direction is better."""
        return _first(self.users, ascending=self.info.direction != "lower")


def microscope(run: Run, model: Contender, metric: str, users: Audience) -> Microscope:
    """Take a number apart.

    Args:
        run: The experiment.
        model: One of its finished models.
        metric: A metric that the model has.
        users: The test users of the experiment.
    """
    name = MetricName.parse(metric)
    judged = users.judged[model.id]
    values = _values(judged, metric) if name.info.per_user else pd.DataFrame({USER: [], USER_ID: [], "value": []})
    return Microscope(
        name=name,
        value=model.metrics.get(metric, model.result.overall.get(metric)),
        users=values.dropna(subset="value").reset_index(drop=True),
        undefined=int(values["value"].isna().sum()),
        conventions=_conventions(run, model.id, name, users),
        trainings=len(users.trainings[model.id]),
    )


def _values(judged: pd.DataFrame, metric: str) -> pd.DataFrame:
    counts = [column for column in (N_RELEVANT, N_LISTED) if column in judged]
    values = judged[[USER, USER_ID, metric, *counts]].rename(columns={metric: "value"})
    if N_LISTED in values:
        values[N_LISTED] = values[N_LISTED].clip(upper=MetricName.parse(metric).k)
    return values


def _first(users: pd.DataFrame, *, ascending: bool) -> pd.DataFrame:
    keys = [column for column in ("value", N_RELEVANT) if column in users]
    order = users.sort_values(keys, ascending=[ascending, False][: len(keys)], kind="stable")
    return order.head(SHOWN).reset_index(drop=True)


def _conventions(run: Run, model_id: str, name: MetricName, users: Audience) -> pd.DataFrame:
    """Return the means of the stored lists under each convention; see `Microscope.conventions`."""
    columns = ["library", "name", "mean", "users", "difference", "reason"]
    found = conventions_of(name.key)
    rows = rows_of(run, model_id, users) if found and not name.part else pd.DataFrame()
    if N_RELEVANT not in rows or name.k is None:
        return pd.DataFrame(columns=columns)
    lists = judged_lists(run, model_id, rows)
    ours, counted = _mean(ACCURACY[name.key](lists, name.k), rows)
    table = [(OURS, name.title, ours, counted, 0.0, OWN)]
    for one in found:
        mean, users_counted = (np.nan, 0) if one.function is None else _mean(one.function(lists, name.k), rows)
        table.append((LIBRARIES[one.library], one.name, mean, users_counted, mean - ours, one.reason))
    return pd.DataFrame(table, columns=columns)


def _mean(values: FloatArray, rows: pd.DataFrame) -> tuple[float, int]:
    """Return the mean over users of their means over folds, and the number of users with a value."""
    by_user = pd.Series(values).groupby(rows[USER].to_numpy()).mean().dropna()
    return (float(by_user.mean()) if len(by_user) else np.nan), len(by_user)
