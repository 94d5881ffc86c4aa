"""xQuAD: each place goes to the candidate that adds most for the aspects a user cares about and the list lacks.

The next item maximizes (1 - lambda) P(i|u) + lambda sum_a P(a|u) P(i|a) prod_{j in S} (1 - P(j|a)). Aspects are
categories, or the head and the tail of the catalog, which raises the share of rare items.

Sources: Santos, Macdonald and Ounis 2010, "Exploiting query reformulations for web search result diversification",
eq. 2 to 5; Abdollahpouri, Burke and Mobasher 2019, "Managing popularity bias", section 3, for head and tail.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.strategy.relevance import greedily


def xquad(relevance: FloatArray, aspects: FloatArray, interest: FloatArray, k: int, weight: float) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) P(i|u), from 0 to 1 as `scaled` by rank or min-max; -inf where there is no candidate.
        aspects: (B, N, A) P(i|a), from 0 to 1.
        interest: (B, A) P(a|u), the share of each aspect in the history.
        k: Length of the lists.
        weight: lambda, from 0 (relevance alone) to 1 (coverage of aspects alone).
    """
    rows = np.arange(len(relevance))
    base = (1.0 - weight) * np.where(np.isfinite(relevance), relevance, 0.0)
    uncovered = np.ones(interest.shape)

    def gain(_place: int, _free: BoolArray) -> FloatArray:
        added: FloatArray = np.einsum("ba,bna->bn", interest * uncovered, aspects)
        return base + weight * added

    def placed(_place: int, chosen: IntArray, able: BoolArray) -> None:
        uncovered[:] *= np.where(able[:, None], 1.0 - aspects[rows, chosen], 1.0)

    return greedily(relevance, k, gain, placed)
