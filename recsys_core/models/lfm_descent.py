"""The descent of the latent factor model (`lfm.py`): what it goes through, its gradient, and one step in a loop."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.models.compiled import Sparse, compiled_fast, sparse


class Parameters(NamedTuple):
    """What the descent learns: theta (T, D), f (I, T), W (F, T), b (I,)."""

    topics: FloatArray
    free: FloatArray
    by_attribute: FloatArray
    item_bias: FloatArray


class Visits(NamedTuple):
    """The pairs that an epoch goes through.

    Args:
        ratings: (U, I) w_uj, the value being both the weight in a person's sum and what the score should be.
        drawn: (N n,) items for the N ratings, in their order: n for each; those that the person rated are passed over.
        unrated: What the score of a drawn item should be.
    """

    ratings: Sparse
    drawn: IntArray
    unrated: float


class Known(NamedTuple):
    """What stands fixed: lambda (I,), attributes (I, F), whether anybody rated an item (I,), the pull towards 0."""

    expected: FloatArray
    attributes: csr_array | FloatArray
    rated: BoolArray
    regularization: float


class Slopes(NamedTuple):
    """What a group of people adds up: slopes by p (I, D) and by b (I,), and how often each item was visited (I,)."""

    factors: FloatArray
    bias: FloatArray
    times: IntArray


def affinities(parameters: Parameters, attributes: csr_array | FloatArray) -> FloatArray:
    """Return phi (I, T): the softmax of what the attributes (I, F) say and of the free part."""
    logits = attributes @ parameters.by_attribute
    logits += parameters.free
    become_shares(logits)
    return logits


def gradient(parameters: Parameters, known: Known, visits: Visits, people: IntArray) -> tuple[float, int, Parameters]:
    """Return the sum of squared errors over the pairs of some people, the number of pairs M, and the gradient of

        J = 1/M sum_{pairs (u, i)} ((s_ui - w_ui)^2 + regularization (b_i^2 + |p_i|^2)) / 2

    with respect to all parameters; an item that nobody rated keeps its free part.
    """
    phi = affinities(parameters, known.attributes)
    factors = phi @ parameters.topics
    base = (known.expected + parameters.item_bias).astype(factors.dtype)
    slopes = Slopes(np.zeros_like(factors), np.zeros_like(base), np.zeros(len(base), dtype=np.int64))
    squared = visit(visits, people, base, factors, slopes)
    pairs = int(slopes.times.sum())
    pull = (known.regularization * slopes.times).astype(factors.dtype)
    share = factors.dtype.type(1 / max(pairs, 1))
    by_factors = share * (slopes.factors + pull[:, None] * factors)
    by_logits = by_factors @ parameters.topics.T
    go_back_through_shares(phi, by_logits)
    found = Parameters(
        topics=phi.T @ by_factors,
        free=np.where(known.rated[:, None], by_logits, by_logits.dtype.type(0)),
        by_attribute=known.attributes.T @ by_logits,
        item_bias=share * (slopes.bias + pull * parameters.item_bias),
    )
    return squared, pairs, found


def in_single_precision(ratings: csr_array) -> Sparse:
    """Return the ratings for the descent, which counts in single precision."""
    held = sparse(ratings)
    return Sparse(held.start, held.column, held.value.astype(np.float32))


@compiled_fast
def become_shares(logits: FloatArray) -> None:
    """Turn each row of `logits` (I, T) into its softmax."""
    for row in logits:
        highest, total = row.max(), row.dtype.type(0)
        for t in range(len(row)):
            row[t] = np.exp(row[t] - highest)
            total += row[t]
        for t in range(len(row)):
            row[t] /= total


@compiled_fast
def go_back_through_shares(shares: FloatArray, slopes: FloatArray) -> None:
    """Turn slopes by the shares (I, T) of a softmax into slopes by what it was taken of."""
    for item in range(len(shares)):
        row, slope = shares[item], slopes[item]
        mean = row.dtype.type(0)
        for t in range(len(row)):
            mean += row[t] * slope[t]
        for t in range(len(row)):
            slope[t] = row[t] * (slope[t] - mean)


@compiled_fast
def visit(visits: Visits, people: IntArray, base: FloatArray, factors: FloatArray, slopes: Slopes) -> float:
    """Add up the slopes of (s - w)^2 / 2 over the pairs of some people, and return the sum of squared errors.

    Args:
        visits: All pairs of the epoch.
        people: (G,) whose pairs are visited.
        base: (I,) lambda_i + b_i.
        factors: (I, D) p_i.
        slopes: Added to.
    """
    start, column, value = visits.ratings.start, visits.ratings.column, visits.ratings.value
    each = len(visits.drawn) // len(column)
    taste, by_taste = np.zeros_like(factors[0]), np.zeros_like(factors[0])
    longest = np.max(start[people + 1] - start[people])
    errors, is_rated = np.zeros(longest, dtype=value.dtype), np.zeros(len(base), dtype=np.bool_)
    nothing, unrated = factors.dtype.type(0.0), factors.dtype.type(visits.unrated)
    squared: np.floating[Any] = np.float64(0.0)
    for person in people:
        first, end = start[person], start[person + 1]
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
        for place in range(first, end):  # what the sum owes to each item in it, but for the item's own score
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
    """Add the slopes of one pair with its error, which is returned.

    Args:
        item: Position.
        target: What the score should be.
        own: Weight of the item itself in the person's sum, which is left out; 0 for an unrated one.
        taste: (D,) the person's sum of factors.
        by_taste: (D,) added to: the slope with respect to that sum.
        base: (I,) lambda_i + b_i.
        factors: (I, D) p_i.
        slopes: Added to.
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
