"""Confidence intervals of means over users: score intervals for metrics from 0 to 1, and for skewed values.

The test users are treated as a sample of a population of users.
"""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.evaluation.quantiles import normal_quantile, student_quantiles

DRAWS_AT_A_TIME = 4_000_000
MOST_DRAWS = 400_000_000
"""Maximum number of draws (users times samples): above it fewer samples are drawn, at least `FEWEST_SAMPLES`."""
FEWEST_SAMPLES = 200
NO_SPREAD = 1e-12
"""A standard deviation below this is treated as 0."""
NEGLIGIBLE = 1e-6
"""A skewness below this is treated as 0."""


def score_interval(values: FloatArray, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper ends (M,) of the intervals of means of values from 0 to 1; NaN without values.

    Wilson's interval for the effective number of users n / r:

        r = min(1, (t / z)^2 s^2 / (m (1 - m)))

    where m is the mean, s^2 the variance, z the normal and t Student's quantile with n - 1 degrees of freedom. A binary
    metric has r = 1, which is Wilson's interval. So has a sample without variance, whose true variance is unknown:
    without a hit the upper end is that of 0 successes in n trials. The ends lie within 0 and 1 and never coincide.

    Coverage in simulations at a nominal 95% (n = 10 / 20 / 50 / 200): NDCG with 5% of users hit 95 / 95 / 97 / 94%,
    against 43 / 63 / 91 / 93% of the BCa and 43 / 40 / 68 / 96% of the studentized bootstrap.

    Args:
        values: (U, M) one value per user and column; NaN is ignored.
        confidence: Nominal coverage.

    Source:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference"; with an effective sample
        size as in Franco et al. 2019, "Comparative study of confidence intervals for proportions in complex sample
        surveys".
    """
    known = ~np.isnan(values)
    n = known.sum(axis=0).astype(np.float64)
    some = np.maximum(n, 1.0)
    mean = np.clip(np.where(known, values, 0.0).sum(axis=0) / some, 0.0, 1.0)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    largest = mean * (1.0 - mean)
    z = normal_quantile(confidence)
    t = np.where(n > 1, student_quantiles(confidence, np.maximum(n - 1, 1)), z)
    spread = (squares > n * NO_SPREAD**2) & (largest > 0)
    shrunk = np.divide(squares * (t / z) ** 2, np.maximum(n - 1, 1) * largest, out=np.ones_like(mean), where=spread)
    effective = some / np.minimum(shrunk, 1.0)
    center = (mean + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z / (1 + z**2 / effective) * np.sqrt(largest / effective + z**2 / (4 * effective**2))
    undefined = n == 0
    low, high = np.minimum(np.maximum(center - half, 0.0), mean), np.maximum(np.minimum(center + half, 1.0), mean)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def unseen_share(users: int, confidence: float = 0.95) -> float:
    """Return the upper bound of the share of users who differ from all observed `users` (Wilson, 0 of n)."""
    z = normal_quantile(confidence)
    return z**2 / (users + z**2)


def skewed_interval(
    mean: FloatArray, influence: FloatArray, users: IntArray, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return both ends (M,) of intervals of means of values that are at least 0; NaN without variance.

    Student's interval after Hall's transformation, which removes the skewness of W = (mean - mu) / s over n users:

        H(W) = W + g W^2 / 3 + g^2 W^3 / 27 + g / (6 n),   H^-1(y) = 3 / g ((1 + g (y - g / (6 n)))^(1/3) - 1)
        mean - s H^-1(t / sqrt(n))   to   mean - s H^-1(-t / sqrt(n))

    where s is the standard deviation, g the adjusted skewness (0 for fewer than three users), and t Student's quantile
    with n - 1 degrees of freedom. The lower end is at least 0.

    Coverage in simulations at a nominal 95% (n = 10 / 20 / 50 / 200): lognormal values 91 / 92 / 93 / 94%, against
    82 / 85 / 90 / 94% of the BCa and 90 / 91 / 93 / 94% of the studentized bootstrap.

    Args:
        mean: (M,) means over users.
        influence: (U, M) each user's value minus the mean, times the user's weight over the mean weight; 0 without a
            value.
        users: (M,) number n of users with a value.
        confidence: Nominal coverage.

    Source: Hall 1992, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54.
    """
    n = users.astype(np.float64)
    squares, cubes = (influence**2).sum(axis=0), (influence**3).sum(axis=0)
    defined = (n > 1) & (squares > n * NO_SPREAD**2)
    s = np.sqrt(np.divide(squares, n - 1, out=np.full(n.shape, np.nan), where=defined))
    g = np.zeros(n.shape)
    skewed = defined & (n > 2)
    some = n[skewed]
    g[skewed] = cubes[skewed] / some / (squares[skewed] / some) ** 1.5 * np.sqrt(some * (some - 1)) / (some - 2)
    quantile = student_quantiles(confidence, np.maximum(n - 1, 1)) / np.sqrt(np.maximum(n, 1))
    low, high = (mean - s * _unskewed(side * quantile, g, np.maximum(n, 1)) for side in (1.0, -1.0))
    return np.maximum(low, 0.0), high


def _unskewed(y: FloatArray, g: FloatArray, n: FloatArray) -> FloatArray:
    """Return H^-1(y); y itself where the skewness is negligible."""
    skewed = np.abs(g) > NEGLIGIBLE
    divisor = np.where(skewed, g, 1.0)
    return np.where(skewed, 3.0 / divisor * (np.cbrt(1.0 + g * (y - g / (6.0 * n))) - 1.0), y)


def bootstrap_means(values: FloatArray, *, rng: np.random.Generator, samples: int = 2000) -> FloatArray:
    """Return (S, M) means over users drawn with replacement, the same users for all M columns.

    Args:
        values: (U, M) one value per user and column; NaN is ignored.
        rng: Random generator that draws the users.
        samples: Number S of bootstrap samples of U users each.
    """
    users = len(values)
    known = ~np.isnan(values)
    both = np.concatenate([np.where(known, values, 0.0), known], axis=1)  # (U, 2M)
    samples = max(min(samples, FEWEST_SAMPLES), min(samples, MOST_DRAWS // max(users, 1)))
    size = max(1, DRAWS_AT_A_TIME // max(users, 1))
    sums = [_resampled_sums(both, min(size, samples - start), rng) for start in range(0, samples, size)]
    total = np.concatenate(sums)
    numerator, denominator = np.split(total, 2, axis=1)
    means: FloatArray = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
    return means


def _resampled_sums(columns: FloatArray, samples: int, rng: np.random.Generator) -> FloatArray:
    """Return (S, C) sums over U rows drawn with replacement."""
    users = len(columns)
    drawn = rng.integers(0, users, size=(samples, users), dtype=np.int64)
    drawn += np.arange(samples)[:, None] * users
    times = np.bincount(drawn.ravel(), minlength=samples * users).reshape(samples, users)
    sums: FloatArray = times.astype(np.float64) @ columns
    return sums


def interval(replicates: FloatArray, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper ends (M,) of the percentile interval of (S, M) replicates; NaN if all are undefined."""
    tail = (1.0 - confidence) / 2.0
    undefined = np.isnan(replicates).all(axis=0)
    low, high = np.nanquantile(np.where(undefined, 0.0, replicates), [tail, 1.0 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
