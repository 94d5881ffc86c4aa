"""Estimates of metrics over users and trainings: means, intervals, and the draws behind significance tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.evaluation import intervals, significance
from recsys_core.evaluation.evaluate import N_RATINGS
from recsys_core.evaluation.metric_info import METRICS, MetricName
from recsys_core.evaluation.quantiles import student_quantile, student_quantiles


@dataclass(frozen=True, eq=False)
class Estimates:
    """C estimates over users: number c is the weighted mean of `values[:, c]`, its square root if `root[c]`.

    If `share[c]`, the values lie between 0 and 1 and all weights are 1. Users in a column without a value are NaN.
    """

    values: FloatArray
    weights: FloatArray
    root: BoolArray
    share: BoolArray

    def means(self) -> FloatArray:
        """Return (C,) the estimates over all users; NaN where no user has a value."""
        weight = np.where(np.isnan(self.values), 0.0, self.weights)
        total = weight.sum(axis=0)
        sums = (np.nan_to_num(self.values) * weight).sum(axis=0)
        means = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
        return self._unsquared(means)

    def averaged(self, group: IntArray) -> "Estimates":
        """Return the estimates whose values are each user's mean over the columns of a group.

        Args:
            group: (C,) number of each column's group: 0, 1, ...
        """
        members = [np.flatnonzero(group == number) for number in range(int(group.max()) + 1)]
        first = np.array([member[0] for member in members])
        values = np.stack([self.values[:, member].mean(axis=1) for member in members], axis=1)
        return Estimates(values, self.weights[:, first], self.root[first], self.share[first])

    def intervals(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Return both ends (C,) of the interval of each estimate over users; NaN if undefined."""
        low, high = intervals.score_interval(self.values, confidence)
        rest = np.flatnonzero(~self.share)
        if len(rest):
            values, root = self.values[:, rest], self.root[rest]
            known = ~np.isnan(values)
            weights = np.where(known, self.weights[:, rest], 0.0)
            users = known.sum(axis=0)
            estimates = self.means()[rest]
            center = np.where(root, estimates**2, estimates)
            mean_weight = weights.sum(axis=0) / np.maximum(users, 1)
            influence = np.nan_to_num(weights * (values - center)) / np.where(mean_weight > 0, mean_weight, 1.0)
            ends = intervals.skewed_interval(center, influence, users, confidence)
            low[rest], high[rest] = (np.where(root, np.sqrt(end), end) for end in ends)
        return low, high

    def difference_interval(self, means: FloatArray, confidence: float) -> tuple[float, float]:
        """Return both ends of Student's interval of the first minus the second of the estimates `means`."""
        if len(self.values) < 2:
            return np.nan, np.nan
        center = np.where(self.root, means**2, means)
        slope = np.where(self.root, 0.5 / np.maximum(means, 1e-12), 1.0)
        influence = slope * self.weights * (self.values - center) / self.weights.mean(axis=0)
        spread = influence[:, 0] - influence[:, 1]
        return student_interval(float(means[0] - means[1]), spread, share=bool(self.share.all()), confidence=confidence)

    def subsets(self, seed: int, samples: int) -> FloatArray:
        """Return (S, C) the estimates of random subsets of the users, the same users for all C; see `significance`.

        Every user must have a value in every column.
        """
        rng = RunContext(seed).rng("subsets")
        count = self.values.shape[1]
        plain = bool((self.weights == 1.0).all())
        weights = np.ones((len(self.values), 1)) if plain else self.weights
        sums = significance.subset_sums(np.concatenate([self.values * self.weights, weights], axis=1), rng, samples)
        total = sums[:, count:]
        means = np.divide(sums[:, :count], total, out=np.zeros((len(sums), count)), where=total > 0)
        return self._unsquared(means)

    def resampled(self, counts: IntArray) -> FloatArray:
        """Return (S, C) the estimates with the users counted `counts` (S, U) times; every user must have a value."""
        means: FloatArray = (counts @ (self.values * self.weights)) / (counts @ self.weights)
        return self._unsquared(means)

    def _unsquared(self, means: FloatArray) -> FloatArray:
        numbers: FloatArray = np.where(self.root, np.sqrt(np.abs(means)), means)
        return numbers


def student_interval(
    difference: float, influence: FloatArray, *, share: bool, confidence: float
) -> tuple[float, float]:
    """Return both ends of Student's interval of a mean difference over users; NaN for fewer than two.

    Args:
        difference: The mean.
        influence: (U,) what each user adds to it, up to a constant.
        share: Whether both values lie between 0 and 1; then the interval does not leave -1 and 1.
        confidence: Nominal coverage of the interval.
    """
    users = len(influence)
    if users < 2:
        return np.nan, np.nan
    half = student_quantile(confidence, users - 1) * float(influence.std(ddof=1)) / users**0.5
    low, high = difference - half, difference + half
    if share:
        low, high = of_shares(difference, low, high, users, confidence)
    return finite(low, high)


def _variation(trained: Estimates, means: FloatArray, own: IntArray) -> tuple[float, float]:
    """Return standard deviation and standard error of the trainings in columns `own` of one model.

    Two-way random effects: the variance of the means of S trainings over U users is that of the trainings plus 1 / U of
    the residual (user by training), which the variance over users contains already. It is subtracted:
    error^2 = (var - residual / U) / S.
    """
    if len(own) == 1:
        return np.nan, 0.0
    values = trained.values[:, own]
    values = values[~np.isnan(values).any(axis=1)]
    users, count = values.shape
    std = float(means[own].std(ddof=1))
    if users < 2:
        return std, std / count**0.5
    residual = values - values.mean(axis=1, keepdims=True)
    residual -= residual.mean(axis=0)
    slope = 0.5 / max(float(means[own].mean()), 1e-12) if trained.root[own[0]] else 1.0
    luck = slope**2 * float((residual**2).sum()) / ((users - 1) * (count - 1) * users)
    return std, (max(std**2 - luck, 0.0) / count) ** 0.5


def estimates_of(sources: Sequence[tuple[pd.DataFrame, MetricName]]) -> Estimates:
    """Return the estimates of metric columns: rmse and mae weight users by their number of ratings, others by 1."""
    values, weights = [], []
    for frame, name in sources:
        value = frame[str(name)].to_numpy(np.float64)
        count = f"{N_RATINGS}:{name.part}".rstrip(":")
        values.append(value**2 if name.key == "rmse" else value)
        weights.append(frame[count].to_numpy(np.float64) if name.key in ("rmse", "mae") else np.ones(len(value)))
    root = np.array([name.key == "rmse" for _, name in sources])
    share = np.array([name.info.is_share for _, name in sources])
    return Estimates(np.stack(values, axis=1), np.stack(weights, axis=1), root, share)


@dataclass(frozen=True, eq=False)
class Trainings:
    """Variation between the trainings of each of M models.

    Args:
        count: (M,) number of trainings.
        std: (M,) standard deviation of the estimates of the trainings; NaN with one training.
        error: (M,) standard error of the mean over trainings, without what the luck of single users adds to it; 0 with
            one training, where it is unknown.
    """

    count: IntArray
    std: FloatArray
    error: FloatArray

    @classmethod
    def of(cls, trained: Estimates, group: IntArray) -> "Trainings":
        """Return the variation of the estimates of all trainings; `group` (C,) is the number of the model."""
        means = trained.means()
        found = [_variation(trained, means, np.flatnonzero(group == number)) for number in range(int(group.max()) + 1)]
        return cls(np.bincount(group), *np.array(found).T)

    def widened(
        self, columns: Estimates, low: FloatArray, high: FloatArray, confidence: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return intervals over users (M,) of the means of `columns` with the variation between trainings added.

        The half-widths of both levels add in quadrature; that of the trainings is Student's with S - 1 degrees of
        freedom. Intervals of shares end at 0 and 1, as those over users do.

        Source:
            Zou and Donner 2008, "Construction of confidence limits about effect measures: a general approach" (MOVER).
        """
        half = student_quantiles(confidence, np.maximum(self.count - 1, 1)) * self.error
        means = columns.means()
        wide_low, wide_high = means - np.hypot(means - low, half), means + np.hypot(high - means, half)
        return (
            np.where(columns.share, np.maximum(wide_low, 0.0), wide_low),
            np.where(columns.share, np.minimum(wide_high, 1.0), wide_high),
        )

    def draws(self, seed: int, samples: int) -> FloatArray:
        """Return (S, M) random deviations of each model's mean over trainings from its expectation.

        A bootstrap of three or five trainings has too little variance: by the factor (S - 1) / S, and with normal
        tails. Student's distribution of the mean of S trainings has neither fault. The difference of two models then
        has the distribution of Behrens and Fisher.
        """
        rng = RunContext(seed).rng("trainings")
        freedom = np.maximum(self.count - 1, 1)
        deviations: FloatArray = rng.standard_t(freedom, size=(samples, len(self.count))) * self.error
        return deviations


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of a per-user frame that hold metrics."""
    return [str(column) for column in frame if str(column).partition("@")[0].partition(":")[0] in METRICS]


def of_shares(difference: float, low: float, high: float, users: int, confidence: float) -> tuple[float, float]:
    """Return the interval of a difference of shares: within -1 and 1, never of zero width.

    If the difference is the same for all observed users, unobserved users may still differ by up to 1 either way.
    """
    if high - low < intervals.NO_SPREAD:
        unseen = intervals.unseen_share(users, confidence)
        low, high = difference - unseen * (1 + difference), difference + unseen * (1 - difference)
    return max(low, -1.0), min(high, 1.0)


def finite(low: float, high: float) -> tuple[float, float]:
    """Return the ends, or NaN if they are undefined (too few users or no variance)."""
    return (low, high) if np.isfinite(low) and np.isfinite(high) and high > low else (np.nan, np.nan)
