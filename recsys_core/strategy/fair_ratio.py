"""FA*IR: every prefix of a list holds enough protected items to pass a test that it was drawn fairly.

With a target share p, the first n places need m(n) protected items, the smallest number with F(m; n, p) > alpha for the
binomial distribution function F. Testing every prefix rejects more fair lists than alpha, so alpha is corrected to the
alpha_c at which a fair list of k items fails anywhere with a probability as close to alpha as possible.

Source: Zehlike et al. 2017, "FA*IR: a fair top-k ranking algorithm", sections 4.1 to 4.3, algorithms 1 and 2.
"""

from typing import Annotated, Literal

import numpy as np
import scipy
from pydantic import Field

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.strategy.card import Card, Share, concerned
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import greedily

STEPS = 60
"""Bisections of the corrected level: more than float64 resolves."""


class FairRatio(Card):
    """FA*IR: enough items that meet a condition in every prefix."""

    kind: Literal["fair_ratio"] = "fair_ratio"
    when: Condition
    """The protected items."""
    share: Share = 0.3
    level: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k by FA*IR."""
        protected = concerned(self, pool, facts)
        return pool.first(fair_ratio(pool.relevance("rank"), protected, pool.k, self.share, self.level))


def minimum_protected(k: int, share: float, level: float) -> IntArray:
    """Return (k,) the smallest number of protected items in the first 1, 2, ..., k places, without correction.

    Args:
        k: Length of the list.
        share: p, the target share of protected items.
        level: alpha, the significance level.
    """
    minima: IntArray = scipy.stats.binom.ppf(level, np.arange(1, k + 1), share).astype(np.int64)
    return np.maximum(minima, 0)


def failure_probability(minima: IntArray, share: float) -> float:
    """Return the probability that a fair list, each place protected with probability `share`, fails at some prefix."""
    alive = np.zeros(len(minima) + 1)
    alive[0] = 1.0
    for needed in minima:
        alive[1:] = alive[1:] * (1 - share) + alive[:-1] * share
        alive[0] *= 1 - share
        alive[:needed] = 0.0
    return float(1.0 - alive.sum())


def corrected_level(k: int, share: float, level: float) -> float:
    """Return alpha_c, the level at which the failure probability of a fair list is closest to `level`.

    The probability is a step function of the level; as in the published table, the closer of the two steps around the
    target counts, which may lie slightly above it.
    """

    def failure(at: float) -> float:
        return failure_probability(minimum_protected(k, share, at), share)

    low, high = 0.0, level
    if failure(high) <= level:
        return high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if failure(middle) > level else (middle, high)
    return min((low, high), key=lambda at: abs(failure(at) - level))


def fair_ratio(relevance: FloatArray, protected: BoolArray, k: int, share: float, level: float = 0.1) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    A place goes to the best protected candidate where the prefix would otherwise have too few, else to the best of all.
    Where no protected candidate is left, the best of all is placed.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        protected: (B, N) whether a candidate is protected.
        k: Length of the lists.
        share: p.
        level: alpha, corrected here for testing every prefix.
    """
    rows = np.arange(len(relevance))
    minima = minimum_protected(k, share, corrected_level(k, share, level))
    counts = np.zeros(len(relevance), dtype=np.int64)

    def gain(place: int, free: BoolArray) -> FloatArray:
        due = (counts < minima[place]) & (free & protected).any(axis=1)
        return np.where(protected | ~due[:, None], relevance, -np.inf)

    def placed(_place: int, chosen: IntArray, able: BoolArray) -> None:
        counts[:] += able & protected[rows, chosen]

    return greedily(relevance, k, gain, placed)
