"""Significance of differences: a paired sign-flip (permutation) test with Holm's correction, and tie groups.

The test users are treated as a sample of a population of users. Two models are compared on the same users, which
removes most of the variance.

Test and interval are both computed from the mean differences over random subsets of the users. Under the null
hypothesis a user's difference and its negative are equally likely, so the signs of the users in any subset can be
flipped; the sum with flipped signs reaches the observed one exactly if the sum over that subset is not above 0. The
share of subsets whose mean difference is not above 0 is therefore the one-sided p-value, and the interval contains
every difference that the same test does not reject.

Source: Fisher's randomization test, recommended by Smucker, Allan and Carterette 2007, "A comparison of statistical
significance tests for information retrieval evaluation"; Hartigan 1969, "Using subsample values as typical values".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys_core.contracts import BoolArray, FloatArray

EXACT_USERS = 13
"""Up to this number of users all subsets are enumerated, so the test is exact."""
MOST_UNITS = 2048
"""More users than this are grouped at random into units whose signs are flipped jointly."""
SUBSETS_OF_A_TEST = 100
"""Minimum number of subsets per test, so that p-values can be small enough for the correction."""
MOST_SUBSETS = 200_000
"""Upper bound of the subsets: p-values are at least 1e-5, which is enough for 5,000 tests at a level of 95 %."""
BITS_AT_A_TIME = 50_000
"""Users times subsets per matrix product: fits into the cache of a core."""
EQUAL_WITHIN = 12
"""Differences are rounded to this number of decimals, so that mathematically equal values compare equal."""


def subset_sums(columns: FloatArray, rng: np.random.Generator, samples: int) -> FloatArray:
    """Return (S, C) sums of (U, C) columns over subsets of the users, each user included with probability 1/2.

    Up to `EXACT_USERS` users all subsets except the empty one are enumerated. Callers that compute shares must add the
    empty one, for random subsets as well.
    """
    users = len(columns)
    if users <= EXACT_USERS:
        numbers = np.arange(1, 2**users)
        inside = (numbers[:, None] >> np.arange(users)) & 1
        sums: FloatArray = inside.astype(np.float64) @ columns
        return sums
    if users > MOST_UNITS:
        columns = _joined(columns, rng)
    units = len(columns)
    size = max(1, BITS_AT_A_TIME // units)
    sums = np.empty((samples, columns.shape[1]))
    for start in range(0, samples, size):
        rows = min(size, samples - start)
        bits = np.frombuffer(rng.bytes(rows * (-(-units // 8))), dtype=np.uint8).reshape(rows, -1)
        np.matmul(np.unpackbits(bits, axis=1, count=units).astype(np.float64), columns, out=sums[start : start + rows])
    return sums


def _joined(columns: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return (MOST_UNITS, C) sums over random groups of users."""
    unit = rng.permutation(len(columns)) % MOST_UNITS
    return np.stack([np.bincount(unit, column, minlength=MOST_UNITS) for column in columns.T], axis=1)


def subsets_for(samples: int, tests: int) -> int:
    """Return how many random subsets are drawn for this number of tests: at least `samples`."""
    return max(samples, min(SUBSETS_OF_A_TEST * tests, MOST_SUBSETS))


def sign_flip_p(subset_differences: FloatArray) -> float:
    """Return the two-sided p-value of the null hypothesis of no difference, from the differences (S,) of `subset_sums`.

    Exact with all subsets; with random subsets the observed assignment counts as one of them, which keeps the test
    valid.
    """
    differences = np.round(subset_differences, EQUAL_WITHIN)
    fewer = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2.0 * float(1 + fewer) / (len(differences) + 1))


def sign_flip_interval(subset_differences: FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the smallest and the largest difference that the test does not reject; infinite with very few users.

    The interval contains 0 exactly if `sign_flip_p` is at least 1 - confidence.
    """
    differences = np.round(subset_differences, EQUAL_WITHIN)
    outside = math.ceil((1.0 - confidence) / 2.0 * (len(differences) + 1) - 1e-9) - 1
    if outside < 1:
        return -math.inf, math.inf
    ends = np.partition(differences, [outside - 1, len(differences) - outside])
    return float(ends[outside - 1]), float(ends[len(differences) - outside])


def holm(p_values: FloatArray) -> FloatArray:
    """Return (N,) p-values adjusted for N tests with Holm's procedure.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


@dataclass(frozen=True)
class Design:
    """The sizes that determine the power of a test of two models.

    The power is stated as a condition on the true difference. The observed difference is not used as an estimate of the
    true one: with the users of a pilot study that estimate varies by orders of magnitude.

    Args:
        users: Number of users.
        user_error: Standard error of the difference due to the sample of users.
        training_error: Standard error of the difference due to the trainings, which more users do not reduce.
        confidence: 1 - alpha, family-wise.
        tests: Number of pairs (and metrics) tested. alpha is divided by it (Bonferroni), which is Holm's threshold for
            the smallest p.
        power: Probability of detecting a difference.
    """

    users: int
    user_error: float
    training_error: float = 0.0
    confidence: float = 0.95
    tests: int = 1
    power: float = 0.8

    @property
    def _factor(self) -> float:
        """Ratio of the detectable difference to the standard error: z_{1 - alpha / 2} + z_power."""
        return float(-special.ndtri((1 - self.confidence) / 2 / self.tests) - special.ndtri(1 - self.power))

    @property
    def detectable(self) -> float:
        """The smallest true difference that these users and trainings detect with the given power."""
        return self._factor * math.hypot(self.user_error, self.training_error)

    def users_needed(self, difference: float) -> float:
        """Return the number of users with which a true difference of this size is detected.

        n = users user_error^2 / ((difference / factor)^2 - training_error^2). Infinite for a difference of 0, and where
        the variation between trainings alone hides the difference.
        """
        allowed = (difference / self._factor) ** 2 - self.training_error**2
        if not (self.user_error > 0 and allowed > 1e-24):
            return math.inf
        return float(math.ceil(self.users * self.user_error**2 / allowed))


def tie_groups(different: BoolArray) -> tuple[tuple[int, ...], ...]:
    """Return groups of models such that two models share a group exactly if they do not differ significantly.

    A model may belong to several groups: A may be tied with B, and B with C, while A and C differ. Groups are maximal
    and cover every tie (compact letter display).

    Args:
        different: (M, M) symmetric, whether two models differ significantly; models ordered best first.

    Returns:
        Groups of indices, each ascending, ordered by their members; a model that differs from all is a group of one.
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
    """Add each model, in order, that is tied with all members so far."""
    group = list(members)
    for candidate in range(len(different)):
        if candidate not in group and not different[candidate, group].any():
            group.append(candidate)
    return sorted(group)


def letters(groups: Sequence[Sequence[int]], models: int) -> list[str]:
    """Return the letters of the groups of each of M models: a, ab, b, ...; beyond z: aa, ab, separated by commas."""
    names = [_letter(number) for number in range(len(groups))]
    separator = "" if len(groups) <= 26 else ","
    return [separator.join(names[g] for g, group in enumerate(groups) if model in group) for model in range(models)]


def _letter(number: int) -> str:
    rest, place = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + chr(ord("a") + place)
