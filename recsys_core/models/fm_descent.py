"""Stochastic gradient descent of a factorization machine on the BPR loss, user by user.

With the notation of `fm.py`, a step takes an item i of user u and an unseen item j. With A = a_u + scale (h_u - y_i),
the query without the target itself, x = c_i - c_j + A . (z_i - z_j) and e = sigma(-x), the gradient of ln sigma(x) is

    v_f of the query:  e x_uf (z_i - z_j)          y_l, l in P(u) except i:  e scale (z_i - z_j)
    v_f of item i:     e x_if (A + z_i - x_if v_f)                  w_f:     e x_if          (negative for item j)

The steps for y accumulate over the items of a user and are made once per user and epoch, or each step would take time
in proportion to the length of the history.

Sources: Rendle 2010, "Factorization Machines", eq. 4 (the derivatives); Rendle et al. 2009, "BPR" (the loss); Koren
2008, "Factorization Meets the Neighborhood", section 5 (one step per user for the history).
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.bpr_descent import LARGEST, ONE, negative, visits
from recsys_core.models.compiled import compiled_fast
from recsys_core.models.observed import Rows


class Sparse32(NamedTuple):
    """A CSR matrix in single precision: `start` (R + 1,) int64, `column` (N,) uint32, `value` (N,) float32."""

    start: IntArray
    column: IntArray
    value: FloatArray


class Parameters(NamedTuple):
    """The trained parameters, all float32.

    Args:
        query: (F_q, D) v_f of user features.
        item: (F_i, D) v_f of item features.
        weight: (F_i,) w_f of item features.
        history: (I, D) y.
    """

    query: FloatArray
    item: FloatArray
    weight: FloatArray
    history: FloatArray


class Pace(NamedTuple):
    """Step size and L2 regularization."""

    learning_rate: np.float32
    regularization: np.float32


def sparse32(matrix: csr_array) -> Sparse32:
    """Return a CSR matrix for the compiled loops."""
    return Sparse32(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.uint32), matrix.data.astype(np.float32, copy=False)
    )


@compiled_fast
def item_sums(items: Sparse32, parameters: Parameters, item: int, z: FloatArray) -> np.float32:
    """Fill z (D,) with z_i = sum_f x_if v_f, and return c_i = sum_f x_if w_f + (|z_i|^2 - sum_f |x_if v_f|^2) / 2."""
    linear, squares = np.float32(0.0), np.float32(0.0)
    z[:] = np.float32(0.0)
    for entry in range(items.start[item], items.start[item + 1]):
        column, value = items.column[entry], items.value[entry]
        linear += value * parameters.weight[column]
        for d in range(len(z)):
            product = value * parameters.item[column, d]
            z[d] += product
            squares -= product * product
    for d in range(len(z)):
        squares += z[d] * z[d]
    return linear + np.float32(0.5) * squares


@compiled_fast
def update_item(
    items: Sparse32, parameters: Parameters, item: int, z: FloatArray, query: FloatArray, error: np.float32, pace: Pace
) -> None:
    """Make the step of the features of one item; `error` is e for item i and -e for item j."""
    rate, penalty = pace.learning_rate, pace.regularization
    for entry in range(items.start[item], items.start[item + 1]):
        column, value = items.column[entry], items.value[entry]
        push = error * value
        for d in range(len(z)):
            factor = parameters.item[column, d]
            pull = push * (query[d] + z[d] - value * factor)
            parameters.item[column, d] = factor + rate * (pull - penalty * factor)
        parameters.weight[column] += rate * (push - penalty * parameters.weight[column])


@compiled_fast
def _start_user(
    users: Sparse32, seen: IntArray, parameters: Parameters, user: int, own: FloatArray, history: FloatArray
) -> np.float32:
    """Fill a_u (D,) and h_u (D,), and return sum_f x_uf^2."""
    squares = np.float32(0.0)
    own[:], history[:] = np.float32(0.0), np.float32(0.0)
    for entry in range(users.start[user], users.start[user + 1]):
        column, value = users.column[entry], users.value[entry]
        squares += value * value
        for d in range(len(own)):
            own[d] += value * parameters.query[column, d]
    for item in seen:
        for d in range(len(history)):
            history[d] += parameters.history[item, d]
    return squares


@compiled_fast
def _update_query(
    users: Sparse32, parameters: Parameters, user: int, difference: FloatArray, error: np.float32, pace: Pace
) -> None:
    """Make the step of the features of one user."""
    rate, penalty = pace.learning_rate, pace.regularization
    for entry in range(users.start[user], users.start[user + 1]):
        column, push = users.column[entry], error * users.value[entry]
        for d in range(len(difference)):
            factor = parameters.query[column, d]
            parameters.query[column, d] = factor + rate * (push * difference[d] - penalty * factor)


@compiled_fast
def descend(
    order: IntArray,
    rows: Rows,
    users: Sparse32,
    items: Sparse32,
    parameters: Parameters,
    pace: Pace,
    candidates: IntArray,
    seed: int,
) -> tuple[float, float]:
    """Make a step for each item of each user, in the given order of users.

    Args:
        order: (n,) users.
        rows: Increasing items of each user, with weights relative to their mean.
        users: (U, F_q) user features.
        items: (I, F_i) item features.
        parameters: Updated in place.
        pace: Settings of the descent.
        candidates: Items to draw negatives from.
        seed: Seed of the negatives.

    Returns:
        The sum of -ln sigma(x) before each step, and the number of steps.
    """
    state, size = np.full(1, seed, np.uint64), parameters.query.shape[1]
    own, history, query = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    z_positive, z_other = np.empty(size, np.float32), np.empty(size, np.float32)
    pulled, difference = np.empty(size, np.float32), np.empty(size, np.float32)
    rate, penalty = pace.learning_rate, pace.regularization
    loss, steps = 0.0, 0
    for user in order:
        start, end = rows.start[user], rows.start[user + 1]
        seen = rows.column[start:end]
        squares = _start_user(users, seen, parameters, user, own, history)
        scale = ONE / np.sqrt(np.float32(max(1, end - start - 1)))
        pulled[:] = np.float32(0.0)
        for entry in range(start, end):
            positive = rows.column[entry]
            for _ in range(visits(rows.weight[entry], state) if len(rows.weight) > 0 else 1):
                other = negative(seen, candidates, state)
                if other < 0:
                    continue
                x = item_sums(items, parameters, positive, z_positive) - item_sums(items, parameters, other, z_other)
                for d in range(size):
                    query[d] = own[d] + scale * (history[d] - parameters.history[positive, d])
                    difference[d] = z_positive[d] - z_other[d]
                    x += query[d] * difference[d]
                odds = np.exp(min(max(x, -LARGEST), LARGEST))
                error = ONE / (ONE + odds)
                loss += np.log(ONE + odds) - min(max(x, -LARGEST), LARGEST)
                steps += 1
                update_item(items, parameters, positive, z_positive, query, error, pace)
                update_item(items, parameters, other, z_other, query, -error, pace)
                _update_query(users, parameters, user, difference, error, pace)
                for d in range(size):
                    own[d] += rate * (error * squares * difference[d] - penalty * own[d])
                    pulled[d] += error * scale * difference[d]
                    parameters.history[positive, d] -= (
                        rate * error * scale * difference[d]
                    )  # the target itself is left out
        for item in seen:
            for d in range(size):
                parameters.history[item, d] += rate * (pulled[d] - penalty * parameters.history[item, d])
    return loss, steps
