"""Loops compiled by numba that keep their types for the type checker."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray

F = TypeVar("F", bound=Callable[..., object])


class Sparse(NamedTuple):
    """A CSR matrix for compiled code: row r has `value` in `column`, both at `start[r]:start[r + 1]`.

    Args:
        start: (R + 1,) int64.
        column: (N,) uint32, increasing within a row. Unsigned, so that numba omits the check for negative indices.
        value: (N,) float64.
    """

    start: IntArray
    column: IntArray
    value: FloatArray


def sparse(matrix: csr_array) -> Sparse:
    """Return a CSR matrix for compiled code, always with the same dtypes, so that each loop is compiled only once."""
    ordered = matrix.sorted_indices()
    return Sparse(
        ordered.indptr.astype(np.int64), ordered.indices.astype(np.uint32), ordered.data.astype(np.float64, copy=False)
    )


def compiled(function: F) -> F:
    """Compile a loop on its first call; the machine code is cached on disk."""
    return cast(F, njit(cache=True, nogil=True)(function))


def compiled_fast(function: F) -> F:
    """Compile a loop whose sums may be reordered, which allows vectorization.

    Results are reproducible on one type of processor, but may differ in the last digits between types.
    """
    return cast(F, njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(function))
