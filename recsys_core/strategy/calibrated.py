"""Calibrated lists: the categories of a list in the proportions of the user's history.

The next item maximizes (1 - lambda) sum_{i in S} rel(i) - lambda KL(p || q~), where p is the distribution of categories
in the history, q that of the list, and q~ = (1 - a) q + a p with a = 0.01 keeps the divergence finite.

Source: Steck 2018, "Calibrated recommendations", eq. 2 to 7.
"""

from typing import Literal

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.errors import ConfigError
from recsys_core.models.compiled import compiled
from recsys_core.strategy.card import Card, Share
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.greedy import gathered, largest
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE, Scaling

SMOOTHING = 0.01
"""a, the weight of the history in the distribution of the list."""


class Calibration(Card):
    """Categories in the proportions of the history."""

    kind: Literal["calibration"] = "calibration"
    weight: Share = 0.5
    """lambda: 0 is relevance alone."""
    scaling: Scaling = "rank"

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k calibrated."""
        shares, wanted = categories(self.kind, facts), facts.interests(pool.users)
        return pool.first(calibrated(pool.relevance(self.scaling), pool.item, shares, wanted, pool.k, self.weight))


def categories(kind: str, facts: Facts) -> FloatArray:
    """Return (I, G) shares of categories.

    Raises:
        ConfigError: The data have no categories.
    """
    if not facts.shares.shape[1]:
        raise ConfigError(f"The card '{kind}' needs item categories, which '{facts.data.name}' does not have.")
    return facts.shares


def calibrated(
    relevance: FloatArray, item: IntArray, shares: FloatArray, wanted: FloatArray, k: int, weight: float
) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        item: (B, N) the candidates.
        shares: (I, G) distribution of each item over categories; zeros for an item without one.
        wanted: (B, G) p, the distribution of the history; zeros for a user without one, whose order is by relevance.
        k: Length of the lists.
        weight: lambda, from 0 (relevance alone) to 1 (calibration alone).
    """
    order = np.full((len(relevance), k), NONE, dtype=np.int64)
    _place(np.ascontiguousarray(relevance), item.astype(np.int64), shares, wanted, weight, order)
    return order


@compiled
def _place(
    relevance: FloatArray, item: IntArray, shares: FloatArray, wanted: FloatArray, weight: float, order: IntArray
) -> None:
    """Fill (B, k) `order`.

    The divergence of a list with one more item differs from that of the list, normalized for one more, in the
    categories of the item alone; so each candidate costs as many logarithms as it has categories.
    """
    users, pool = relevance.shape
    total, gain = np.empty(shares.shape[1]), np.empty(pool)
    for user in range(users):
        own = gathered(item[user], shares)  # (G, N)
        sums = own.sum(axis=0)
        free = np.isfinite(relevance[user])
        total[:] = 0.0
        listed = 0.0
        for place in range(min(order.shape[1], pool)):
            without = _divergence(wanted[user], total, listed)
            with_one = _divergence(wanted[user], total, listed + 1.0)
            for column in range(pool):
                gain[column] = -np.inf
                if free[column]:
                    change = 0.0
                    for group in range(len(total)):
                        if own[group, column] > 0.0 and wanted[user, group] > 0.0:
                            before = _term(wanted[user, group], total[group], listed + 1.0)
                            change += _term(wanted[user, group], total[group] + own[group, column], listed + 1.0)
                            change -= before
                    found = with_one + change if sums[column] > 0.0 else without
                    gain[column] = (1.0 - weight) * relevance[user, column] - weight * found
            best = largest(gain)
            if best < 0:
                break
            order[user, place] = best
            free[best] = False
            total += own[:, best]
            listed += 1.0 if sums[best] > 0.0 else 0.0


@compiled
def _term(p: float, amount: float, listed: float) -> float:
    """Return p log(p / q~) of a category with an amount among the listed items."""
    q = amount / listed if listed > 0.0 else 0.0
    return p * float(np.log(p / ((1.0 - SMOOTHING) * q + SMOOTHING * p)))


@compiled
def _divergence(wanted: FloatArray, total: FloatArray, listed: float) -> float:
    """Return KL(p || q~) of a list."""
    found = 0.0
    for group in range(len(wanted)):
        if wanted[group] > 0.0:
            found += _term(wanted[group], total[group], listed)
    return found


def divergence(wanted: FloatArray, weights: FloatArray) -> FloatArray:
    """Return KL(p || q~) in nats over the last axis; 0 for a user without a distribution.

    Args:
        wanted: (..., G) p.
        weights: (..., G) summed distributions of the items of a list; normalized here.
    """
    sums = weights.sum(axis=-1, keepdims=True)
    given = np.divide(weights, sums, out=np.zeros(weights.shape), where=sums > 0)
    mixed = (1.0 - SMOOTHING) * given + SMOOTHING * wanted
    ratio = np.divide(wanted, mixed, out=np.ones(mixed.shape), where=(wanted > 0) & (mixed > 0))
    result: FloatArray = (wanted * np.log(ratio)).sum(axis=-1)
    return result
