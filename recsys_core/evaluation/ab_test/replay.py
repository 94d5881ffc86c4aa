"""A/A replay: stored users are assigned to two equal groups many times; a sound test calls 5 % of the replays a win.

Source: Kohavi, Tang and Xu 2020, "Trustworthy online controlled experiments", chapter 19.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from recsys_core.contracts import BoolArray, FloatArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.ab_test.planner import FEWEST, Design, cuped
from recsys_core.evaluation.intervals import score_interval
from recsys_core.text import _

CONFIDENCE = 0.999
"""Of the interval of the share of false wins: at 95 %, one of twenty sound tests would be called unsound."""
NUMBERS_AT_A_TIME = 8_000_000


@dataclass(frozen=True, eq=False)
class Replay:
    """Result of an A/A replay.

    Args:
        p: (R,) p-value of each replay.
        wins: Share of replays with p below the level.
        low: Lower end of its interval; see `CONFIDENCE`.
        high: Upper end.
        level: The level.
    """

    p: FloatArray
    wins: float
    low: float
    high: float
    level: float

    @property
    def sound(self) -> bool:
        """Whether the share of false wins agrees with the level."""
        return self.low <= self.level <= self.high


def replay(
    values: FloatArray,
    *,
    covariate: FloatArray | None = None,
    design: Design | None = None,
    replays: int = 2000,
    seed: int = 0,
) -> Replay:
    """Assign stored users to two groups at random, without any difference between them, and test each time.

    Args:
        values: (U,) one value per user; NaN is left out.
        covariate: (U,) adjusts the values by CUPED before the test.
        design: Level and share of the treatment.
        replays: R, number of assignments.
        seed: Seed of the assignments.

    Raises:
        ConfigError: There are no replays.
        DataError: There are too few values, or they do not vary.
    """
    design = design or Design()
    if replays < 1:
        raise ConfigError(
            _("The number of A/A replays must be at least 1, but it is {replays}.").format(replays=replays)
        )
    kept = ~np.isnan(values)
    own: FloatArray = values[kept].astype(np.float64)
    if len(own) < 2 * FEWEST:
        raise DataError(
            _("Only {n_own} users have a value; an A/A replay needs at least {fewest}.").format(
                n_own=len(own), fewest=2 * FEWEST
            )
        )
    if covariate is not None:
        own = cuped(own, covariate[kept])
    if own.std() == 0:
        raise DataError(_("All users have the same value, so no test is possible."))
    rng = np.random.default_rng(seed)
    size = max(1, NUMBERS_AT_A_TIME // len(own))
    parts = []
    for start in range(0, replays, size):
        treated = rng.random((min(size, replays - start), len(own))) < design.treatment
        parts.append(p_of_assignments(own, treated))
    p = np.concatenate(parts)
    low, high = score_interval((p < design.level)[:, None].astype(np.float64), CONFIDENCE)
    return Replay(p, float((p < design.level).mean()), float(low[0]), float(high[0]), design.level)


def p_of_assignments(values: FloatArray, treated: BoolArray) -> FloatArray:
    """Return (R,) the p-values of Welch's test for each assignment; 1 where a group has fewer than two users.

    Args:
        values: (U,) one value per user.
        treated: (R, U) whether a user is in the treatment.
    """
    inside = treated.astype(np.float64)
    columns = np.stack([np.ones(len(values)), values - values.mean(), (values - values.mean()) ** 2], axis=1)
    first = inside @ columns
    second = columns.sum(axis=0) - first
    return welch_p(*_moments(first), *_moments(second))


def _moments(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return count, mean and variance from (R, 3) sums of 1, x and x squared."""
    count = sums[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[:, 1] / count
        variance = np.maximum(sums[:, 2] - count * mean**2, 0.0) / (count - 1)
    return count, mean, variance


def welch_p(
    n1: FloatArray, mean1: FloatArray, var1: FloatArray, n2: FloatArray, mean2: FloatArray, var2: FloatArray
) -> FloatArray:
    """Return (R,) two-sided p-values of Welch's t test (Welch 1947) from counts, means and variances of two groups."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = var1 / n1, var2 / n2
        t = (mean1 - mean2) / np.sqrt(one + two)
        freedom = (one + two) ** 2 / (one**2 / (n1 - 1) + two**2 / (n2 - 1))
        p = 2 * scipy.stats.t.sf(np.abs(t), freedom)
    found: FloatArray = np.where(np.isfinite(p), p, 1.0)
    return found
