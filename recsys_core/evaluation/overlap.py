"""Overlap of the recommendation lists of two models."""

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray

BLOCK = 20_000_000
"""Pairs of items that are compared at a time."""


def list_overlap(first: IntArray, second: IntArray, k: int) -> FloatArray:
    """Return (U,) the share of the top k items of one model that are in the top k of the other; NaN for an empty list.

    Args:
        first: (U, K) recommended items, padded with `PAD`.
        second: (U, K) items that the other model recommends to the same users.
        k: Cut-off, at most K.

    Source:
        RecTools, `Intersection`.
    """
    one, other = first[:, :k], second[:, :k]
    size = (one != PAD).sum(axis=1)
    common = np.zeros(len(one))
    step = max(1, BLOCK // max(1, k * k))
    for start in range(0, len(one), step):
        rows = slice(start, start + step)
        same = one[rows, :, None] == other[rows, None, :]
        common[rows] = (same & (one[rows, :, None] != PAD)).sum(axis=(1, 2))
    shares: FloatArray = np.divide(common, size, out=np.full(len(one), np.nan), where=size > 0)
    return shares
