"""Accuracy metrics of recommendation lists: one value per user, NaN where undefined.

Relevance is binary (gain 1). A user without relevant items has the value NaN, never 0. Definitions of other libraries
are in `conventions`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, Ragged, TopK
from recsys_core.evaluation.metric_info import METRICS, PARTS, MetricInfo, MetricName, Part
from recsys_core.models.compiled import compiled

__all__ = [
    "ACCURACY",
    "METRICS",
    "PARTS",
    "AccuracyMetric",
    "HitTable",
    "Metric",
    "MetricInfo",
    "MetricName",
    "Part",
    "average_precision",
    "f1",
    "hit_rate",
    "hit_table",
    "ndcg",
    "precision",
    "precision_sum",
    "r_precision",
    "recall",
    "reciprocal_rank",
]


class Metric(Protocol):
    """Protocol of a per-user metric."""

    def per_user(self, recommended: TopK, relevant: Ragged) -> FloatArray:
        """Return (U,) values; NaN where the metric is undefined."""
        ...


@dataclass(frozen=True, eq=False)
class HitTable:
    """Positions of the relevant items in the lists: the input of all accuracy metrics.

    Args:
        hits: (U, K) whether the item at that rank is relevant.
        n_relevant: (U,) number of relevant items of each user, in the list or not.
    """

    hits: BoolArray
    n_relevant: IntArray

    def at(self, k: int) -> BoolArray:
        """Return (U, k) the hits in the top k.

        Raises:
            ValueError: The lists are shorter than k.
        """
        if not 1 <= k <= self.hits.shape[1]:
            raise ValueError(f"Cut-off {k} needs lists of at least that length; these have {self.hits.shape[1]} items.")
        return self.hits[:, :k]

    def defined(self, values: FloatArray) -> FloatArray:
        """Return `values` (U,) with NaN for users without relevant items."""
        return np.where(self.n_relevant > 0, values, np.nan)


def hit_table(recommended: TopK, relevant: Ragged) -> HitTable:
    """Mark the relevant items in the lists.

    Args:
        recommended: Lists of U users without duplicate items.
        relevant: U rows of distinct item positions.

    Raises:
        ValueError: The number of lists differs from the number of rows of relevant items.
    """
    if len(recommended) != len(relevant):
        raise ValueError(f"{len(recommended)} lists do not match {len(relevant)} rows of relevant items.")
    item = np.ascontiguousarray(recommended.item, dtype=np.int64)
    hits = np.zeros(item.shape, dtype=np.bool_)
    largest = max(item.max(initial=PAD), relevant.values.max(initial=PAD))
    marked = np.zeros(int(largest) + 2, dtype=np.bool_)  # one extra element for PAD that is never marked
    _mark(item, relevant.values.astype(np.int64), relevant.offsets, marked, hits)
    return HitTable(hits, relevant.lengths)


@compiled
def _mark(item: IntArray, relevant: IntArray, offsets: IntArray, marked: BoolArray, hits: BoolArray) -> None:
    for row in range(len(item)):
        own = relevant[offsets[row] : offsets[row + 1]]
        for position in own:
            marked[position] = True
        for place in range(item.shape[1]):
            hits[row, place] = marked[item[row, place]]
        for position in own:
            marked[position] = False


def precision(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the share of the top k that is relevant.

    Formula: hits / k. The denominator is k even if the list is shorter. NaN without relevant items.
    """
    return table.defined(table.at(k).sum(axis=1) / k)


def recall(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the share of the relevant items in the top k.

    Formula: hits / |relevant|, so a user with more than k relevant items cannot reach 1. NaN without relevant items.
    """
    return table.defined(table.at(k).sum(axis=1) / np.maximum(table.n_relevant, 1))


def f1(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the harmonic mean of precision and recall.

    Formula: 2 hits / (k + |relevant|), which is 2PR / (P + R). 0 without a hit; NaN without relevant items.
    """
    return table.defined(2.0 * table.at(k).sum(axis=1) / (k + table.n_relevant))


def hit_rate(table: HitTable, k: int) -> FloatArray:
    """Return (U,) 1 if the top k contains a relevant item, else 0; NaN without relevant items."""
    return table.defined((table.at(k).sum(axis=1) > 0) * 1.0)


def ndcg(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the normalized discounted cumulative gain.

    Formula: sum of 1 / log2(rank + 1) over the hits, divided by the same sum for the ideal list, which starts with
    min(k, |relevant|) hits. NaN without relevant items.
    """
    hits = table.at(k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
    ideal = np.cumsum(discounts)[np.minimum(np.maximum(table.n_relevant, 1), k) - 1]
    return table.defined(hits @ discounts / ideal)


def average_precision(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the mean, over the relevant items, of the precision at the rank of each.

    Formula: sum over the hits in the top k of (hits so far / rank), divided by |relevant|; a relevant item that is not
    in the list adds 0. NaN without relevant items. The mean over users is MAP.
    """
    return table.defined(precision_sum(table, k) / np.maximum(table.n_relevant, 1))


def precision_sum(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the sum of (hits so far / rank) over the hits in the top k."""
    hits = table.at(k)
    so_far = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    total: FloatArray = (so_far * hits).sum(axis=1)
    return total


def reciprocal_rank(table: HitTable, k: int) -> FloatArray:
    """Return (U,) 1 / rank of the first relevant item, 0 if none is in the top k; NaN without relevant items.

    The mean over users is MRR.
    """
    hits = table.at(k)
    return table.defined(hits.any(axis=1) / (hits.argmax(axis=1) + 1.0))


def r_precision(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the precision of the first |relevant| items of the list, at most k.

    Formula: hits in the top min(k, |relevant|) / |relevant|. Equals ranx' R-precision if k is at least |relevant|, and
    Microsoft's `r_precision_at_k`. NaN without relevant items.
    """
    within = np.arange(k) < table.n_relevant[:, None]  # (U, k)
    return table.defined((table.at(k) & within).sum(axis=1) / np.maximum(table.n_relevant, 1))


ACCURACY: Mapping[str, Callable[[HitTable, int], FloatArray]] = {
    "ndcg": ndcg,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "hit_rate": hit_rate,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "r_precision": r_precision,
}
"""Accuracy metrics by key."""


@dataclass(frozen=True)
class AccuracyMetric:
    """An accuracy metric at one cut-off.

    Args:
        key: One of `ACCURACY`.
        k: Cut-off.
    """

    key: str
    k: int

    def per_user(self, recommended: TopK, relevant: Ragged) -> FloatArray:
        """Return (U,) values; NaN for users without relevant items."""
        return ACCURACY[self.key](hit_table(recommended, relevant), self.k)
