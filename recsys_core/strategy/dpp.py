"""Determinantal point process: the list whose items span the largest volume, weighted by their quality.

The kernel of a user is L_ij = q_i S_ij q_j with the quality q_i = exp(alpha rel(i)) and the similarity S_ij in 0..1.
Items are placed greedily by the gain in log det L of the list, log d_i^2 + 2 alpha rel(i), where an incremental
Cholesky factorization of S gives d_i^2: with c_i the row of candidate i and d_i^2 = S_ii - |c_i|^2, placing j appends
e_i = (S_ji - <c_j, c_i>) / d_j to c_i and takes e_i^2 off d_i^2.

Source: Chen, Zhang and Zhou 2018, "Fast greedy MAP inference for determinantal point process", algorithm 1, with S
instead of L, since qualities of very different sizes exceed the digits of a float.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled
from recsys_core.strategy.card import Card
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.greedy import gathered, largest
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE, Scaling

EPSILON = 1e-10
"""Below this remaining volume a candidate is a combination of those placed: it comes after the others, by relevance."""


class Dpp(Card):
    """Determinantal point process."""

    kind: Literal["dpp"] = "dpp"
    sharpness: Annotated[float, Field(ge=0, le=20)] = 3.0
    """alpha: 0 is diversity alone."""
    scaling: Scaling = "rank"

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k by the determinantal point process."""
        return pool.first(dpp(pool.relevance(self.scaling), pool.item, facts.vectors, pool.k, self.sharpness))


def dpp(relevance: FloatArray, item: IntArray, vectors: FloatArray, k: int, sharpness: float) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        item: (B, N) the candidates.
        vectors: (I, D) item vectors of length 1 or 0; S is (1 + cosine) / 2, and 1 of an item with itself.
        k: Length of the lists.
        sharpness: alpha: 0 for diversity alone; the larger, the more relevance counts.
    """
    order = np.full((len(relevance), k), NONE, dtype=np.int64)
    _place(np.ascontiguousarray(relevance), item.astype(np.int64), vectors, sharpness, order)
    return order


@compiled
def _place(relevance: FloatArray, item: IntArray, vectors: FloatArray, sharpness: float, order: IntArray) -> None:
    """Fill (B, k) `order`."""
    users, pool = relevance.shape
    k = min(order.shape[1], pool)
    factors = np.empty((k, pool))
    gain, row, volume = np.empty(pool), np.empty(pool), np.empty(pool)
    for user in range(users):
        own = gathered(item[user], vectors)  # (D, N)
        free = np.isfinite(relevance[user])
        volume[:] = 1.0
        for place in range(k):
            for column in range(pool):
                able = free[column] and volume[column] > EPSILON
                gain[column] = np.log(volume[column]) + 2.0 * sharpness * relevance[user, column] if able else -np.inf
            best = largest(gain)
            if best < 0:  # only combinations are left
                best = largest(np.where(free, relevance[user], -np.inf))
            if best < 0:
                break
            order[user, place] = best
            free[best] = False
            if gain[best] == -np.inf:
                continue
            row[:] = 0.0
            for axis in range(len(own)):
                if own[axis, best] != 0.0:
                    row += own[axis, best] * own[axis]
            row[:] = (1.0 + row) / 2.0
            for before in range(place):
                row -= factors[before, best] * factors[before]
            factors[place] = row / np.sqrt(volume[best])
            volume -= factors[place] ** 2
