"""Determinantal point process: the list whose items span the largest volume, weighted by their quality.

The kernel of a user is L_ij = q_i S_ij q_j with the quality q_i = exp(alpha rel(i)) and the similarity S_ij in 0..1.
Items are placed greedily by the gain in log det L of the list, which an incremental Cholesky factorization gives: with
c_i the row of candidate i and d_i^2 = L_ii - |c_i|^2, placing j appends e_i = (L_ji - <c_j, c_i>) / d_j to c_i and
takes e_i^2 off d_i^2.

Source: Chen, Zhang and Zhou 2018, "Fast greedy MAP inference for determinantal point process", algorithm 1.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.strategy.relevance import greedily

EPSILON = 1e-10
"""Below this remaining volume a candidate is a combination of those placed; the others come first."""


def dpp(relevance: FloatArray, vectors: FloatArray, k: int, sharpness: float) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        vectors: (B, N, D) item vectors of length 1 or 0; S is (1 + cosine) / 2, and 1 of an item with itself.
        k: Length of the lists.
        sharpness: alpha: 0 for diversity alone; the larger, the more relevance counts.
    """
    users, pool = relevance.shape
    rows, steps = np.arange(users), min(k, pool)
    quality = np.exp(sharpness * np.where(np.isfinite(relevance), relevance, 0.0))
    volume = quality**2
    factors = np.zeros((users, pool, steps))

    def gain(_place: int, _free: BoolArray) -> FloatArray:
        log_volume: FloatArray = np.log(np.maximum(volume, EPSILON * quality**2))
        return log_volume

    def placed(place: int, chosen: IntArray, _able: BoolArray) -> None:
        cosine = np.einsum("bnd,bd->bn", vectors, vectors[rows, chosen])
        kernel = quality * (1.0 + cosine) / 2.0 * quality[rows, chosen][:, None]
        before = factors[:, :, :place]
        inner = np.einsum("bnp,bp->bn", before, before[rows, chosen])
        depth = np.sqrt(np.maximum(volume[rows, chosen], EPSILON * quality[rows, chosen] ** 2))
        factors[:, :, place] = (kernel - inner) / depth[:, None]
        volume[:] -= factors[:, :, place] ** 2

    return greedily(relevance, k, gain, placed)
