"""Is a difference more than chance? Paired bootstrap over users, Wilcoxon tests with Holm's correction, tie groups.

The users of a test part are taken as a sample of all users that there could be. Two models are compared by what they
reach for the same users, which removes most of the spread.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from recsys_core.contracts import BoolArray, FloatArray

DRAWS_AT_A_TIME = 4_000_000
MOST_DRAWS = 400_000_000
"""Over so many draws (users times samples) fewer samples are taken, at least `FEWEST_SAMPLES`."""
FEWEST_SAMPLES = 200
EQUAL_WITHIN = 12
"""Differences are rounded to so many decimals, so that what is equal on paper is equal here."""


def bootstrap_means(
    values: FloatArray, weights: FloatArray, *, rng: np.random.Generator, samples: int = 2000
) -> FloatArray:
    """Return (S, M) means over users drawn with replacement, the same users for all M columns.

    Args:
        values: (U, M) one value a user and column; NaN counts for nothing.
        weights: (U, M) weight of each value, at least 0.
        rng: Draws the users; the same stream gives the same draws.
        samples: Number S of draws of U users each.
    """
    users = len(values)
    known = ~np.isnan(values)
    weight = np.where(known, weights, 0.0)
    both = np.concatenate([np.where(known, values, 0.0) * weight, weight], axis=1)  # (U, 2M)
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
    """Return lower and upper ends (M,) of the percentile interval of (S, M) replicates; NaN where none is defined."""
    tail = (1.0 - confidence) / 2.0
    undefined = np.isnan(replicates).all(axis=0)
    low, high = np.nanquantile(np.where(undefined, 0.0, replicates), [tail, 1.0 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def wilcoxon(differences: FloatArray) -> tuple[float, float]:
    """Return the two-sided p of the signed rank test, and its sign: which way most of the ranks point (-1, 0, 1).

    Users without a difference are left out (Wilcoxon's own rule); if no user has one, p is 1.

    Args:
        differences: (U,) paired differences; NaN is left out.
    """
    clean = np.round(differences[~np.isnan(differences)], EQUAL_WITHIN)
    clean = clean[clean != 0]
    if len(clean) == 0:
        return 1.0, 0.0
    sign = float(np.sign(np.sign(clean) @ stats.rankdata(np.abs(clean))))
    return float(stats.wilcoxon(clean).pvalue), sign


def holm(p_values: FloatArray) -> FloatArray:
    """Return (N,) p-values corrected for having N tests: each is valid against the same level as a single test.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def users_needed(
    differences: FloatArray, p: float, confidence: float = 0.95, tests: int = 1, power: float = 0.8
) -> float:
    """Return how many users would tell a pair apart with the given power, if the difference is as large as it seems.

    n = U ((z_{1 - alpha / 2} + z_power) / z)^2, where z is the difference in standard errors as found with U users: by
    the mean or by the rank test, whichever is smaller. alpha is parted among the tests (Bonferroni), which is what
    Holm's procedure asks of the smallest p. Infinite if there is no difference at all.

    Args:
        differences: (U,) paired differences.
        p: What the rank test gave.
        confidence: 1 - alpha for all tests together.
        tests: Number of pairs compared.
        power: Chance to find the difference with that many users.
    """
    clean = differences[~np.isnan(differences)]
    if len(clean) < 2:
        return math.inf
    error = float(clean.std(ddof=1)) / math.sqrt(len(clean))
    by_rank = float(stats.norm.isf(p / 2))
    by_mean = abs(float(clean.mean())) / error if error > 0 else by_rank
    observed = min(by_rank, by_mean)
    if observed < 1e-6:
        return math.inf
    wanted = float(stats.norm.isf((1 - confidence) / 2 / tests) + stats.norm.isf(1 - power))
    return float(math.ceil(len(clean) * (wanted / observed) ** 2))


def tie_groups(different: BoolArray) -> tuple[tuple[int, ...], ...]:
    """Return groups of models such that two models share a group exactly if they cannot be told apart.

    A model may stand in several groups: A may be tied with B, and B with C, while A and C differ. Each group is as
    large as it can be; together they cover every tie (the compact letter display).

    Args:
        different: (M, M) symmetric, whether two models were told apart; models ordered best first.

    Returns:
        Groups of positions, each ascending, ordered by their members; a model that differs from all is a group alone.
    """
    models = len(different)
    covered = np.zeros((models, models), dtype=np.bool_)
    groups: list[tuple[int, ...]] = []
    for first in range(models):
        tied = [other for other in range(models) if other != first and not different[first, other]]
        if not tied:
            groups.append((first,))
        for second in tied:
            if second > first and not covered[first, second]:
                group = _grow([first, second], different)
                covered[np.ix_(group, group)] = True
                groups.append(tuple(group))
    return tuple(sorted(groups))


def _grow(members: Sequence[int], different: BoolArray) -> list[int]:
    """Add models in order while each new one is tied with all members."""
    group = list(members)
    for candidate in range(len(different)):
        if candidate not in group and not different[candidate, group].any():
            group.append(candidate)
    return sorted(group)


def letters(groups: Sequence[Sequence[int]], models: int) -> list[str]:
    """Return for each of M models the letters of its groups: a, ab, b, ...; after z come aa, ab separated by commas."""
    names = [_letter(number) for number in range(len(groups))]
    separator = "" if len(groups) <= 26 else ","
    return [separator.join(names[g] for g, group in enumerate(groups) if model in group) for model in range(models)]


def _letter(number: int) -> str:
    rest, place = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + chr(ord("a") + place)
