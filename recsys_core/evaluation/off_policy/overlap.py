"""How well a log supports the evaluation of a target policy: weights, effective sample size, overlap.

The mean weight at a position has expectation 1 (times the probability that the target shows anything there) if every
item that the target shows can also be shown by the logging policy. A smaller mean is the share of the target policy
about which the log says nothing; it is a test of the propensities, too.

Source: Kong 1992 for the effective sample size; Li, Chen, Kleban and Gupta 2015, "Counterfactual estimation and
optimization of click metrics in search engines", section 4.3, for the mean weight as a check.
"""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.off_policy.estimators import Terms
from recsys_core.evaluation.off_policy.uncertainty import Interval, studentized
from recsys_core.evaluation.protocol import Finding
from recsys_core.evaluation.sentences import interval_text
from recsys_core.text import Template, percent, whole

LOW_SIZE = 100.0
"""Effective rows below which estimates rest on too few observations."""
LARGE_SHARE = 0.05
"""Share of all weight in one row above which this row dominates the estimate."""
MANY_UNSEEN = 0.1

FEW_EFFECTIVE = Template(
    "The effective sample size is {size} rows of {rows}: the estimates rest on few observations. A policy that is "
    "closer to the logging policy, or a longer log, gives a more reliable estimate."
)
DOMINATED = Template("A single row has {share} of all weight (weight {largest}), so the estimate depends on it.")
NO_SUPPORT = Template(
    "The mean weight is {mean} ({interval}) instead of 1: about {share} of what the target policy shows is never shown "
    "by the logging policy, or the propensities are wrong. IPS counts this part as 0."
)
TOO_MUCH = Template(
    "The mean weight is {mean} ({interval}) instead of 1: the logged propensities are too small, or not those of the "
    "policy that made the log."
)
NEVER_SHOWN = Template(
    "{share} of the probability of the target policy is on items that the log never shows to anyone; the log says "
    "nothing about them."
)
NOT_COVERED = Template(
    "The target policy has no list for the users of {share} of the rows; they are left out, and the estimate is about "
    "the other users."
)


@dataclass(frozen=True)
class Support:
    """Diagnostics of the weights of a target policy.

    Args:
        rows: N.
        used: Number of rows with a weight above 0.
        effective: (sum w)^2 / sum w^2.
        largest: Largest weight.
        largest_share: Share of all weight in that row.
        mean: Mean weight relative to the probability that the target shows anything, with its interval; 1 is expected.
        clipped: Share of the weighted rewards, in absolute value, that the clipped estimator cuts off.
        covered: Share of the log's rows whose user the target policy covers.
        unseen: Share of the target probability on items that are never shown; NaN without candidates.
    """

    rows: int
    used: int
    effective: float
    largest: float
    largest_share: float
    mean: Interval
    clipped: float
    covered: float
    unseen: float


def support(terms: Terms, *, clip: float, covered: float = 1.0, unseen: float = float("nan"), seed: int = 0) -> Support:
    """Return the diagnostics of a target policy.

    Args:
        terms: Weights of the target policy.
        clip: c of the clipped estimator.
        covered: Share of the log's rows whose user the policy covers.
        unseen: Share of the target probability on items that are never shown.
        seed: Seed of the bootstrap.
    """
    weight = terms.weight
    total, squares = float(weight.sum()), float((weight**2).sum())
    largest = float(weight.max(initial=0.0))
    size = np.abs(terms.reward)  # refunds are negative: with their signs, a share could be of any size
    earned = float((weight * size).sum())
    kept = float((np.minimum(weight, clip) * size).sum())
    sums = terms.per_cluster(weight, terms.mass)[:, :2]
    return Support(
        rows=len(weight),
        used=int((weight > 0).sum()),
        effective=total**2 / squares if squares else 0.0,
        largest=largest,
        largest_share=largest / total if total else float("nan"),
        mean=studentized(sums, _mean_weight, seed=seed),
        clipped=1.0 - kept / earned if earned else float("nan"),
        covered=covered,
        unseen=unseen,
    )


def _mean_weight(totals: FloatArray) -> tuple[FloatArray, FloatArray]:
    weight, mass = totals[..., 0], totals[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(mass > 0, weight / mass, np.nan)
        return value, np.stack([1.0 / mass, -weight / mass**2], axis=-1)


def findings(measured: Support) -> list[Finding]:
    """Return the warnings that follow from the diagnostics."""
    warnings = []

    def warn(rule: str, template: Template, **values: str) -> None:
        warnings.append(Finding("warning", rule, 1, template.fill(**values)))

    if measured.effective < LOW_SIZE:
        warn("few_effective", FEW_EFFECTIVE, size=f"{measured.effective:.0f}", rows=whole(measured.rows))
    if measured.largest_share > LARGE_SHARE:
        warn("dominated", DOMINATED, share=percent(measured.largest_share), largest=f"{measured.largest:.1f}")
    mean = measured.mean
    if np.isfinite(mean.low) and not mean.low <= 1.0 <= mean.high:
        values = {"mean": f"{mean.value:.2f}", "interval": interval_text(mean.low, mean.high, 2)}
        if mean.value < 1:
            warn("no_support", NO_SUPPORT, share=percent(1 - mean.value), **values)
        else:
            warn("mean_above_one", TOO_MUCH, **values)
    if measured.unseen > MANY_UNSEEN:
        warn("never_shown", NEVER_SHOWN, share=percent(measured.unseen))
    if measured.covered < 1:
        warn("not_covered", NOT_COVERED, share=percent(1 - measured.covered))
    return warnings
