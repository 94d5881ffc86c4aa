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
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE, Scaling
from recsys_core.text import _

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
        raise ConfigError(
            _("The card '{kind}' needs item categories, which '{data_name}' does not have.").format(
                kind=kind, data_name=facts.data.name
            )
        )
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
    rows, groups = np.nonzero(shares > 0)
    amounts, code = np.unique(shares[rows, groups], return_inverse=True)
    start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(shares)))])
    cell = groups * len(amounts) + code
    relevance, item = np.ascontiguousarray(relevance), item.astype(np.int64)
    _place(relevance, item, start, cell.astype(np.int64), amounts, wanted, weight, order)
    return order


@compiled
def _place(
    relevance: FloatArray,
    item: IntArray,
    start: IntArray,
    cell: IntArray,
    amounts: FloatArray,
    wanted: FloatArray,
    weight: float,
    order: IntArray,
) -> None:
    """Fill (B, k) `order`.

    The divergence of a list with one more item differs from that of the list, normalized for one more, in the
    categories of the item alone. A category with one of M shares is a cell, group x M + share; what it changes is the
    same for every candidate, so it is computed once per place.

    Args:
        relevance: (B, N).
        item: (B, N).
        start: (I + 1,) where the cells of each item begin.
        cell: Cells of the items, item by item.
        amounts: (M,) the distinct shares.
        wanted: (B, G).
        weight: lambda.
        order: (B, k).
    """
    users, pool = relevance.shape
    levels = len(amounts)
    total, kept = np.empty(wanted.shape[1]), np.empty(wanted.shape[1])
    change = np.empty(wanted.shape[1] * levels)
    begins = np.zeros(pool + 1, np.int64)
    for user in range(users):
        free = np.isfinite(relevance[user])
        own = _gathered_cells(item[user], start, cell, begins)
        bare = np.any(begins[1:] == begins[:-1])
        total[:] = 0.0
        listed = 0.0
        for place in range(min(order.shape[1], pool)):
            without = _terms(wanted[user], total, listed, kept) if bare else 0.0
            with_one = _terms(wanted[user], total, listed + 1.0, kept)
            change[:] = np.nan
            best, most = NONE, -np.inf
            for column in range(pool):
                if free[column]:
                    found = with_one if begins[column + 1] > begins[column] else without
                    for entry in range(begins[column], begins[column + 1]):
                        at = own[entry]
                        if np.isnan(change[at]):
                            group, more = at // levels, amounts[at % levels]
                            change[at] = _term(wanted[user, group], total[group] + more, listed + 1.0) - kept[group]
                        found += change[at]
                    gain = (1.0 - weight) * relevance[user, column] - weight * found
                    if gain > most:
                        best, most = column, gain
            if best < 0:
                break
            order[user, place] = best
            free[best] = False
            for entry in range(begins[best], begins[best + 1]):
                total[own[entry] // levels] += amounts[own[entry] % levels]
            listed += 1.0 if begins[best + 1] > begins[best] else 0.0


@compiled
def _gathered_cells(item: IntArray, start: IntArray, cell: IntArray, begins: IntArray) -> IntArray:
    """Return the cells of (N,) candidates, and fill (N + 1,) `begins` with where those of each begin."""
    for column in range(len(item)):
        size = start[item[column] + 1] - start[item[column]] if item[column] >= 0 else 0
        begins[column + 1] = begins[column] + size
    own = np.empty(begins[-1], np.int64)
    for column in range(len(item)):
        for entry in range(begins[column + 1] - begins[column]):
            own[begins[column] + entry] = cell[start[item[column]] + entry]
    return own


@compiled
def _term(p: float, amount: float, listed: float) -> float:
    """Return p log(p / q~) of a category with an amount among the listed items; 0 if the history has none of it."""
    if p <= 0.0:
        return 0.0
    q = amount / listed if listed > 0.0 else 0.0
    return p * float(np.log(p / ((1.0 - SMOOTHING) * q + SMOOTHING * p)))


@compiled
def _terms(wanted: FloatArray, total: FloatArray, listed: float, term: FloatArray) -> float:
    """Fill (G,) `term` for a list and return their sum, KL(p || q~)."""
    found = 0.0
    for group in range(len(wanted)):
        term[group] = _term(wanted[group], total[group], listed)
        found += term[group]
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
