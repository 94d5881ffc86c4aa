"""Loops compiled by numba, with types kept for the checker."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray

F = TypeVar("F", bound=Callable[..., object])


class Sparse(NamedTuple):
    """A sparse matrix as compiled code takes it: row r has `value` in `column`, both at `start[r]:start[r + 1]`.

    Args:
        start: (R + 1,) int64.
        column: (N,) uint32, increasing within a row. Without a sign, so that numba need not look for negative ones.
        value: (N,) float64.
    """

    start: IntArray
    column: IntArray
    value: FloatArray


def sparse(matrix: csr_array) -> Sparse:
    """Return a CSR matrix for compiled code, always of the same types, so that each loop is compiled once."""
    ordered = matrix.sorted_indices()
    return Sparse(
        ordered.indptr.astype(np.int64), ordered.indices.astype(np.uint32), ordered.data.astype(np.float64, copy=False)
    )


def compiled(function: F) -> F:
    """Compile a loop on its first call; the machine code is kept on disk for the next process."""
    return cast(F, njit(cache=True, nogil=True)(function))


def compiled_fast(function: F) -> F:
    """Compile a loop whose sums may be added in another order, which lets them run on several numbers at a time.

    The result is the same in each run on one kind of processor, but may differ in the last digits between kinds.
    """
    return cast(F, njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(function))
