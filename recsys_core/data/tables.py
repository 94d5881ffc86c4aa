"""Write Parquet files of interactions, read pairs back in blocks, and find duplicate pairs."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import coo_array, csr_array

from recsys_core.columns import EVENT, ITEM, RATING, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import IntArray

BLOCK = 1 << 20
ROWS_AT_ONCE = 40_000_000
"""Maximum number of interactions whose pairs are sorted in memory (12 bytes each, twice)."""
FINER = "nanoseconds"
"""Sub-millisecond part of a timestamp during ingest; never stored."""
_NAMED = (RATING, EVENT, WEIGHT)
"""Dictionary-encoded columns; integer columns are delta-encoded."""


def interactions_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a Parquet writer for interactions whose encodings replace compression: as small, but faster."""
    whole = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in {USER, ITEM, TIMESTAMP, FINER}}
    named = [name for name in schema.names if name in _NAMED]
    return pq.ParquetWriter(path, schema, compression="none", use_dictionary=named, column_encoding=whole)


@contextmanager
def background_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that writes a table in a background thread, with at most one table pending.

    An error of a write is raised by the next call, or at the end.
    """
    pending: list[Future[None]] = []

    def settle() -> None:
        if pending:
            pending.pop().result()

    with interactions_writer(path, schema) as writer, ThreadPoolExecutor(1) as pool:

        def write(table: pa.Table) -> None:
            settle()
            pending.append(pool.submit(writer.write_table, table))

        yield write
        settle()


class PairCache:
    """Cache of users, items and timestamps of written interactions, dropped if there are too many.

    Args:
        most: Maximum number of cached rows.
        ordered: Whether `check_order` will be called with all rows.
    """

    def __init__(self, most: int, *, ordered: bool = False) -> None:
        self._most = most
        self._rows = 0
        self._parts: dict[str, list[IntArray]] = {}
        self._last = (-1, -1)
        self.in_order = ordered
        """Whether the pairs were in strictly increasing order, so that there are no duplicates."""

    def check_order(self, users: IntArray, items: IntArray) -> None:
        """Check that integer identifiers continue in strictly increasing order."""
        if not self.in_order or not len(users):
            return
        keys = users.astype(np.int64)
        keys <<= 32
        keys += items
        follows = (int(users[0]), int(items[0])) > self._last
        self.in_order = follows and bool((keys[1:] > keys[:-1]).all())
        self._last = (int(users[-1]), int(items[-1]))

    def add(self, table: pa.Table) -> None:
        """Cache the columns of the next rows."""
        self._rows += len(table)
        if self._rows > self._most:
            self._parts.clear()
            return
        for name in (USER, ITEM, TIMESTAMP):
            if name in table.schema.names:
                self._parts.setdefault(name, []).append(table.column(name).to_numpy())

    def blocks(self, path: Path, *names: str) -> Iterator[tuple[IntArray, ...]]:
        """Yield columns block by block, from memory or from the written Parquet file."""
        if self._parts:
            yield from zip(*(self._parts[name] for name in names), strict=True)
            return
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BLOCK, columns=list(names)):
                yield tuple(batch.column(name).to_numpy() for name in names)


def repeated(rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return rows, columns and counts of pairs that occur more than once.

    Args:
        rows: (N,) integers from 0.
        columns: (N,) integers from 0, without upper bound; they may be reordered in place within each row.
    """
    if len(rows) < 2:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    nothing_known = np.zeros(len(rows), dtype=np.int8)
    if bool((rows[1:] >= rows[:-1]).all()):
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
        grouped = csr_array((nothing_known, columns, ends), shape=shape)
    else:
        coo = coo_array((nothing_known, (rows, columns)), shape=shape)
        coo.has_canonical_format = True  # otherwise duplicates would be summed
        grouped = coo.tocsr()
    grouped.has_sorted_indices = False
    grouped.sort_indices()
    same = grouped.indices[1:] == grouped.indices[:-1]
    borders = grouped.indptr[1:-1]
    same[borders[(borders > 0) & (borders < len(rows))] - 1] = False
    first = np.flatnonzero(same & ~np.concatenate([[False], same[:-1]]))
    last = np.flatnonzero(same & ~np.concatenate([same[1:], [False]]))
    of_rows = np.searchsorted(grouped.indptr, first, side="right") - 1
    return of_rows.astype(np.int64), grouped.indices[first].astype(np.int64), (last - first + 2).astype(np.int64)


def joined(blocks: Iterable[tuple[IntArray, ...]]) -> tuple[IntArray, ...]:
    """Return blocks of columns, concatenated."""
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def parts_by_row(rows: IntArray, parts: int) -> list[slice]:
    """Return slices of (N,) sorted rows of similar size that do not separate equal values; one slice if unsorted."""
    if len(rows) < 2 or not bool((rows[1:] >= rows[:-1]).all()):
        return [slice(0, len(rows))]
    cuts = np.searchsorted(rows, rows[np.linspace(0, len(rows) - 1, parts + 1).astype(int)[1:-1]])
    return [slice(start, end) for start, end in pairwise([0, *np.unique(cuts[cuts > 0]).tolist(), len(rows)])]
