"""xQuAD: each place goes to the candidate that adds most for the aspects a user cares about and the list lacks.

The next item maximizes (1 - lambda) P(i|u) + lambda sum_a P(a|u) P(i|a) prod_{j in S} (1 - P(j|a)). Aspects are
categories, or the head and the tail of the catalog, which raises the share of rare items.

Sources: Santos, Macdonald and Ounis 2010, "Exploiting query reformulations for web search result diversification",
eq. 2 to 5; Abdollahpouri, Burke and Mobasher 2019, "Managing popularity bias", section 3, for head and tail, with the
head as the fewest items that have 80 % of the interactions.
"""

from typing import Literal

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled
from recsys_core.strategy.calibrated import categories
from recsys_core.strategy.card import Card, Share
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.greedy import gathered, largest
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE


class Xquad(Card):
    """Covers the categories of the history, or the head and the tail in its proportions."""

    kind: Literal["xquad"] = "xquad"
    aspects: Literal["categories", "head_tail"] = "categories"
    weight: Share = 0.5
    """lambda: 0 is relevance alone."""
    scaling: Literal["rank", "minmax"] = "rank"

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k by xQuAD."""
        aspects: FloatArray
        if self.aspects == "categories":
            aspects = (categories(self.kind, facts) > 0).astype(np.float64)
            interest = facts.interests(pool.users)
        else:
            aspects = facts.head_tail
            interest = facts.shares_of_history(pool.users, aspects)
        return pool.first(xquad(pool.relevance(self.scaling), pool.item, aspects, interest, pool.k, self.weight))


def xquad(
    relevance: FloatArray, item: IntArray, aspects: FloatArray, interest: FloatArray, k: int, weight: float
) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) P(i|u), from 0 to 1 as `scaled` by rank or min-max; -inf where there is no candidate.
        item: (B, N) the candidates.
        aspects: (I, A) P(i|a), from 0 to 1.
        interest: (B, A) P(a|u), the share of each aspect in the history.
        k: Length of the lists.
        weight: lambda, from 0 (relevance alone) to 1 (coverage of aspects alone).
    """
    order = np.full((len(relevance), k), NONE, dtype=np.int64)
    _place(np.ascontiguousarray(relevance), item.astype(np.int64), aspects, interest, weight, order)
    return order


@compiled
def _place(
    relevance: FloatArray, item: IntArray, aspects: FloatArray, interest: FloatArray, weight: float, order: IntArray
) -> None:
    """Fill (B, k) `order`."""
    users, pool = relevance.shape
    gain, added = np.empty(pool), np.empty(pool)
    for user in range(users):
        own = gathered(item[user], aspects)  # (A, N)
        free = np.isfinite(relevance[user])
        lacking = interest[user].copy()
        for place in range(min(order.shape[1], pool)):
            added[:] = 0.0
            for aspect in range(len(own)):
                if lacking[aspect] != 0.0:
                    added += lacking[aspect] * own[aspect]
            for column in range(pool):
                value = (1.0 - weight) * relevance[user, column] + weight * added[column]
                gain[column] = value if free[column] else -np.inf
            best = largest(gain)
            if best < 0:
                break
            order[user, place] = best
            free[best] = False
            lacking *= 1.0 - own[:, best]
