"""Paired differences of one metric between two sets of lists of the same users."""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray
from recsys_core.evaluation.estimates import student_interval
from recsys_core.evaluation.intervals import score_interval


@dataclass(frozen=True)
class Paired:
    """A metric before and after, over the users with a value for both.

    Args:
        before: Mean before, NaN without users.
        after: Mean after.
        difference: After minus before.
        low: Lower end of the interval of the difference; NaN if it is undefined.
        high: Upper end.
        users: Number of users.
    """

    before: float
    after: float
    difference: float
    low: float
    high: float
    users: int


def paired(
    before: FloatArray, after: FloatArray, *, share: bool, confidence: float = 0.95, scale: float = 1.0
) -> Paired:
    """Return the difference of the means of two metrics with Student's interval, as `comparison.paired_difference`.

    Args:
        before: (U,) one value per user, NaN where undefined.
        after: (U,) the same after.
        share: Whether all values lie between 0 and 1; then the interval does not leave -1 and 1.
        confidence: Nominal coverage of the interval.
        scale: `before` is multiplied by it: 0.98 gives the distance to 98 % of the value before.
    """
    gained = after - scale * before
    known = ~np.isnan(gained)
    if not known.all():
        before, after, gained = before[known], after[known], gained[known]
    users = len(gained)
    if not users:
        return Paired(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    first, second = scale * float(before.mean()), float(after.mean())
    low, high = student_interval(second - first, gained, share=share, confidence=confidence)
    return Paired(first, second, second - first, low, high, users)


def share_of(happened: BoolArray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the share of users (U,) and both ends of its Wilson interval; NaN without users."""
    if not len(happened):
        return np.nan, np.nan, np.nan
    low, high = score_interval(happened[:, None].astype(np.float64), confidence)
    return float(happened.mean()), float(low[0]), float(high[0])
