"""Intervals for functions of sums over independent clusters: the studentized bootstrap over users.

An estimate is f(T), where T (D,) are the sums over C clusters of S (C, D), and f does not change when T is scaled. Its
linearized standard error is

    se^2 = C / (C - 1) g' (sum_c S_c S_c') g,   g = gradient of f at T,

since g' T = 0, or the delete-one-cluster jackknife error where that is larger. Replicates T* draw clusters with
replacement; the interval is

    f(T) - q(0.975) se  to  f(T) - q(0.025) se,   q the quantiles of (f(T*) - f(T)) / se*.

The studentized interval is asymmetric where rewards are rare, and is second-order accurate.

Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 12.5; clusters as in Cameron, Gelbach
and Miller 2008, "Bootstrap-based improvements for inference with clustered errors".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import FloatArray

REPLICATES = 1000
DRAWS_AT_A_TIME = 8_000_000
MOST_CLUSTERS = 5000
"""More clusters are combined at random into as many groups, which are independent, too; this bounds time and memory."""
Function = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From (..., D) sums to (...) values and (..., D) gradients."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and 95% interval; NaN where undefined."""

    value: float
    error: float
    low: float
    high: float


def studentized(
    sums: FloatArray, function: Function, *, seed: int, confidence: float = 0.95, replicates: int = REPLICATES
) -> Interval:
    """Return an estimate with its studentized bootstrap interval; without variance only the value is defined.

    Args:
        sums: (C, D) sums of each cluster.
        function: f and its gradient, vectorized over leading axes.
        seed: Seed of the bootstrap.
        confidence: Nominal coverage.
        replicates: Number of bootstrap replicates.
    """
    value, gradient = function(sums.sum(axis=0))
    sums = _grouped(sums, seed)
    clusters = len(sums)
    none = Interval(float(value), np.nan, np.nan, np.nan)
    if clusters < 2 or not np.isfinite(value):
        return none
    used = sums / np.where(np.abs(sums).max(axis=0) > 0, np.abs(sums).max(axis=0), 1.0)
    scale = np.where(np.abs(sums).max(axis=0) > 0, np.abs(sums).max(axis=0), 1.0)
    error = _error(sums, function, gradient)
    if error <= 1e-12 * max(1.0, abs(float(value))):
        return none
    ratios = _ratios(used, scale, function, float(value), np.random.default_rng(seed), replicates)
    if len(ratios) < replicates // 2:
        return Interval(float(value), error, np.nan, np.nan)
    tail = (1.0 - confidence) / 2.0
    below, above = np.quantile(ratios, [tail, 1.0 - tail])
    return Interval(float(value), error, float(value - above * error), float(value - below * error))


def _grouped(sums: FloatArray, seed: int) -> FloatArray:
    if len(sums) <= MOST_CLUSTERS:
        return sums
    group = np.random.default_rng(seed).permutation(len(sums)) % MOST_CLUSTERS
    columns = [np.bincount(group, weights=column, minlength=MOST_CLUSTERS) for column in sums.T]
    return np.stack(columns, axis=1)


def _error(sums: FloatArray, function: Function, gradient: FloatArray) -> float:
    """Return the standard error: the larger of linearization and delete-one-cluster jackknife.

    Linearization is too small for a self-normalized mean with few large weights.
    """
    clusters = len(sums)
    linear = float(np.sqrt(clusters / (clusters - 1) * ((sums @ gradient) ** 2).sum()))
    without, _ = function(sums.sum(axis=0) - sums)
    if not np.isfinite(without).all():
        return linear
    return max(linear, float(np.sqrt((clusters - 1) / clusters * ((without - without.mean()) ** 2).sum())))


def _ratios(
    used: FloatArray, scale: FloatArray, function: Function, value: float, rng: np.random.Generator, replicates: int
) -> FloatArray:
    """Return the studentized replicates that are defined."""
    clusters, width = used.shape
    first, second = np.triu_indices(width)
    products = used[:, first] * used[:, second]
    size = max(1, DRAWS_AT_A_TIME // clusters)
    found = []
    for start in range(0, replicates, size):
        rows = min(size, replicates - start)
        drawn = rng.integers(0, clusters, size=(rows, clusters)) + np.arange(rows)[:, None] * clusters
        times = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)
        values, gradients = function((times @ used) * scale)
        moments = np.empty((rows, width, width))
        moments[:, first, second] = moments[:, second, first] = times @ products
        slopes = gradients * scale
        squares = np.einsum("bi,bij,bj->b", slopes, moments, slopes) * clusters / (clusters - 1)
        defined = np.isfinite(values) & (squares > 0)
        found.append((values[defined] - value) / np.sqrt(squares[defined]))
    return np.concatenate(found)


def ratio(totals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return A / n and its gradient for sums (..., 2) of A and n."""
    amount, count = totals[..., 0], totals[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(count > 0, amount / count, np.nan)
        gradient = np.stack([1.0 / count, -amount / count**2], axis=-1)
    return value, gradient


def self_normalized(totals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sum_k (A_k / W_k) (M_k / n) and its gradient.

    Args:
        totals: (..., 3 K + 1): A_k weighted rewards, W_k weights, M_k target mass of each position k, then n
            impressions.
    """
    places = (totals.shape[-1] - 1) // 3
    amount, weight, mass = (totals[..., part * places : (part + 1) * places] for part in range(3))
    count = totals[..., -1:]
    used = mass > 0  # the policy fills this position; without any weight its value is unknown
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(used, amount / weight, 0.0)
        by_amount = np.where(used, mass / (weight * count), 0.0)
        value = (rate * mass / count).sum(axis=-1)
        slopes = [by_amount, -rate * by_amount, rate / count, -(rate * mass / count**2).sum(axis=-1, keepdims=True)]
    return np.where(weight.min(axis=-1, initial=np.inf, where=used) > 0, value, np.nan), np.concatenate(slopes, axis=-1)
