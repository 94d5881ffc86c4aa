"""Fast linear algebra: the Gram matrix of sparse rows, and the inverse of a positive definite matrix."""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.errors import DataError
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.text import _
from recsys_core.training.blocks import run_in_blocks

GRAM_ROWS = 64
"""Number of rows of the Gram matrix that a thread fills at a time."""
LARGEST_FACTORED = 8192
"""Most rows of a matrix that LAPACK factorizes in one call. With two threads, potrf of OpenBLAS 0.3.30 ends in a
segmentation fault at 16,000 rows, and works at 12,000 (similar: OpenBLAS issues 352, 1413 and 2562)."""
MULTIPLIED_ROWS = 1024
"""Number of rows multiplied at a time where only a triangle is needed."""


def gram_matrix(interactions: csr_array, ctx: RunContext) -> FloatArray:
    """Return the lower triangle of X^T X for a sparse (U, I) matrix X, as (I, I) float64; the upper triangle is 0.

    Each row is summed separately over the users of one item, so the order of additions, and with it the result, does
    not depend on the number of threads. If all values are 1, the products are counted in integers, which gives the same
    sums in half the time.

    Raises:
        Cancelled: The run was cancelled; checked between blocks.
    """
    users, items = sparse(interactions.T.tocsr()), sparse(interactions)
    gram = np.zeros((interactions.shape[1], interactions.shape[1]))
    counted = bool((interactions.data == 1).all())

    def fill(first: int, end: int) -> None:
        if counted:
            _count_gram_rows(users.start, users.column, items.start, items.column, gram, first, end)
        else:
            _fill_gram_rows(users, items, gram, first, end)

    run_in_blocks(fill, len(gram), GRAM_ROWS, ctx, stage="multiply items by items")
    return gram


@compiled
def _fill_gram_rows(users: Sparse, items: Sparse, gram: FloatArray, first: int, end: int) -> None:
    """Fill rows first..end of `gram`: for each user of the item, add the user's items up to the diagonal.

    Args:
        users: (I, U) the users of each item.
        items: (U, I) the items of each user.
        gram: (I, I) zeros.
        first: First row of the block.
        end: One past its last row.
    """
    for item in range(first, end):
        row = gram[item]
        for place in range(users.start[item], users.start[item + 1]):
            user, value = users.column[place], users.value[place]
            history = slice(items.start[user], items.start[user + 1])
            others, values = items.column[history], items.value[history]
            for entry in range(np.searchsorted(others, item) + 1):
                row[others[entry]] += value * values[entry]


@compiled
def _count_gram_rows(
    user_start: IntArray,
    user: IntArray,
    item_start: IntArray,
    item: IntArray,
    gram: FloatArray,
    first: int,
    end: int,
) -> None:
    """Fill rows first..end of the `gram` of a binary matrix: the numbers of users that two items share.

    Args:
        user_start: (I + 1,) start of the users of each item.
        user: (N,) their positions.
        item_start: (U + 1,) start of the items of each user.
        item: (N,) their positions, increasing.
        gram: (I, I) zeros.
        first: First row of the block.
        end: One past its last row.
    """
    counts = np.zeros(end, np.int32)  # 4 bytes a column stay in the first-level cache longer than 8
    for row in range(first, end):
        counts[: row + 1] = 0
        for place in range(user_start[row], user_start[row + 1]):
            stop = item_start[user[place] + 1]
            for entry in range(item_start[user[place]], stop):
                column = item[entry]
                if column > row:
                    break
                counts[column] += 1
        for column in range(row + 1):
            gram[row, column] = counts[column]


def inverse_of_positive_definite(matrix: FloatArray) -> FloatArray:
    """Return `matrix`, whose lower triangle is overwritten by that of its inverse.

    Up to `LARGEST_FACTORED` rows by Cholesky (LAPACK potrf and potri), which takes half the work of a general inverse
    by LU factorization. Larger matrices are inverted by halves: with the quarters A, B^T, B and C, with W = B A^-1
    and the Schur complement S = C - W B^T, the quarters of the inverse are A^-1 + W^T S^-1 W, -W^T S^-1, -S^-1 W and
    S^-1. The work is the same; W takes a quarter of the memory of the matrix.

    Args:
        matrix: (n, n) symmetric positive definite, float64, C order; only its lower triangle is read.

    Returns:
        (n, n); the upper triangle is undefined.

    Raises:
        DataError: The matrix is not positive definite.

    Source: Horn and Johnson 2013, Matrix Analysis, 2nd edition, section 0.7.3 (inverse of a partitioned matrix).
    """
    if len(matrix) > LARGEST_FACTORED:
        _invert_by_halves(matrix)
        return matrix
    # LAPACK is column-major: our lower triangle is its upper one, so no copy is made of a whole matrix
    factor, failed = dpotrf(matrix.T, lower=0, overwrite_a=1, clean=0)
    if failed:
        raise DataError(_("The matrix to invert is not positive definite; choose a larger regularization."))
    inverse, _unused = dpotri(factor, lower=0, overwrite_c=1)
    if not np.may_share_memory(inverse, matrix):  # half of a larger matrix is not contiguous
        matrix[:] = inverse.T
    return matrix


def _invert_by_halves(matrix: FloatArray) -> None:
    half = len(matrix) // 2
    upper, lower, below = matrix[:half, :half], matrix[half:, half:], matrix[half:, :half]
    _mirror(inverse_of_positive_definite(upper))
    w = below @ upper
    for first, end in _row_blocks(len(lower)):
        lower[first:end, :end] -= w[first:end] @ below[:end].T
    _mirror(inverse_of_positive_definite(lower))
    np.matmul(lower, w, out=below)
    np.negative(below, out=below)
    for first, end in _row_blocks(half):
        upper[first:end, :end] -= w[:, first:end].T @ below[:, :end]


def _mirror(matrix: FloatArray) -> None:
    """Copy the lower triangle to the upper one."""
    for first, end in _row_blocks(len(matrix)):
        matrix[:first, first:end] = matrix[first:end, :first].T
        tile = np.tril(matrix[first:end, first:end])
        matrix[first:end, first:end] = tile + np.tril(tile, -1).T


def _row_blocks(rows: int) -> list[tuple[int, int]]:
    return [(first, min(rows, first + MULTIPLIED_ROWS)) for first in range(0, rows, MULTIPLIED_ROWS)]
