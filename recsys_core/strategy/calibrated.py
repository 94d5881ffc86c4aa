"""Calibrated lists: the categories of a list in the proportions of the user's history.

The next item maximizes (1 - lambda) sum_{i in S} rel(i) - lambda KL(p || q~), where p is the distribution of categories
in the history, q that of the list, and q~ = (1 - a) q + a p with a = 0.01 keeps the divergence finite.

Source: Steck 2018, "Calibrated recommendations", eq. 2 to 7.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.strategy.relevance import greedily

SMOOTHING = 0.01
"""a, the weight of the history in the distribution of the list."""


def calibrated(relevance: FloatArray, shares: FloatArray, wanted: FloatArray, k: int, weight: float) -> IntArray:
    """Return (B, k) the columns of the candidates in their new order, `NONE` where none is left.

    Args:
        relevance: (B, N) as `scaled` returns it; -inf where there is no candidate.
        shares: (B, N, G) distribution of each candidate over categories; zeros for an item without one.
        wanted: (B, G) p, the distribution of the history; zeros for a user without one, whose order is by relevance.
        k: Length of the lists.
        weight: lambda, from 0 (relevance alone) to 1 (calibration alone).
    """
    rows = np.arange(len(relevance))
    value = (1.0 - weight) * np.where(np.isfinite(relevance), relevance, 0.0)
    total = np.zeros(wanted.shape)

    def gain(_place: int, _free: BoolArray) -> FloatArray:
        return value - weight * divergence(wanted[:, None], total[:, None] + shares)

    def placed(_place: int, chosen: IntArray, able: BoolArray) -> None:
        total[:] += np.where(able[:, None], shares[rows, chosen], 0.0)

    return greedily(relevance, k, gain, placed)


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
