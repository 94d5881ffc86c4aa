"""Maximal marginal relevance: each place goes to the candidate with the best balance of relevance and novelty.

The next item maximizes lambda rel(i) - (1 - lambda) max_{j in S} sim(i, j), where S are the items already placed, or
the last w of them with a window of w.

Source: Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking", section 2.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled
from recsys_core.strategy.card import Card, Share
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.greedy import gathered, largest
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE, Scaling


class Mmr(Card):
    """Maximal marginal relevance."""

    kind: Literal["mmr"] = "mmr"
    weight: Share = 0.7
    """lambda: 1 is relevance alone, 0 diversity alone."""
    window: Annotated[int, Field(ge=0, le=100)] = 0
    """Number of items placed before that count; 0: all."""
    scaling: Scaling = "rank"

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k by MMR."""
        relevance = pool.relevance(self.scaling)
        return pool.first(mmr(relevance, pool.item, facts.vectors, pool.k, self.weight, self.window))


def mmr(relevance: FloatArray, item: IntArray, vectors: FloatArray, k: int, weight: float, window: int = 0) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        item: (B, N) the candidates.
        vectors: (I, D) item vectors of length 1 or 0; the similarity is their dot product.
        k: Length of the lists.
        weight: lambda, from 0 (diversity alone) to 1 (relevance alone).
        window: w; 0 for all items placed before.
    """
    order = np.full((len(relevance), k), NONE, dtype=np.int64)
    _place(np.ascontiguousarray(relevance), item.astype(np.int64), vectors, weight, window, order)
    return order


@compiled
def _place(
    relevance: FloatArray, item: IntArray, vectors: FloatArray, weight: float, window: int, order: IntArray
) -> None:
    """Fill (B, k) `order`; the similarities to the last w placed items are kept, or their maximum without a window."""
    users, pool = relevance.shape
    k = order.shape[1]
    kept = min(window, k) if window > 0 else 1
    near = np.empty((kept, pool))
    sums = np.empty(pool)
    for user in range(users):
        own = gathered(item[user], vectors)  # (D, N)
        free = np.isfinite(relevance[user])
        near[:] = -np.inf
        for place in range(min(k, pool)):
            for column in range(pool):
                closest = near[0, column]
                for row in range(1, kept):
                    closest = max(closest, near[row, column])
                penalty = (1.0 - weight) * closest if place > 0 else 0.0
                sums[column] = weight * relevance[user, column] - penalty if free[column] else -np.inf
            best = largest(sums)
            if best < 0:
                break
            order[user, place] = best
            free[best] = False
            sums[:] = 0.0
            for axis in range(len(own)):
                if own[axis, best] != 0.0:
                    sums += own[axis, best] * own[axis]
            if window > 0:
                near[place % kept] = sums
            else:
                near[0] = np.maximum(near[0], sums)
