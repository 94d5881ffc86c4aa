"""Beyond-accuracy metrics: popularity, novelty, coverage, personalization and inequality of exposure."""

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


def weighted_exposure(item: IntArray, k: int, n_items: int) -> FloatArray:
    """Return (I,) the exposure of each item: the sum of 1 / log2(rank + 1) over the lists with it in their top k.

    Source:
        Singh and Joachims 2018, "Fairness of exposure in rankings", section 3.2.
    """
    first = item[:, :k]
    present = first != PAD
    weights = np.broadcast_to(1.0 / np.log2(np.arange(2, k + 2)), first.shape)
    return np.bincount(first[present], weights=weights[present], minlength=n_items).astype(np.float64)


def personalization(item: IntArray, k: int, counted: BoolArray) -> float:
    """Return 1 minus the mean cosine similarity of the lists of all pairs of users; NaN with fewer than two lists.

    Lists are compared as sets. The sum over all pairs follows from the item counts: with unit vectors x_u,
    sum of x_u . x_v over u != v is ||sum of x_u||^2 - U.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        k: Cut-off, at most K.
        counted: (I,) mask of the items to include; users without any such item are left out.
    """
    first = item[:, :k]
    present = (first != PAD) & counted[first]
    size = present.sum(axis=1)
    users = int((size > 0).sum())
    if users < 2:
        return float("nan")
    weights = np.broadcast_to(1.0 / np.sqrt(np.maximum(size, 1))[:, None], first.shape)
    total = np.bincount(first[present], weights=weights[present])
    return float(1.0 - (total @ total - users) / (users * (users - 1)))


def covered_users(item: IntArray, k: int, counted: BoolArray) -> float:
    """Return the share of users with at least one counted item in their top k; NaN without users."""
    first = item[:, :k]
    return float(((first != PAD) & counted[first]).any(axis=1).mean()) if len(first) else float("nan")


def coverage(shown: IntArray) -> float:
    """Return the share of items (I,) recommended at least once; NaN without items."""
    return float((shown > 0).mean()) if len(shown) else float("nan")


def gini(shown: IntArray | FloatArray) -> float:
    """Return the Gini index of I numbers: 0 if all are equal, (I - 1) / I if one item has all; NaN if all are 0."""
    total = shown.sum()
    if total == 0:
        return float("nan")
    size = len(shown)
    return float((2 * np.arange(1, size + 1) - size - 1) @ np.sort(shown) / (size * total))
