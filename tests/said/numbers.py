"""Means, tests, intervals and power computed from the stored rows by brute force, apart from the library."""

import itertools
import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy import stats

EXACT = 13
DRAWS = 12_000
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Numbers:
    """Values of M models for U users: `trained[m]` is (S, U), squares of errors if `root`; users have weights (U,)."""

    models: list[str]
    trained: list[np.ndarray]
    weights: np.ndarray
    root: bool
    share: bool
    lower_is_better: bool
    metrics: int

    @cached_property
    def values(self) -> np.ndarray:
        return np.array([own.mean(axis=0) for own in self.trained]).T

    @property
    def users(self) -> int:
        return len(self.weights)

    @property
    def tests(self) -> int:
        return self.metrics * len(self.models) * (len(self.models) - 1) // 2

    def estimate(self, values: np.ndarray) -> float:
        mean = float((values * self.weights).sum() / self.weights.sum())
        return math.sqrt(mean) if self.root else mean

    @cached_property
    def means(self) -> dict[str, float]:
        return {model: self.estimate(self.values[:, place]) for place, model in enumerate(self.models)}

    def difference(self, first: str, second: str) -> float:
        return self.means[first] - self.means[second]

    def training_error(self, model: str) -> float:
        """Return the standard error between trainings, less what single users add to it."""
        own = self.trained[self.models.index(model)]
        trainings, users = own.shape
        if trainings == 1:
            return 0.0
        numbers = [self.estimate(row) for row in own]
        variance = float(np.var(numbers, ddof=1))
        rest = own - own.mean(axis=0) - own.mean(axis=1)[:, None] + own.mean()
        slope = 0.5 / float(np.mean(numbers)) if self.root else 1.0
        residual = float((rest**2).sum()) / ((trainings - 1) * (users - 1))
        return math.sqrt(max(variance - slope**2 * residual / users, 0.0) / trainings)

    @property
    def masks(self) -> np.ndarray:
        return masks_of(self.users)

    @cached_property
    def draws(self) -> np.ndarray:
        """(S, M) estimates of subsets of the users."""
        total = self.masks @ self.weights
        means = (self.masks @ (self.values * self.weights[:, None])) / np.maximum(total, 1e-12)[:, None]
        return np.sqrt(np.abs(means)) if self.root else means

    def spread(self, first: str, second: str) -> np.ndarray:
        """(S,) differences over subsets, with the variation between trainings."""
        rng = np.random.default_rng(8)
        found = np.zeros(len(self.draws))
        for model, sign in ((first, 1), (second, -1)):
            place = self.models.index(model)
            freedom = max(len(self.trained[place]) - 1, 1)
            found += sign * (self.draws[:, place] + rng.standard_t(freedom, len(found)) * self.training_error(model))
        return found

    def errors(self, first: str, second: str) -> tuple[float, float]:
        """Return the standard errors of a difference over users and over trainings."""
        places = [self.models.index(model) for model in (first, second)]
        over_users = float((self.draws[:, places[0]] - self.draws[:, places[1]]).std())
        return over_users, math.hypot(self.training_error(first), self.training_error(second))

    def p(self, first: str, second: str) -> float:
        """Return the p-value of the sign-flip test: by flipped signs, or over subsets if users or trainings weigh."""
        if (self.weights == 1).all() and self.errors(first, second)[1] == 0 and not self.root:
            places = [self.models.index(model) for model in (first, second)]
            own = np.round(self.values[:, places[0]] - self.values[:, places[1]], 12)
            if self.users <= EXACT:
                flipped = np.abs(signs_of(self.users) @ own)
                return float((flipped >= abs(own.sum()) - 1e-9).mean())
            flipped = np.abs(signs_of(self.users) @ own)
            return float(1 + (flipped >= abs(own.sum()) - 1e-6).sum()) / (len(flipped) + 1)
        found = np.round(self.spread(first, second), 10)
        return min(1.0, 2.0 * (1 + min((found <= 0).sum(), (found >= 0).sum())) / (len(found) + 1))

    @cached_property
    def holm(self) -> dict[frozenset[str], float]:
        raw = {
            frozenset(pair): min(1.0, self.p(*pair) * self.metrics) for pair in itertools.combinations(self.models, 2)
        }
        largest, found = 0.0, {}
        for place, pair in enumerate(sorted(raw, key=lambda pair: raw[pair])):
            largest = max(largest, min(1.0, raw[pair] * (len(raw) - place)))
            found[pair] = largest
        return found

    def differ(self, first: str, second: str) -> bool | None:
        """Return whether two models differ significantly; None too near to the threshold for random subsets."""
        p = self.holm[frozenset((first, second))]
        exact = self.users <= EXACT and self.errors(first, second)[1] == 0
        in_tail = ALPHA / 2 / self.tests * DRAWS  # draws expected beyond the threshold: the fewer, the less certain
        near = max(1.7, 1 + 4 / math.sqrt(in_tail))
        return None if not exact and ALPHA / near < p < ALPHA * near else p < ALPHA

    @property
    def factor(self) -> float:
        return float(stats.norm.ppf(1 - ALPHA / 2 / self.tests) + stats.norm.ppf(0.8))

    def detectable(self, first: str, second: str) -> float:
        return self.factor * math.hypot(*self.errors(first, second))

    def users_needed(self, first: str, second: str, difference: float) -> float:
        over_users, over_trainings = self.errors(first, second)
        allowed = (difference / self.factor) ** 2 - over_trainings**2
        return math.inf if allowed <= 0 else self.users * over_users**2 / allowed

    def interval(self, first: str, second: str) -> tuple[float, float, float]:
        """Return the simultaneous interval of a difference, and how far random subsets can move its ends."""
        found, difference = np.sort(self.spread(first, second)), self.difference(first, second)
        tail = ALPHA / 2 / self.tests
        half = float(stats.norm.ppf(1 - tail)) * math.hypot(*self.errors(first, second))
        slack = 0.25 * half
        if self.users <= EXACT and tail * (len(found) + 1) <= 1:  # too few users to reject any difference
            low, high, slack = -math.inf, math.inf, 0.0
        elif tail * len(found) >= 8 or self.users <= EXACT:
            low, high = (float(np.quantile(found, share)) for share in (tail, 1 - tail))
        else:
            ends = difference - half, difference + half
            low, high = (ends[0] + min(found[0], ends[0])) / 2, (ends[1] + max(found[-1], ends[1])) / 2
            slack = 0.5 * half + max(ends[0] - low, high - ends[1])  # from the normal end to the most extreme subset
        if self.share and high - low < 1e-9:
            z = float(stats.norm.ppf(1 - ALPHA / 2))
            unseen = z**2 / (self.users + z**2)
            low, high = difference - unseen * (1 + difference), difference + unseen * (1 - difference)
        if self.differ(first, second):
            low, high = (max(low, 0.0), high) if difference > 0 else (low, min(high, 0.0))
        bounds = (max(low, -1.0), min(high, 1.0)) if self.share else (low, high)
        return *bounds, slack

    def own_interval(self, model: str) -> tuple[float, float, float]:
        """Return the interval of a model's mean and its slack: Wilson's with an effective n, or of a bootstrap."""
        place, mean = self.models.index(model), self.means[model]
        values = self.values[:, place]
        if self.share:
            low, high, slack = *wilson(values), 0.0
        else:
            drawn = np.random.default_rng(9).integers(0, self.users, (2000, self.users))
            found = [self.estimate_of(values[rows], self.weights[rows]) for rows in drawn]
            low, high = (float(np.quantile(found, share)) for share in (ALPHA / 2, 1 - ALPHA / 2))
            slack = 0.35 * (high - low)
        count = len(self.trained[place])
        half = float(stats.t.ppf(1 - ALPHA / 2, max(count - 1, 1))) * self.training_error(model)
        return mean - math.hypot(mean - low, half), mean + math.hypot(high - mean, half), slack

    def estimate_of(self, values: np.ndarray, weights: np.ndarray) -> float:
        mean = float((values * weights).sum() / weights.sum())
        return math.sqrt(mean) if self.root else mean


@cache
def masks_of(users: int) -> np.ndarray:
    """Return (S, U) subsets of the users: all but the empty one, or random ones."""
    if users <= EXACT:
        return np.array([bits for bits in itertools.product((0, 1), repeat=users) if any(bits)], dtype=float)
    return (np.random.default_rng(7).random((DRAWS, users)) < 0.5).astype(np.float32)


@cache
def signs_of(users: int) -> np.ndarray:
    """Return (S, U) flipped signs: all of them, or random ones."""
    if users <= EXACT:
        return np.array(list(itertools.product((-1.0, 1.0), repeat=users)))
    signs: np.ndarray = 2 * masks_of(users).astype(float) - 1
    return signs


def wilson(values: np.ndarray) -> tuple[float, float]:
    """Return Wilson's interval for n / r users, r the ratio of the variance to that of 0/1 values with this mean."""
    n, mean, z = len(values), float(values.mean()), float(stats.norm.ppf(1 - ALPHA / 2))
    if n > 1 and 0 < mean < 1 and np.ptp(values) > 1e-9:
        t = float(stats.t.ppf(1 - ALPHA / 2, n - 1))
        n = n / min(1.0, (t / z) ** 2 * float(values.var(ddof=1)) / (mean * (1 - mean)))
    center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return min(max(center - half, 0.0), mean), max(min(center + half, 1.0), mean)
