"""The graph of items on which points of interest move: items that people chose shortly before or after each other.

    weight_ij = (c_ij - 1) / sqrt(n_i n_j)

c_ij counts how often i and j stand at most `REACH` places apart in a history, n_i how often i was chosen. The 1 is
taken off because training asks the graph about the very histories that it was made of: a pair that one person alone had
would give away what that person did next. Each item keeps its heaviest neighbours. A step of a walk goes from an item
to a neighbour with a chance in proportion to weight.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from recsys_core.contracts import FloatArray, IntArray, Ragged

REACH = 3
"""Places between two items of a history that are still counted as near."""


class ItemGraph(NamedTuple):
    """Neighbours (I, N) int64 of each item, heaviest first, and the chance (I, N) float32 of each, rows summing to 1.

    An item with fewer than N neighbours is its own neighbour in the places that are left, with chance 0; one without
    any stays where it is, with chance 1 in the first place.
    """

    neighbours: IntArray
    chances: FloatArray


def item_graph(histories: Ragged, n_items: int, size: int) -> ItemGraph:
    """Return the graph of the items in these histories.

    Args:
        histories: Rows of item positions, oldest first.
        n_items: I.
        size: N, neighbours kept of each item; at most I - 1 are found.
    """
    weights = _near_counts(histories, n_items)
    chosen = np.bincount(histories.values, minlength=n_items).astype(np.float64)
    scale = 1.0 / np.sqrt(np.maximum(chosen, 1.0))
    weights.data -= 1.0
    weights.eliminate_zeros()
    rows = np.repeat(np.arange(n_items), np.diff(weights.indptr))
    weights.data *= scale[rows] * scale[weights.indices]
    neighbours = np.repeat(np.arange(n_items, dtype=np.int64)[:, None], size, axis=1)
    chances = np.zeros((n_items, size), dtype=np.float32)
    for item in range(n_items):
        entries = slice(weights.indptr[item], weights.indptr[item + 1])
        others, weight = weights.indices[entries], weights.data[entries]
        best = np.lexsort((others, -weight))[:size]  # equal weights by position
        neighbours[item, : len(best)] = others[best]
        chances[item, : len(best)] = weight[best] / weight[best].sum() if len(best) else 0.0
    chances[chances.sum(axis=1) == 0, 0] = 1.0
    return ItemGraph(neighbours, chances)


def most_popular(histories: Ragged, n_items: int, size: int) -> IntArray:
    """Return (P,) the items chosen most often, at most `size`; equal ones by position."""
    counts = np.bincount(histories.values, minlength=n_items)
    return np.argsort(-counts, kind="stable")[:size].astype(np.int64)


def _near_counts(histories: Ragged, n_items: int) -> csr_array:
    """(I, I) how often two different items stand near each other, in either order."""
    values, rows = histories.values.astype(np.int64), histories.row_numbers()
    near = csr_array((n_items, n_items), dtype=np.float64)
    for distance in range(1, REACH + 1):
        first, second = values[:-distance], values[distance:]
        pair = (rows[:-distance] == rows[distance:]) & (first != second)
        counts = coo_array((np.ones(pair.sum()), (first[pair], second[pair])), shape=(n_items, n_items)).tocsr()
        near = near + counts + counts.T
    return csr_array(near)
