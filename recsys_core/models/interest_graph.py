"""The item graph on which points of interest move: it links items that occur near each other in histories.

    weight_ij = (c_ij - 1) / sqrt(n_i n_j)

c_ij counts how often i and j occur at most `REACH` positions apart in a history, n_i how often i occurs. The 1 is
subtracted because a single co-occurrence is no evidence. Each item keeps its neighbors of largest weight. A random walk
moves from an item to a neighbor with a probability proportional to the weight.

Queries use the graph of all histories. In training this would leak the target: each target has created edges to the
items before it, which make it one of their neighbors (16 % of the next items of ML-100K are among the ten neighbors of
the previous item, against 12 % for held-out histories). So training is cross-fitted: users are assigned to `FOLDS`
folds, and the examples of a user use the graph of the users in the other folds.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from recsys_core.contracts import FloatArray, IntArray, Ragged

REACH = 3
"""Maximum distance of two items in a history that counts as a co-occurrence."""
FOLDS = 10
"""Number of graphs used in training, each built from nine tenths of the users."""


class ItemGraph(NamedTuple):
    """Neighbors (I, N) int64 of each item by decreasing weight, and transition probabilities (I, N) float32.

    Rows of probabilities sum to 1. An item with fewer than N neighbors is padded with itself, with probability 0; an
    item without neighbors stays where it is, with probability 1 in the first column.
    """

    neighbours: IntArray
    chances: FloatArray


def item_graph(histories: Ragged, n_items: int, size: int) -> ItemGraph:
    """Return the item graph of these histories.

    Args:
        histories: Rows of item positions, oldest first.
        n_items: I.
        size: N, number of neighbors kept per item; there are at most I - 1.
    """
    return _graph(_near_counts(histories, n_items), _chosen(histories, n_items), size)


def fold_of(rows: IntArray, folds: int = FOLDS) -> IntArray:
    """Return (B,) the index of the graph in `graphs_without` for the histories in rows (B,)."""
    return rows % folds


def graphs_without(histories: Ragged, n_items: int, size: int, folds: int = FOLDS) -> list[ItemGraph]:
    """Return for each fold the graph of all histories outside the fold; see the module.

    Args:
        histories: Rows of item positions, oldest first; row u belongs to fold u modulo `folds`.
        n_items: I.
        size: N, as for `item_graph`.
        folds: Number of graphs.
    """
    near, chosen = _near_counts(histories, n_items), _chosen(histories, n_items)
    graphs = []
    for fold in range(folds):
        part = histories.take(np.arange(fold, len(histories), folds))
        graphs.append(_graph(csr_array(near - _near_counts(part, n_items)), chosen - _chosen(part, n_items), size))
    return graphs


def _graph(near: csr_array, chosen: IntArray, size: int) -> ItemGraph:
    """Return the graph of counts `near` (I, I) and `chosen` (I,)."""
    n_items = len(chosen)
    pairs = near.tocoo()
    enough = pairs.data > 1
    row, column = (position[enough].astype(np.int64) for position in (pairs.row, pairs.col))
    scale = 1.0 / np.sqrt(np.maximum(chosen, 1.0))
    weight = (pairs.data[enough] - 1.0) * scale[row] * scale[column]
    order = np.lexsort((column, -weight, row))  # ties by position
    row, column, weight = row[order], column[order], weight[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    best = rank < size
    row, rank = row[best], rank[best]
    neighbours = np.repeat(np.arange(n_items, dtype=np.int64)[:, None], size, axis=1)
    neighbours[row, rank] = column[best]
    chances = np.zeros((n_items, size))
    chances[row, rank] = weight[best]
    totals = chances.sum(axis=1, keepdims=True)
    chances = (chances / np.where(totals > 0, totals, 1.0)).astype(np.float32)
    chances[totals[:, 0] == 0, 0] = 1.0
    return ItemGraph(neighbours, chances)


def _chosen(histories: Ragged, n_items: int) -> IntArray:
    """(I,) how often each item occurs in the histories."""
    counts: IntArray = np.bincount(histories.values, minlength=n_items)
    return counts


def most_popular(histories: Ragged, n_items: int, size: int) -> IntArray:
    """Return (P,) the most popular items, at most `size`; ties by position."""
    return np.argsort(-_chosen(histories, n_items), kind="stable")[:size].astype(np.int64)


def _near_counts(histories: Ragged, n_items: int) -> csr_array:
    """(I, I) how often two different items occur near each other, in either order."""
    values, rows = histories.values.astype(np.int64), histories.row_numbers()
    near = csr_array((n_items, n_items), dtype=np.float64)
    for distance in range(1, REACH + 1):
        first, second = values[:-distance], values[distance:]
        pair = (rows[:-distance] == rows[distance:]) & (first != second)
        counts = coo_array((np.ones(pair.sum()), (first[pair], second[pair])), shape=(n_items, n_items)).tocsr()
        near = near + counts + counts.T
    return csr_array(near)
