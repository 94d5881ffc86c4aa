"""Maximal marginal relevance: each place goes to the candidate with the best balance of relevance and novelty.

The next item maximizes lambda rel(i) - (1 - lambda) max_{j in S} sim(i, j), where S are the items already placed, or
the last w of them with a window of w.

Source: Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking", section 2.
"""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.strategy.relevance import NONE, taken


def mmr(relevance: FloatArray, vectors: FloatArray, k: int, weight: float, window: int = 0) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        vectors: (B, N, D) item vectors of length 1 or 0; the similarity is their dot product.
        k: Length of the lists.
        weight: lambda, from 0 (diversity alone) to 1 (relevance alone).
        window: w; 0 for all items placed before.
    """
    users, pool = relevance.shape
    rows = np.arange(users)
    order = np.full((users, k), NONE)
    free = np.isfinite(relevance)
    recent: list[FloatArray] = []
    nearest = np.zeros_like(relevance)
    base = weight * np.where(free, relevance, 0.0)
    for place in range(min(k, pool)):
        best = taken(base - (1.0 - weight) * nearest, free)
        order[:, place] = best
        if place + 1 == min(k, pool):
            break
        chosen = np.maximum(best, 0)
        free[rows, chosen] = False
        recent.append(np.einsum("bnd,bd->bn", vectors, vectors[rows, chosen]))
        if window:
            recent = recent[-window:]
            nearest = np.max(recent, axis=0)
        else:
            nearest = recent.pop() if place == 0 else np.maximum(nearest, recent.pop())
    return order
