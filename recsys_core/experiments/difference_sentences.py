"""What the difference between two runs of one experiment means, in sentences with their numbers."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from recsys_core.evaluation.metric_info import MetricName
from recsys_core.experiments.rerun import ModelDifference
from recsys_core.text import Sentence, Template, whole

Severity = Literal["same", "expected", "unknown", "different"]
IDENTICAL = Template(
    "{model}: difference 0. All metrics, the values of all users and {count} list are identical.",
    "{model}: difference 0. All metrics, the values of all users and all {count} lists are identical.",
)
DETERMINISTIC = Template(
    "{model} differs although it is deterministic: {metric} by {difference}; {count} user has other values.",
    "{model} differs although it is deterministic: {metric} by {difference}; {count} users have other values.",
)
WITHIN = Template(
    "{model} differs within its band: {metric} by {difference}, with a band of ±{band} (95%) from the variation "
    "between its {trainings} trainings."
)
OUTSIDE = Template(
    "{model} differs by more than its band: {metric} by {difference}, with a band of ±{band} (95%) from the variation "
    "between its {trainings} trainings."
)
UNKNOWN = Template(
    "{model} differs: {metric} by {difference}. It depends on the seed, and with one training the band is unknown; "
    "several trainings per model would show it."
)

NO_BAND = Template(
    "{model} differs in {metric} by {difference}, for which no band is known; no value of a user differs."
)
LISTS_ONLY = Template(
    "{model}: all metrics and the values of all users are identical, but {count} of {lists} lists differs in an item "
    "or its rank.",
    "{model}: all metrics and the values of all users are identical, but {count} of {lists} lists differ in an item or "
    "its rank.",
)


def severity(model: ModelDifference) -> Severity:
    """Return how a difference is to be judged."""
    if model.identical:
        return "same"
    return {True: "expected", False: "different", None: "unknown"}[model.within_band]  # type: ignore[return-value]


def sentence(model: ModelDifference, titles: Mapping[str, str], metric: str) -> Sentence:
    """Return the difference of a model as a sentence.

    Args:
        model: The difference.
        titles: Title of each model.
        metric: The primary metric, which is named if it differs; otherwise the metric that differs most.
    """
    title = titles[model.model_id]
    if model.identical:
        return IDENTICAL.fill(model.lists, model=title)
    if not model.largest and model.users.empty:
        return LISTS_ONLY.fill(model.lists_differ, model=title, lists=whole(model.lists))
    row = _named(model, metric)
    values = {
        "model": title,
        "metric": MetricName.parse(str(row["metric"])).title,
        "difference": f"{row['difference']:+.3g}",
        "band": f"{row['band']:.3g}",
        "trainings": str(model.trainings),
    }
    if model.deterministic:
        return DETERMINISTIC.fill(int(model.users["user_id"].nunique()), **values)
    unknown = NO_BAND if model.band_known else UNKNOWN
    return {True: WITHIN, False: OUTSIDE, None: unknown}[model.within_band].fill(**values)


def _named(model: ModelDifference, metric: str) -> "pd.Series":
    """Return the row of the metric that a sentence names."""
    rows = model.metrics
    banded = rows[rows["band"].notna()]
    outside = banded[banded["difference"].abs() > banded["band"]]
    chosen = {True: banded, False: outside if len(outside) else rows, None: rows}
    candidates = chosen[model.within_band]
    own = candidates[(candidates["metric"] == metric) & (candidates["difference"] != 0)]
    return own.iloc[0] if len(own) else candidates.iloc[int(candidates["difference"].abs().to_numpy().argmax())]
