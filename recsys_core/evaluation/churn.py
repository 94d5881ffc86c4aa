"""List churn: how much the recommendation lists of the same users change between two points in time."""

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.evaluation.overlap import list_overlap


def list_churn(earlier: IntArray, later: IntArray, k: int) -> FloatArray:
    """Return (U,) 1 - |A and B| / |A or B| of each user's earlier list A and later list B, their Jaccard distance.

    0: the same items, in any order; 1: no common item. NaN if both lists are empty.

    Args:
        earlier: (U, K) recommended items, padded with `PAD`; no item twice in a list.
        later: (U, K) lists of the same users at the later time.
        k: Cut-off, at most K.

    Source:
        Jaccard 1901, "Étude comparative de la distribution florale", on the top k of two rankings as in Webber, Moffat
        and Zobel 2010, "A similarity measure for indefinite rankings", section 2.
    """
    sizes = (earlier[:, :k] != PAD).sum(axis=1)
    common = np.where(sizes > 0, list_overlap(earlier, later, k), 0.0) * sizes
    union = sizes + (later[:, :k] != PAD).sum(axis=1) - common
    shares: FloatArray = np.divide(union - common, union, out=np.full(len(union), np.nan), where=union > 0)
    return shares
