"""Inputs and outputs of models as arrays: ragged rows, query batches, and top-k lists."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]

PAD = -1
"""Placeholder for a missing list entry, and for a user not in the training data."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths in two flat arrays: row r is `values[offsets[r]:offsets[r + 1]]`.

    Args:
        values: (N,) concatenated rows.
        offsets: (R + 1,) start of each row; the last entry is N.
    """

    values: NDArray[Any]
    offsets: IntArray

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[Any] | NDArray[Any]], dtype: Any = np.int64) -> "Ragged":
        """Concatenate rows, which may be empty."""
        arrays = [np.asarray(row, dtype=dtype) for row in rows]
        lengths = np.array([len(row) for row in arrays], dtype=np.int64)
        values = np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def from_keys(cls, keys: IntArray, values: NDArray[Any], rows: int) -> "Ragged":
        """Group `values` (N,) by their row number in `keys` (N,), keeping their order within a row."""
        order = np.argsort(keys, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=rows))]).astype(np.int64)
        return cls(values[order], offsets)

    @property
    def lengths(self) -> IntArray:
        """(R,) number of values in each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def take(self, rows: IntArray) -> "Ragged":
        """Return selected rows, in the given order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Ragged(self.values[index], offsets)

    def row_numbers(self) -> IntArray:
        """(N,) row number of each value."""
        return np.repeat(np.arange(len(self)), self.lengths)


@dataclass(frozen=True, eq=False)
class QueryBatch:
    """Input of a model: B users with their histories.

    The history is part of the query, so users not in the training data can be queried like any other.

    Args:
        user: (B,) positions in the training data, `PAD` for unknown users.
        history: B rows of item positions, oldest first.
        values: (N,) rating or event weight of each history entry, aligned with `history.values`.
        timestamps: (N,) Unix milliseconds of each entry, or None without timestamps.
        known: B rows of seen items, which are not recommended, if they differ from the history given to the model;
            else None.
        weights: (N,) event weight of each history entry, or None without weights. Without ratings they equal `values`.
    """

    user: IntArray
    history: Ragged
    values: FloatArray
    timestamps: IntArray | None = None
    known: Ragged | None = None
    weights: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.user)

    @property
    def seen(self) -> Ragged:
        """B rows of items that are not recommended."""
        return self.history if self.known is None else self.known

    def take(self, rows: IntArray) -> "QueryBatch":
        """Return the queries of selected users, in the given order."""
        index = Ragged(np.arange(len(self.history.values)), self.history.offsets).take(rows).values
        known = None if self.known is None else self.known.take(rows)
        return self._with_entries(self.user[rows], self.history.take(rows), index, known)

    def only(self, kept: BoolArray) -> "QueryBatch":
        """Return the same users with only the marked entries (N,) of their histories."""
        lengths = np.bincount(self.history.row_numbers()[kept], minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        history = Ragged(self.history.values[kept], offsets)
        return self._with_entries(self.user, history, np.flatnonzero(kept), self.known)

    def of_unknown(self) -> "QueryBatch":
        """Return the same histories for unknown users."""
        user = np.full(len(self), PAD)
        return QueryBatch(user, self.history, self.values, self.timestamps, weights=self.weights)

    def repeated(self, history: Ragged, places: IntArray) -> "QueryBatch":
        """Return queries of unknown users with subsets of the histories.

        Args:
            history: R rows of items.
            places: (N,) index into `self.history.values` of each item of `history`.
        """
        return self._with_entries(np.full(len(history), PAD), history, places, None)

    def _with_entries(self, user: IntArray, history: Ragged, places: IntArray, known: Ragged | None) -> "QueryBatch":
        """Return queries of other users whose history entries are those of `self` at `places` (N,)."""
        times = None if self.timestamps is None else self.timestamps[places]
        weights = None if self.weights is None else self.weights[places]
        return QueryBatch(user, history, self.values[places], times, known, weights)

    def batches(self, size: int) -> Iterator["QueryBatch"]:
        """Yield the queries in batches of at most `size`, in order."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))


@dataclass(frozen=True, eq=False)
class TopK:
    """Top-k lists, best first; short lists are padded with `PAD` and score NaN.

    Args:
        item: (B, K) item positions.
        score: (B, K) scores, non-increasing along a row.
    """

    item: IntArray
    score: FloatArray

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def joined(cls, parts: Sequence["TopK"], k: int) -> "TopK":
        """Return lists of length `k` below one another; (0, K) without any."""
        if not parts:
            return cls(np.full((0, k), PAD, dtype=np.int64), np.full((0, k), np.nan))
        return cls(np.concatenate([part.item for part in parts]), np.concatenate([part.score for part in parts]))

    def head(self, k: int) -> "TopK":
        """Return the first `k` entries of each list."""
        return TopK(self.item[:, :k], self.score[:, :k])
