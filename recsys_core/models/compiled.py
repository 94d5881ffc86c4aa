"""Loops compiled by numba, with types kept for the checker."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a loop on its first call; the machine code is kept on disk for the next process."""
    return cast(F, njit(cache=True, nogil=True)(function))


def compiled_parallel(function: F) -> F:
    """Compile a loop whose `prange` runs on as many threads as numba was allowed."""
    return cast(F, njit(cache=True, nogil=True, parallel=True)(function))


def compiled_fast(function: F) -> F:
    """Compile a loop whose sums may be added in another order, which lets them run on several numbers at a time.

    The result is the same in each run on one kind of processor, but may differ in the last digits between kinds.
    """
    return cast(F, njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(function))
