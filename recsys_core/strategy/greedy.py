"""Parts of the compiled greedy re-rankers, which fill a list place by place."""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled


@compiled
def gathered(item: IntArray, vectors: FloatArray) -> FloatArray:
    """Return (D, N) the vectors of (N,) candidates as columns; zeros for padding.

    Args:
        item: (N,) positions, negative for padding.
        vectors: (I, D).
    """
    size = vectors.shape[1]
    own = np.zeros((size, len(item)))
    for column in range(len(item)):
        if item[column] >= 0:
            for axis in range(size):
                own[axis, column] = vectors[item[column], axis]
    return own


@compiled
def largest(value: FloatArray) -> int:
    """Return the first of the largest values above -inf; -1 if there is none."""
    best, at = -np.inf, -1
    for index in range(len(value)):
        if value[index] > best:
            best, at = value[index], index
    return at
