"""Maximal marginal relevance: each place goes to the candidate with the best balance of relevance and novelty.

The next item maximizes lambda rel(i) - (1 - lambda) max_{j in S} sim(i, j), where S are the items already placed, or
the last w of them with a window of w.

Source: Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking", section 2.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.strategy.relevance import greedily


def mmr(relevance: FloatArray, vectors: FloatArray, k: int, weight: float, window: int = 0) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        vectors: (B, N, D) item vectors of length 1 or 0; the similarity is their dot product.
        k: Length of the lists.
        weight: lambda, from 0 (diversity alone) to 1 (relevance alone).
        window: w; 0 for all items placed before.
    """
    rows = np.arange(len(relevance))
    base = weight * np.where(np.isfinite(relevance), relevance, 0.0)
    recent: list[FloatArray] = []

    def gain(_place: int, _free: BoolArray) -> FloatArray:
        return base - (1.0 - weight) * np.max(recent, axis=0) if recent else base

    def placed(_place: int, chosen: IntArray, _able: BoolArray) -> None:
        nearness = np.einsum("bnd,bd->bn", vectors, vectors[rows, chosen])
        if window:
            recent[:] = [*recent, nearness][-window:]
        else:
            recent[:] = [np.maximum(recent[0], nearness)] if recent else [nearness]

    return greedily(relevance, k, gain, placed)
