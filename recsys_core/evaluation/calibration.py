"""Calibration: whether a list has the categories of the user's history in the same proportions."""

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged

SMOOTHING = 0.01
"""Weight of the history in the distribution of the list, so that the divergence is finite."""
BLOCK = 4_000_000
"""Elements of the dense tables of users by categories in memory at a time."""


def calibration(item: IntArray, history: Ragged, categories: csr_array) -> FloatArray:
    """Return (U,) the Kullback-Leibler divergence of the categories in the list from those in the history, in nats.

    Formula: sum over categories g of p(g) ln(p(g) / q(g)). p is the mean, over the items of the history, of each item's
    distribution, which gives its categories equal shares; q the same of the list, mixed with 1% of p. 0 is perfectly
    calibrated; ln(100) = 4.6 if no category is shared. NaN if history or list have no item with a category.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        history: U rows of items.
        categories: (G, I) whether an item belongs to a category.

    Source:
        Steck 2018, "Calibrated recommendations", eq. 2 to 6, with equal weights of all items and alpha = 0.01.
    """
    return HistoryCategories(history, categories).calibration(item)


class HistoryCategories:
    """The categories of U histories, from which the calibration of any lists of these users follows.

    Args:
        history: U rows of items.
        categories: (G, I) whether an item belongs to a category.
    """

    def __init__(self, history: Ragged, categories: csr_array) -> None:
        self._shares = _normalized(csr_array(categories.T.astype(np.float64)))  # (I, G)
        self._wanted = _summed_shares(history.row_numbers(), history.values, len(history), self._shares)

    def calibration(self, item: IntArray) -> FloatArray:
        """Return (U,) the divergence of each list (U, K) from its history; see `calibration`."""
        values = np.full(len(item), np.nan)
        step = max(1, BLOCK // max(1, self._shares.shape[1]))
        for start in range(0, len(item), step):
            rows = slice(start, start + step)
            listed = item[rows]
            owners, places = np.nonzero(listed != PAD)
            given = _summed_shares(owners, listed[owners, places], len(listed), self._shares)
            values[rows] = _divergence(_distribution(self._wanted[rows]), _distribution(given))
        return values


def _normalized(matrix: csr_array) -> csr_array:
    """Return a matrix whose rows sum to 1; empty rows stay empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    factors = np.repeat(1.0 / np.maximum(sums, 1e-300), np.diff(matrix.indptr))
    return csr_array((matrix.data * factors, matrix.indices, matrix.indptr), shape=matrix.shape)


def _summed_shares(rows: IntArray, items: IntArray, users: int, shares: csr_array) -> csr_array:
    """Return (B, G) the sum of the distributions of each user's items."""
    counts = csr_array((np.ones(len(rows)), (rows, items)), shape=(users, shares.shape[0]))
    return csr_array(counts @ shares)


def _distribution(sums: csr_array) -> FloatArray:
    """Return (B, G) each user's distribution over categories; zeros without an item that has one."""
    total: FloatArray = sums.toarray()
    distribution: FloatArray = total / np.maximum(total.sum(axis=1, keepdims=True), 1e-300)
    return distribution


def _divergence(wanted: FloatArray, given: FloatArray) -> FloatArray:
    mixed = (1.0 - SMOOTHING) * given + SMOOTHING * wanted
    ratio = np.divide(wanted, mixed, out=np.ones_like(wanted), where=wanted > 0)
    known = (wanted.sum(axis=1) > 0) & (given.sum(axis=1) > 0)
    return np.where(known, (wanted * np.log(ratio)).sum(axis=1), np.nan)
