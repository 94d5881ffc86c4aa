"""Gradient of the topic latent factor model (`lfm.py`), with its inputs and compiled loops."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.models.compiled import Sparse, compiled_fast, sparse


class Parameters(NamedTuple):
    """The trained parameters: theta (T, D), f (I, T), W (F, T), b (I,)."""

    topics: FloatArray
    free: FloatArray
    by_attribute: FloatArray
    item_bias: FloatArray


class Visits(NamedTuple):
    """The training pairs of an epoch.

    Args:
        ratings: (U, I) w_uj, both the weight in the user's sum and the target of the score.
        drawn: (N n,) sampled negatives, n per rating, in the order of the N ratings; rated ones are skipped.
        unrated: Target of the score of a negative.
    """

    ratings: Sparse
    drawn: IntArray
    unrated: float


class Known(NamedTuple):
    """Constants: lambda (I,), attributes (I, F), whether an item has ratings (I,), and the L2 regularization."""

    expected: FloatArray
    attributes: csr_array | FloatArray
    rated: BoolArray
    regularization: float


class Slopes(NamedTuple):
    """Accumulated gradients of a user batch: by p (I, D) and by b (I,), and the visits of each item (I,)."""

    factors: FloatArray
    bias: FloatArray
    times: IntArray


def affinities(parameters: Parameters, attributes: csr_array | FloatArray) -> FloatArray:
    """Return phi (I, T): the softmax of the attributes' (I, F) contribution plus the free part."""
    logits = attributes @ parameters.by_attribute
    logits += parameters.free
    softmax_in_place(logits)
    return logits


def gradient(parameters: Parameters, known: Known, visits: Visits, users: IntArray) -> tuple[float, int, Parameters]:
    """Return the sum of squared errors over the pairs of some users, the number of pairs M, and the gradient of

        J = 1/M sum_{pairs (u, i)} ((s_ui - w_ui)^2 + regularization (b_i^2 + |p_i|^2)) / 2

    with respect to all parameters; an item without ratings keeps its free part.
    """
    phi = affinities(parameters, known.attributes)
    factors = phi @ parameters.topics
    base = (known.expected + parameters.item_bias).astype(factors.dtype)
    slopes = Slopes(np.zeros_like(factors), np.zeros_like(base), np.zeros(len(base), dtype=np.int64))
    squared = visit(visits, users, base, factors, slopes)
    pairs = int(slopes.times.sum())
    pull = (known.regularization * slopes.times).astype(factors.dtype)
    share = factors.dtype.type(1 / max(pairs, 1))
    by_factors = share * (slopes.factors + pull[:, None] * factors)
    by_logits = by_factors @ parameters.topics.T
    softmax_backward(phi, by_logits)
    found = Parameters(
        topics=phi.T @ by_factors,
        free=np.where(known.rated[:, None], by_logits, by_logits.dtype.type(0)),
        by_attribute=known.attributes.T @ by_logits,
        item_bias=share * (slopes.bias + pull * parameters.item_bias),
    )
    return squared, pairs, found


def in_single_precision(ratings: csr_array) -> Sparse:
    """Return the ratings in float32, the precision of the descent."""
    held = sparse(ratings)
    return Sparse(held.start, held.column, held.value.astype(np.float32))


@compiled_fast
def softmax_in_place(logits: FloatArray) -> None:
    """Replace each row of `logits` (I, T) by its softmax."""
    for row in logits:
        highest, total = row.max(), row.dtype.type(0)
        for t in range(len(row)):
            row[t] = np.exp(row[t] - highest)
            total += row[t]
        for t in range(len(row)):
            row[t] /= total


@compiled_fast
def softmax_backward(shares: FloatArray, slopes: FloatArray) -> None:
    """Convert gradients with respect to a softmax (I, T) into gradients with respect to its logits, in place."""
    for item in range(len(shares)):
        row, slope = shares[item], slopes[item]
        mean = row.dtype.type(0)
        for t in range(len(row)):
            mean += row[t] * slope[t]
        for t in range(len(row)):
            slope[t] = row[t] * (slope[t] - mean)


@compiled_fast
def visit(visits: Visits, users: IntArray, base: FloatArray, factors: FloatArray, slopes: Slopes) -> float:
    """Accumulate the gradients of (s - w)^2 / 2 over the pairs of some users, and return the sum of squared errors.

    Args:
        visits: All pairs of the epoch.
        users: (G,) users of the batch.
        base: (I,) lambda_i + b_i.
        factors: (I, D) p_i.
        slopes: Accumulated in place.
    """
    start, column, value = visits.ratings.start, visits.ratings.column, visits.ratings.value
    each = len(visits.drawn) // len(column)
    taste, by_taste = np.zeros_like(factors[0]), np.zeros_like(factors[0])
    longest = np.max(start[users + 1] - start[users])
    errors, is_rated = np.zeros(longest, dtype=value.dtype), np.zeros(len(base), dtype=np.bool_)
    nothing, unrated = factors.dtype.type(0.0), factors.dtype.type(visits.unrated)
    squared: np.floating[Any] = np.float64(0.0)
    for user in users:
        first, end = start[user], start[user + 1]
        if first == end:
            continue
        norm = factors.dtype.type(1 / np.sqrt(end - first))
        taste[:] = 0.0
        by_taste[:] = 0.0
        for place in range(first, end):
            is_rated[column[place]] = True
            for d in range(len(taste)):
                taste[d] += value[place] * norm * factors[column[place], d]
        for place in range(first, end):
            own = value[place] * norm
            error = visit_pair(column[place], value[place], own, taste, by_taste, base, factors, slopes)
            errors[place - first] = error
            squared += error * error
        for place in range(each * first, each * end):
            if not is_rated[visits.drawn[place]]:
                error = visit_pair(visits.drawn[place], unrated, nothing, taste, by_taste, base, factors, slopes)
                squared += error * error
        for place in range(first, end):  # gradient through the sum, without the item's own score
            item, own = column[place], value[place] * norm
            is_rated[item] = False
            for d in range(len(by_taste)):
                slopes.factors[item, d] += own * (by_taste[d] - errors[place - first] * factors[item, d])
    return float(squared)


@compiled_fast
def visit_pair(
    item: int,
    target: np.floating[Any],
    own: np.floating[Any],
    taste: FloatArray,
    by_taste: FloatArray,
    base: FloatArray,
    factors: FloatArray,
    slopes: Slopes,
) -> np.floating[Any]:
    """Accumulate the gradients of one pair, and return its error.

    Args:
        item: Position.
        target: Target of the score.
        own: Weight of the item itself in the user's sum, which is excluded; 0 for an unrated item.
        taste: (D,) the user's sum of factors.
        by_taste: (D,) gradient with respect to that sum, accumulated in place.
        base: (I,) lambda_i + b_i.
        factors: (I, D) p_i.
        slopes: Accumulated in place.
    """
    p, slope = factors[item], slopes.factors[item]
    error: np.floating[Any] = base[item] - target
    for d in range(len(p)):
        error += (taste[d] - own * p[d]) * p[d]
    for d in range(len(p)):
        slope[d] += error * (taste[d] - own * p[d])
        by_taste[d] += error * p[d]
    slopes.bias[item] += error
    slopes.times[item] += 1
    return error
