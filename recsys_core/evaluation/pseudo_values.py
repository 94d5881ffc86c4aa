"""Per-user values of metrics that describe all lists together, so that their differences have paired intervals.

A metric of all lists, such as coverage, is a function of the sample of users. Its jackknife pseudo-values stand for the
users: their mean is the metric, and their variance over n is that of the metric. The difference of two strategies on
the same users is then a paired difference of pseudo-values, as for any metric with a value per user.

Leaving out one user can only overestimate the variance of a metric on average (Efron and Stein 1981, "The jackknife
estimate of variance"), so intervals of coverage, which is not smooth, are rather too wide than too narrow.

Source: Tukey 1958, "Bias and confidence in not quite large samples"; for Gini and shares the infinitesimal jackknife of
Jaeckel 1972 (Efron 1982, "The jackknife, the bootstrap and other resampling plans", chapter 6). Pseudo-values are
centered at the metric itself, without the jackknife's correction of bias.
"""

import numpy as np
import scipy

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.evaluation import beyond_accuracy as beyond


def coverage_values(item: IntArray, k: int, n_items: int) -> FloatArray:
    """Return (U,) pseudo-values of the catalog coverage; NaN without items or users.

    Without user u, the coverage falls by the share of items that are in the top k of u only.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        k: Cut-off.
        n_items: Size of the catalog.
    """
    shown = beyond.exposure(item, k, n_items)
    own = _sums_over_lists((shown == 1).astype(np.float64), item, k)
    return beyond.coverage(shown) + (len(item) - 1) * _centered(own) / max(n_items, 1)


def gini_values(item: IntArray, k: int, n_items: int) -> FloatArray:
    """Return (U,) pseudo-values of the Gini index of exposure; NaN if all lists are empty.

    With e_i the exposure of item i, r_i its rank (the mean rank of equal exposures) and T the sum of e, the derivative
    of the index G by e_i is ((2 r_i - I - 1) / I - G) / T; by the weight of a user, its sum over the user's list.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        k: Cut-off.
        n_items: Size of the catalog.
    """
    shown = beyond.exposure(item, k, n_items)
    index = beyond.gini(shown)
    slope = ((2 * scipy.stats.rankdata(shown) - n_items - 1) / max(n_items, 1) - index) / max(int(shown.sum()), 1)
    return index + len(item) * _centered(_sums_over_lists(slope, item, k))


def share_values(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return (U,) pseudo-values of the share sum(part) / sum(whole); NaN if the sum is 0.

    Args:
        part: (U,) what each user contributes to the part.
        whole: (U,) what each user contributes in all.
    """
    total = float(whole.sum())
    if not total > 0:
        return np.full(len(part), np.nan)
    share = float(part.sum()) / total
    values: FloatArray = share + (part - share * whole) * len(part) / total
    return values


def _centered(values: FloatArray) -> FloatArray:
    return values - values.mean() if len(values) else values


def _sums_over_lists(values: FloatArray, item: IntArray, k: int) -> FloatArray:
    """Return (U,) the sum of an item attribute (I,) over the top k."""
    first = item[:, :k]
    sums: FloatArray = np.where(first != PAD, values[first], 0.0).sum(axis=1) if len(values) else np.zeros(len(item))
    return sums
