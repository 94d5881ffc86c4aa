"""Beyond-accuracy metrics: popularity, novelty, coverage and inequality of exposure."""

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.data.random_keys import Keys


def head_items(counts: IntArray, share: float = 0.8, ties: Keys | None = None) -> BoolArray:
    """Return (I,) whether an item belongs to the head.

    The head is the smallest set of most popular items that holds at least `share` of all training interactions; ties in
    popularity are broken by smaller key. All other items, including those without interactions, are the tail.

    Args:
        counts: (I,) training interactions of each item.
        share: Cumulative share of the interactions, above 0, at most 1.
        ties: (I,) keys that do not depend on the order of the file; None: positions.
    """
    order = np.lexsort((np.arange(len(counts)) if ties is None else ties, -counts))
    before = np.cumsum(counts[order]) - counts[order]  # interactions of all more popular items
    head = np.zeros(len(counts), dtype=np.bool_)
    head[order[before < share * counts.sum()]] = True
    return head


def list_mean(item: IntArray, values: FloatArray, k: int, counted: BoolArray | None = None) -> FloatArray:
    """Return (U,) the mean of an item attribute over the top k; NaN if no item is counted.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        values: (I,) the attribute of each item, such as its popularity.
        k: Cut-off, at most K.
        counted: (I,) mask of the items to include; None: all.
    """
    first = item[:, :k]
    present = first != PAD
    if counted is not None:
        present &= counted[first]
    size = present.sum(axis=1)
    total = np.where(present, values[first], 0.0).sum(axis=1)
    mean: FloatArray = np.divide(total, size, out=np.full(len(first), np.nan), where=size > 0)
    return mean


def information(users_of_item: IntArray, n_users: int) -> FloatArray:
    """Return (I,) the self-information in bits: log2(|U| / max(1, n_i))."""
    return np.log2(max(n_users, 1) / np.maximum(users_of_item, 1))


def exposure(item: IntArray, k: int, n_items: int) -> IntArray:
    """Return (I,) the number of lists that contain each item in their top k."""
    first = item[:, :k]
    return np.bincount(first[first != PAD], minlength=n_items)


def coverage(shown: IntArray) -> float:
    """Return the share of items (I,) recommended at least once; NaN without items."""
    return float((shown > 0).mean()) if len(shown) else float("nan")


def gini(shown: IntArray) -> float:
    """Return the Gini index of I counts: 0 if all are equal, (I - 1) / I if one item has all; NaN if all are 0."""
    total = shown.sum()
    if total == 0:
        return float("nan")
    size = len(shown)
    return float((2 * np.arange(1, size + 1) - size - 1) @ np.sort(shown) / (size * total))
