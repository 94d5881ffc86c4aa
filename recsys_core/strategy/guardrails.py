"""Guardrails: conditions that a strategy must not break, decided by intervals, never by point estimates.

A guardrail compares a metric with that of the raw lists: NDCG at least 98 % of it. The ratio of two paired means has
Fieller's interval; the guardrail is kept if the whole interval lies on the right side, broken if it lies on the wrong
one, and else undecided. A strategy that must keep all of several guardrails is tested at the level of each
(intersection-union test), so no correction is needed.

Sources: Fieller 1954, "Some problems in interval estimation"; Berger 1982, "Multiparameter hypothesis testing and
acceptance sampling".
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys_core.contracts import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.evaluation.list_metrics import ListMetrics
from recsys_core.evaluation.paired import share_of
from recsys_core.evaluation.quantiles import student_quantile
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.text import Sentence, Template, _, later, percent

WORSE = "worse"
"""Guardrail on the share of users whose NDCG falls; its bound is that share itself."""
State = Literal["kept", "broken", "undecided"]
OUTCOMES = {"kept": later("kept"), "broken": later("broken"), "undecided": later("undecided")}
AT_LEAST = Template("{metric} is {ratio} of that of the raw lists ({interval}); at least {bound} is required: {state}.")
AT_MOST = Template("{metric} is {ratio} of that of the raw lists ({interval}); at most {bound} is allowed: {state}.")
WORSE_OFF = Template(
    "{ratio} of {count} user is worse off ({interval}); at most {bound} is allowed: {state}.",
    "{ratio} of {count} users are worse off ({interval}); at most {bound} is allowed: {state}.",
)
UNKNOWN = Template("{metric} has no interval here, so the guardrail is undecided.")


class Guardrail(BaseModel):
    """A condition on a metric, relative to the raw lists; for `WORSE`, on a share of users."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: str = "ndcg"
    """A metric of price tags, with or without `@k`, or `worse`."""
    bound: Annotated[float, Field(ge=0, le=100)] = 0.98
    """Share of the value of the raw lists; for `worse`, share of users."""
    side: Literal["at_least", "at_most"] = "at_least"
    """Whether the metric must reach the bound or must not exceed it; `worse` is always `at_most`."""


@dataclass(frozen=True)
class GuardrailCheck:
    """A guardrail of a strategy.

    Args:
        guardrail: The condition.
        metric: The metric at its cut-off.
        state: Whether it is kept, broken or undecided.
        ratio: The metric as a share of that of the raw lists, or the share of users; NaN if undefined.
        low: Lower end of its interval; NaN if undefined, -inf if unbounded.
        high: Upper end.
        sentence: The check in words.
    """

    guardrail: Guardrail
    metric: str
    state: State
    ratio: float
    low: float
    high: float
    sentence: Sentence


def check(guardrail: Guardrail, before: ListMetrics, after: ListMetrics, confidence: float = 0.95) -> GuardrailCheck:
    """Check a guardrail.

    Args:
        guardrail: The condition.
        before: Metrics of the raw lists.
        after: Metrics of the strategy's lists, of the same users.
        confidence: Nominal coverage of the interval.

    Raises:
        ConfigError: There is no such metric.
    """
    name = full_name(guardrail.metric if guardrail.metric != WORSE else "ndcg", after)
    known = ~np.isnan(before.values[name]) & ~np.isnan(after.values[name])
    one, other = before.values[name][known], after.values[name][known]
    if guardrail.metric == WORSE:
        ratio, low, high = share_of(other < one, confidence)
        state = _state(low, high, guardrail.bound, at_least=False)
        template = WORSE_OFF
    else:
        ratio, low, high = ratio_interval(one, other, confidence)
        state = _state(low, high, guardrail.bound, at_least=guardrail.side == "at_least")
        template = AT_LEAST if guardrail.side == "at_least" else AT_MOST
    if not (math.isfinite(low) and math.isfinite(high)):
        return GuardrailCheck(guardrail, name, state, ratio, low, high, UNKNOWN.fill(metric=metric_title(name)))
    values = {
        "metric": metric_title(name),
        "ratio": percent(ratio, 1),
        "interval": _("{low} to {high}").format(low=percent(low, 1), high=percent(high, 1)),
        "bound": percent(guardrail.bound, 1),
        "state": _(OUTCOMES[state]),
    }
    return GuardrailCheck(guardrail, name, state, ratio, low, high, template.fill(len(one), **values))


def ratio_interval(before: FloatArray, after: FloatArray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return mean(after) / mean(before) and Fieller's interval for paired values; infinite ends if it is unbounded.

    NaN for fewer than two users, or a mean of 0 before.

    Args:
        before: (U,) one value per user.
        after: (U,) the same after.
        confidence: Nominal coverage.
    """
    users = len(before)
    if users < 2 or before.mean() == 0:
        return math.nan, math.nan, math.nan
    first, second = float(before.mean()), float(after.mean())
    covariance = np.cov(before, after) / users
    squared = student_quantile(confidence, users - 1) ** 2
    # (after - c before)^2 <= t^2 Var(after - c before), a quadratic inequality a c^2 - 2 b c + d <= 0
    a = first**2 - squared * covariance[0, 0]
    b = first * second - squared * covariance[0, 1]
    d = second**2 - squared * covariance[1, 1]
    if a <= 0:
        return second / first, -math.inf, math.inf
    half = math.sqrt(max(b * b - a * d, 0.0))
    return second / first, float((b - half) / a), float((b + half) / a)


def full_name(metric: str, metrics: ListMetrics) -> str:
    """Return the full name of a metric: `ndcg` is `ndcg@10` among the metrics.

    Raises:
        ConfigError: There is no such metric.
    """
    for name in metrics.values:
        if metric in (name, name.partition("@")[0]):
            return name
    raise ConfigError(
        _("There is no metric '{metric}' here. Known: {values}.").format(
            metric=metric, values=", ".join(metrics.values)
        )
    )


def _state(low: float, high: float, bound: float, *, at_least: bool) -> State:
    if math.isnan(low):
        return "undecided"
    if at_least:
        return "kept" if low >= bound else "broken" if high < bound else "undecided"
    return "kept" if high <= bound else "broken" if low > bound else "undecided"
