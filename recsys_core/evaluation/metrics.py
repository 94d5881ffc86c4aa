"""How good are lists of recommendations, and predicted ratings: one value a user, NaN where it is undefined.

A list is judged by the items that turned out relevant for its user. All relevant items count alike (gain 1). A user
without relevant items has no value, never 0. What other libraries define differently stands in `conventions`.
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
    "recall",
    "reciprocal_rank",
]


class Metric(Protocol):
    """Something that gives each user's list a value."""

    def per_user(self, recommended: TopK, relevant: Ragged) -> FloatArray:
        """Return (U,) values; NaN where the metric is undefined."""
        ...


@dataclass(frozen=True, eq=False)
class HitTable:
    """Where in the lists the relevant items stand; all metrics of accuracy follow from it.

    Args:
        hits: (U, K) whether the item at that place is relevant.
        n_relevant: (U,) number of relevant items of each user, in the list or not.
    """

    hits: BoolArray
    n_relevant: IntArray

    def at(self, k: int) -> BoolArray:
        """Return (U, k) the first places.

        Raises:
            ValueError: The lists are shorter than that.
        """
        if not 1 <= k <= self.hits.shape[1]:
            raise ValueError(f"Cut-off {k} needs lists of at least that length; these hold {self.hits.shape[1]}.")
        return self.hits[:, :k]

    def defined(self, values: FloatArray) -> FloatArray:
        """Return `values` (U,) with NaN for users without relevant items."""
        return np.where(self.n_relevant > 0, values, np.nan)


def hit_table(recommended: TopK, relevant: Ragged) -> HitTable:
    """Mark the relevant items in the lists.

    Args:
        recommended: Lists of U users; no item stands twice in a list.
        relevant: U rows of distinct item positions.

    Raises:
        ValueError: There are not as many lists as rows of relevant items.
    """
    if len(recommended) != len(relevant):
        raise ValueError(f"{len(recommended)} lists cannot be judged by {len(relevant)} rows of relevant items.")
    item = np.ascontiguousarray(recommended.item, dtype=np.int64)
    hits = np.zeros(item.shape, dtype=np.bool_)
    largest = max(item.max(initial=PAD), relevant.values.max(initial=PAD))
    marked = np.zeros(int(largest) + 2, dtype=np.bool_)  # one more place, for PAD, that is never marked
    _mark(item, relevant.values.astype(np.int64), relevant.offsets, marked, hits)
    return HitTable(hits, relevant.lengths)


@compiled
def _mark(item: IntArray, relevant: IntArray, offsets: IntArray, marked: BoolArray, hits: BoolArray) -> None:
    for row in range(len(item)):
        mine = relevant[offsets[row] : offsets[row + 1]]
        for position in mine:
            marked[position] = True
        for place in range(item.shape[1]):
            hits[row, place] = marked[item[row, place]]
        for position in mine:
            marked[position] = False


def precision(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the share of the first k places that hold a relevant item.

    Formula: hits / k. The denominator is k even when the list is shorter. NaN without relevant items.
    """
    return table.defined(table.at(k).sum(axis=1) / k)


def recall(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the share of the relevant items that stand in the first k places.

    Formula: hits / |relevant|, so that a user with more than k relevant items cannot reach 1. NaN without any.
    """
    return table.defined(table.at(k).sum(axis=1) / np.maximum(table.n_relevant, 1))


def f1(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the harmonic mean of precision and recall.

    Formula: 2 hits / (k + |relevant|), which is 2PR / (P + R). 0 without a hit; NaN without relevant items.
    """
    return table.defined(2.0 * table.at(k).sum(axis=1) / (k + table.n_relevant))


def hit_rate(table: HitTable, k: int) -> FloatArray:
    """Return (U,) 1 where a relevant item stands in the first k places, else 0; NaN without relevant items."""
    return table.defined((table.at(k).sum(axis=1) > 0) * 1.0)


def ndcg(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the normalised discounted cumulative gain.

    Formula: sum of 1 / log2(place + 1) over the hits, divided by that sum for the ideal list, which has
    min(k, |relevant|) hits in front. NaN without relevant items.
    """
    hits = table.at(k)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
    ideal = np.cumsum(discounts)[np.minimum(np.maximum(table.n_relevant, 1), k) - 1]
    return table.defined(hits @ discounts / ideal)


def average_precision(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the mean, over the relevant items, of the precision at the place where each was found.

    Formula: sum over the hits in the first k places of (hits so far / place), divided by |relevant|; a relevant item
    that is not in the list adds 0. NaN without relevant items. Its mean over users is called MAP.
    """
    return table.defined(precision_sum(table, k) / np.maximum(table.n_relevant, 1))


def precision_sum(table: HitTable, k: int) -> FloatArray:
    """Return (U,) the sum of hits so far / place over the places up to k that hold a hit."""
    hits = table.at(k)
    so_far = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    total: FloatArray = (so_far * hits).sum(axis=1)
    return total


def reciprocal_rank(table: HitTable, k: int) -> FloatArray:
    """Return (U,) 1 / place of the first relevant item, 0 if none stands in the first k; NaN without relevant items.

    Its mean over users is called MRR.
    """
    hits = table.at(k)
    return table.defined(hits.any(axis=1) / (hits.argmax(axis=1) + 1.0))


ACCURACY: Mapping[str, Callable[[HitTable, int], FloatArray]] = {
    "ndcg": ndcg,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "hit_rate": hit_rate,
    "map": average_precision,
    "mrr": reciprocal_rank,
}
"""Key -> function, for metrics that follow from the lists and the relevant items."""


@dataclass(frozen=True)
class AccuracyMetric:
    """A metric of accuracy at one cut-off, as an object.

    Args:
        key: One of `ACCURACY`.
        k: Length of list.
    """

    key: str
    k: int

    def per_user(self, recommended: TopK, relevant: Ragged) -> FloatArray:
        """Return (U,) values; NaN for users without relevant items."""
        return ACCURACY[self.key](hit_table(recommended, relevant), self.k)
