"""The linear systems of iALS: one ridge regression per row, by conjugate gradient or by Cholesky decomposition.

With the factors z_j of the other side, row r minimizes

    sum_j |c_j| (t_j - x . z_j)^2 + x^T diag(base) x + penalty |x|^2          t_j = 1 if c_j > 0, else 0

over its observed pairs j. `base` is the diagonal of a0 Z^T Z, the weight of all pairs, observed or not: `ials.py`
rotates the factors so that Z^T Z is diagonal. Without the rotation each step of conjugate gradient would multiply by a
(D, D) matrix; with it, a step costs two products with the row's own factors, and dividing by the diagonal is an exact
preconditioner for everything but the observed pairs.

Source: Takács, Pilászy and Tikk 2011, "Applications of the Conjugate Gradient Method for Implicit Feedback
Collaborative Filtering", for the method; the rotation is ours.
"""

from typing import NamedTuple

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.models.compiled import compiled, compiled_fast
from recsys_core.models.observed import Rows

CHUNK = 1024
"""Number of factor vectors copied side by side: with 64 factors 256 KB, which fit the cache of a core."""
ONE, ZERO = np.float32(1.0), np.float32(0.0)


class Side(NamedTuple):
    """The systems of one side, users or items.

    Args:
        rows: Observed pairs of each row.
        penalty: (R,) float32 L2 regularization of each row, above 0.
    """

    rows: Rows
    penalty: FloatArray


class Fixed(NamedTuple):
    """The other side, which stays fixed.

    Args:
        factors: (C, D) float32, with diagonal `factors.T @ factors`.
        base: (D,) float32 diagonal of a0 Z^T Z.
    """

    factors: FloatArray
    base: FloatArray


@compiled
def _gather(
    rows: Rows, first: int, end: int, factors: FloatArray, near: FloatArray, weight: FloatArray, target: FloatArray
) -> int:
    """Copy the factors of the pairs first..end to `near`, and their weights and targets; return a multiple of 4.

    The copies make the passes over a row's factors sequential in memory. Added pairs have weight 0.
    """
    count = end - first
    for pair in range(count):
        column = rows.column[first + pair]
        for d in range(factors.shape[1]):
            near[pair, d] = factors[column, d]
        confidence = rows.weight[first + pair] if len(rows.weight) > 0 else ONE
        weight[pair] = abs(confidence)
        target[pair] = ONE if confidence > ZERO else ZERO
    padded = (count + 3) // 4 * 4
    near[count:padded] = ZERO
    weight[count:padded] = ZERO
    target[count:padded] = ZERO
    return padded


@compiled_fast
def _add_residual(
    near: FloatArray, weight: FloatArray, target: FloatArray, count: int, x: FloatArray, residual: FloatArray
) -> float:
    """Add sum_j c_j (t_j - x . z_j) z_j to `residual`, and return sum_j c_j (t_j - x . z_j)^2."""
    loss = 0.0
    for pair in range(count):
        predicted = ZERO
        for d in range(len(x)):
            predicted += near[pair, d] * x[d]
        error = target[pair] - predicted
        loss += weight[pair] * error * error
        error *= weight[pair]
        for d in range(len(x)):
            residual[d] += error * near[pair, d]
    return loss


@compiled_fast
def _add_product(near: FloatArray, weight: FloatArray, count: int, p: FloatArray, product: FloatArray) -> None:
    """Add sum_j c_j (p . z_j) z_j to `product`, four pairs at a time; `count` is a multiple of 4."""
    for j in range(0, count, 4):
        one, two, three, four = ZERO, ZERO, ZERO, ZERO
        for d in range(len(p)):
            one += near[j, d] * p[d]
            two += near[j + 1, d] * p[d]
            three += near[j + 2, d] * p[d]
            four += near[j + 3, d] * p[d]
        one, two, three, four = one * weight[j], two * weight[j + 1], three * weight[j + 2], four * weight[j + 3]
        for d in range(len(p)):
            left = one * near[j, d] + two * near[j + 1, d]
            product[d] += left + (three * near[j + 2, d] + four * near[j + 3, d])


@compiled_fast
def conjugate_gradient(
    side: Side, fixed: Fixed, x: FloatArray, first: int, end: int, tolerance: float, steps: int
) -> float:
    """Solve the rows first..end from the values in `x` and return the loss of these values, regularization included.

    A row is done when the preconditioned squared residual r^T M^-1 r, an estimate of the squared error of its
    predictions weighted as in the loss, is at most tolerance^2 sum_j |c_j|: then its predictions for observed pairs
    differ from the exact ones by about `tolerance` on average.

    Args:
        side: The systems.
        fixed: The other side.
        x: (R, D) float32, updated in place.
        first: First row.
        end: One past the last row.
        tolerance: Root mean square error of predictions that is accepted.
        steps: Maximum number of steps per row.
    """
    rows, size = side.rows, x.shape[1]
    near = np.empty((CHUNK, size), np.float32)
    weight, target = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    diagonal, residual = np.empty(size, np.float32), np.empty(size, np.float32)
    p, product = (
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )  # not rows of one array: their loops would be scalar
    loss = 0.0
    for row in range(first, end):
        start, stop = rows.start[row], rows.start[row + 1]
        if start == stop:
            x[row] = ZERO
            continue
        total, count = ZERO, 0
        for d in range(size):
            diagonal[d] = fixed.base[d] + side.penalty[row]
            residual[d] = -diagonal[d] * x[row, d]
            loss += diagonal[d] * x[row, d] * x[row, d]
        for chunk in range(start, stop, CHUNK):
            count = _gather(rows, chunk, min(chunk + CHUNK, stop), fixed.factors, near, weight, target)
            loss += _add_residual(near, weight, target, count, x[row], residual)
            total += weight[:count].sum()
        p[:] = residual / diagonal
        left = (residual * p).sum()
        for _ in range(steps):
            if left <= tolerance * tolerance * total:
                break
            product[:] = diagonal * p
            for chunk in range(start, stop, CHUNK):
                if stop - start > CHUNK:
                    count = _gather(rows, chunk, min(chunk + CHUNK, stop), fixed.factors, near, weight, target)
                _add_product(near, weight, count, p, product)
            length = left / (p * product).sum()
            before, left = left, ZERO
            for d in range(size):
                x[row, d] += length * p[d]
                residual[d] -= length * product[d]
                left += residual[d] * residual[d] / diagonal[d]
            for d in range(size):
                p[d] = residual[d] / diagonal[d] + left / before * p[d]
    return loss


@compiled_fast
def cholesky(side: Side, fixed: Fixed, x: FloatArray, first: int, end: int) -> float:
    """Solve the rows first..end directly and return the loss of the values before, regularization included.

    The arguments are those of `conjugate_gradient`. The matrix of a row takes D^2 operations per pair and its
    decomposition D^3 / 6, in double precision.
    """
    rows, size = side.rows, x.shape[1]
    near = np.empty((CHUNK, size), np.float32)
    weight, target = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    right = np.empty(size, np.float32)
    nothing = np.zeros(size, np.float32)
    loss = 0.0
    for row in range(first, end):
        start, stop = rows.start[row], rows.start[row + 1]
        if start == stop:
            x[row] = ZERO
            continue
        matrix = np.zeros((size, size))
        right[:] = ZERO
        for chunk in range(start, stop, CHUNK):
            count = _gather(rows, chunk, min(chunk + CHUNK, stop), fixed.factors, near, weight, target)
            loss += _add_residual(near, weight, target, count, x[row], nothing)
            for pair in range(count):
                for d in range(size):
                    right[d] += weight[pair] * target[pair] * near[pair, d]
            weighted = near[:count] * weight[:count].reshape(-1, 1)
            matrix += np.dot(np.ascontiguousarray(weighted.T), near[:count])
        for d in range(size):
            diagonal = fixed.base[d] + side.penalty[row]
            matrix[d, d] += diagonal
            loss += diagonal * x[row, d] * x[row, d]
        _solve(matrix, right, x[row])
    return loss


@compiled_fast
def _solve(matrix: FloatArray, right: FloatArray, x: FloatArray) -> None:
    """Fill x (D,) with the solution of a positive definite system; `matrix` is overwritten by its Cholesky factor."""
    size = len(x)
    y = np.empty(size)
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(total) if i == j else total / matrix[j, j]
        total = float(right[i])
        for k in range(i):
            total -= matrix[i, k] * y[k]
        y[i] = total / matrix[i, i]
    for i in range(size - 1, -1, -1):
        y[i] /= matrix[i, i]
        x[i] = y[i]
        for k in range(i):
            y[k] -= matrix[i, k] * y[i]
