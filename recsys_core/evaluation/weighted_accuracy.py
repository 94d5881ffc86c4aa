"""Accuracy metrics that weight relevant items: by rating, by inverse popularity, and by how unexpected they are.

One value per user; NaN for a user without relevant items. Lists shorter than k are padded with misses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_core.columns import ITEM, RATING, USER
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, Ragged
from recsys_core.data import Dataset
from recsys_core.evaluation.metric_info import PARTS, MetricName


@dataclass(frozen=True, eq=False)
class RelevantItems:
    """The relevant items of U users, where they are in the lists, and what they weigh.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        hits: (U, K) whether the item at that rank is relevant.
        relevant: U rows of distinct relevant items, ascending.
        gains: (N,) rating of each relevant item, aligned with `relevant`; None in data without ratings.
        counts: (I,) training interactions of each item.
    """

    item: IntArray
    hits: BoolArray
    relevant: Ragged
    gains: FloatArray | None
    counts: IntArray

    def columns(self, masks: BoolArray, cutoffs: Sequence[int]) -> dict[str, Any]:
        """Return the columns of all weighted metrics.

        Args:
            masks: (P, I) item masks of the parts of the catalog; only the relevant items of a part count there.
            cutoffs: Cut-offs k, at most K.
        """
        columns: dict[str, Any] = {}
        for part, mask in zip(PARTS, masks, strict=True):
            listed, inside = self.hits & mask[self.item], mask[self.relevant.values]
            for k in cutoffs:
                columns[str(MetricName("ips_recall", k, part))] = self.ips_recall(listed, inside, k)
                columns[str(MetricName("serendipity", k, part))] = self.serendipity(listed, inside, k)
                if self.gains is not None:
                    columns[str(MetricName("ndcg_graded", k, part))] = self.graded_ndcg(listed, inside, k)
        return columns

    def ips_recall(self, hits: BoolArray, counted: BoolArray, k: int) -> FloatArray:
        """Return (U,) the self-normalized inverse-propensity-scored recall.

        Formula: sum of 1 / p_i over the hits in the top k, divided by the same sum over all relevant items. The
        propensity p_i to observe an interaction is proportional to max(1, n_i), the training interactions of item i.

        Args:
            hits: (U, K) the hits to count.
            counted: (N,) the relevant items to count, aligned with `relevant`.
            k: Cut-off.

        Source:
            Yang et al. 2018, "Unbiased offline recommender evaluation for missing-not-at-random implicit feedback",
            section 3.2, with gamma = 1, normalized per user.
        """
        weight = 1.0 / np.maximum(self.counts, 1)
        found = np.where(hits[:, :k], weight[self.item[:, :k]], 0.0).sum(axis=1)
        total = self._per_user(weight[self.relevant.values] * counted)
        return _ratio(found, total)

    def serendipity(self, hits: BoolArray, counted: BoolArray, k: int) -> FloatArray:
        """Return (U,) how much higher the hits are ranked than a ranking by popularity would place them.

        Formula: sum over the hits in the top k of max(0, (q_i - rank) / I), divided by k. q_i is the rank of item i by
        training interactions, equal counts sharing a rank; I + 1 for an item without interactions.

        Args:
            hits: (U, K) the hits to count.
            counted: (N,) the relevant items to count, aligned with `relevant`.
            k: Cut-off.

        Source:
            RecTools, `Serendipity`, which divides by the length of the list instead.
        """
        size = max(len(self.counts), 1)
        surprise = (popularity_ranks(self.counts)[self.item[:, :k]] - np.arange(1, k + 1)) / size
        values = np.where(hits[:, :k], np.maximum(surprise, 0.0), 0.0).sum(axis=1) / k
        return np.where(self._per_user(counted * 1.0) > 0, values, np.nan)

    def graded_ndcg(self, hits: BoolArray, counted: BoolArray, k: int) -> FloatArray:
        """Return (U,) NDCG with the rating as the gain of a relevant item.

        Formula: sum of rating / log2(rank + 1) over the hits in the top k, divided by the same sum for the relevant
        items in order of their ratings. Ratings below 0 and missing ratings have gain 0. NaN if no relevant item has a
        gain.

        Args:
            hits: (U, K) the hits to count.
            counted: (N,) the relevant items to count, aligned with `relevant`.
            k: Cut-off.

        Source:
            Jarvelin and Kekalainen 2002, "Cumulated gain-based evaluation of IR techniques", with the discount
            1 / log2(rank + 1), as `ndcg` of ranx and `NDCG(gain="rating")` of LensKit with that discount.
        """
        if self.gains is None:
            raise ValueError("There are no gains: the data have no ratings.")
        gains = np.maximum(self.gains, 0.0) * counted  # (N,)
        discounts = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
        rows, places = np.nonzero(hits[:, :k])
        found = gains[self._places(rows, self.item[rows, places])]
        actual = _sums(rows, found * discounts[places], len(hits))
        owners = self.relevant.row_numbers()
        order = np.lexsort((-gains, owners))  # each user's relevant items, highest gain first
        rank = np.arange(len(gains)) - self.relevant.offsets[owners]
        top = rank < k
        best = _sums(owners[top], gains[order][top] * discounts[rank[top]], len(hits))
        return _ratio(actual, best)

    def _per_user(self, values: FloatArray) -> FloatArray:
        """Return (U,) sums of values that are aligned with the relevant items."""
        return _sums(self.relevant.row_numbers(), values, len(self.hits))

    def _places(self, rows: IntArray, items: IntArray) -> IntArray:
        """Return the positions, in the values of `relevant`, of relevant items of users."""
        size = len(self.counts)
        keys = self.relevant.row_numbers() * size + self.relevant.values
        return np.searchsorted(keys, rows * size + items)


def popularity_ranks(counts: IntArray) -> IntArray:
    """Return (I,) dense ranks by training interactions, 1 for the most popular; I + 1 without interactions."""
    levels = np.unique(-counts[counts > 0])
    return np.where(counts > 0, np.searchsorted(levels, -counts) + 1, len(counts) + 1)


def gains_of(test: Dataset, users: IntArray, relevant: Ragged) -> FloatArray | None:
    """Return (N,) the rating of each relevant item, the highest of repeated ones; None in data without ratings.

    An item that was not rated has minus infinity.

    Args:
        test: Test interactions.
        users: (U,) user positions.
        relevant: U rows of relevant items, ascending.
    """
    if not test.has_ratings:
        return None
    frame, row_of = test.interactions, np.full(test.n_users, PAD, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    keys = row_of[frame[USER].to_numpy()] * test.n_items + frame[ITEM].to_numpy()
    wanted = relevant.row_numbers() * test.n_items + relevant.values
    place = np.searchsorted(wanted, keys)
    held = place < len(wanted)
    held[held] = wanted[place[held]] == keys[held]
    gains = np.full(len(wanted), -np.inf)
    np.fmax.at(gains, place[held], frame[RATING].to_numpy(np.float64)[held])  # ignores missing ratings
    return gains


def _sums(rows: IntArray, values: FloatArray, users: int) -> FloatArray:
    return np.bincount(rows, weights=values, minlength=users).astype(np.float64)


def _ratio(part: FloatArray, total: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(part, total, out=np.full(len(total), np.nan), where=total > 0)
    return ratio
