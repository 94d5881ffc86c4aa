"""Relevance of candidates on one scale, so that a trade-off means the same for every user and model."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray

Scaling = Literal["rank", "minmax", "z"]
"""By rank: 1 for the best of N, 1 / N for the last; min-max: 1 for the best, 0 for the last; z: standard scores."""
NONE = -1
"""Place of a list that has no candidate left."""


def scaled(scores: FloatArray, how: Scaling) -> FloatArray:
    """Return (B, N) relevance per user; -inf for candidates without a score.

    Args:
        scores: (B, N) scores, NaN where there is no candidate.
        how: The scale; equal scores have equal relevance, except by rank, where their order counts.
    """
    known = np.isfinite(scores)
    values = np.where(known, scores, np.nan).astype(np.float64)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    if how == "rank":
        order = np.argsort(np.where(known, -values, np.inf), axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.broadcast_to(np.arange(scores.shape[1]), order.shape), axis=1)
        result = 1.0 - ranks / counts
    elif how == "minmax":
        low = np.min(values, axis=1, keepdims=True, initial=np.inf, where=known)
        high = np.max(values, axis=1, keepdims=True, initial=-np.inf, where=known)
        span = high - low
        result = np.divide(values - low, span, out=np.ones_like(values), where=known & (span > 0))
    else:
        mean = np.sum(values, axis=1, keepdims=True, where=known) / counts
        spread = np.sqrt(np.sum((values - mean) ** 2, axis=1, keepdims=True, where=known) / counts)
        result = np.divide(values - mean, spread, out=np.zeros_like(values), where=known & (spread > 0))
    relevance: FloatArray = np.where(known, result, -np.inf)
    return relevance


def greedily(
    relevance: FloatArray,
    k: int,
    gain: Callable[[int, BoolArray], FloatArray],
    placed: Callable[[int, IntArray, BoolArray], None],
) -> IntArray:
    """Place candidates one by one: each place goes to the largest gain, the first of equals.

    Args:
        relevance: (B, N); candidates of -inf do not exist.
        k: Length of the lists.
        gain: Called with the number of the place, from 0, and the (B, N) candidates that are left; returns (B, N) what
            each of them adds, -inf for those that must not be placed here.
        placed: Called after each place with its number, the (B,) columns chosen, and whether one was chosen.

    Returns:
        (B, k) columns, `NONE` where no candidate is left.
    """
    users, pool = relevance.shape
    rows, order = np.arange(users), np.full((users, k), NONE)
    free: BoolArray = np.isfinite(relevance)
    for place in range(min(k, pool)):
        value = np.where(free, gain(place, free), -np.inf)
        best = value.argmax(axis=1)
        able = np.isfinite(value[rows, best])
        order[:, place] = np.where(able, best, NONE)
        free[rows[able], best[able]] = False
        placed(place, best, able)
    return order
