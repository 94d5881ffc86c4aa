"""Relevance of candidates on one scale, so that a trade-off means the same for every user and model."""

from typing import Literal

import numpy as np

from recsys_core.contracts import FloatArray, IntArray

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


def taken(gain: FloatArray, free: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> IntArray:
    """Return (B,) the free candidate with the largest gain, the first of equals; `NONE` where none is free.

    Args:
        gain: (B, N) what each candidate adds.
        free: (B, N) whether it can still be taken.
    """
    allowed = np.where(free, gain, -np.inf)
    best: IntArray = allowed.argmax(axis=1)
    return np.where(free.any(axis=1) & np.isfinite(allowed[np.arange(len(gain)), best]), best, NONE)
