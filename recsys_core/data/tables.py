"""Parquet files of interactions: how they are written, and their pairs read back in blocks."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import coo_array, csr_array

from recsys_core.columns import EVENT, ITEM, RATING, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import IntArray

BLOCK = 1 << 20
_NAMED = (RATING, EVENT, WEIGHT)
"""Columns with few different values, stored as a dictionary; whole numbers are stored as differences."""


def interactions_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of interactions: the size of a compressed file, at the speed of an uncompressed one."""
    whole = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in {USER, ITEM, TIMESTAMP}}
    named = [name for name in schema.names if name in _NAMED]
    return pq.ParquetWriter(path, schema, compression="none", use_dictionary=named, column_encoding=whole)


class WriterBeside:
    """Writes tables in a thread of its own, at most one ahead of the caller.

    Args:
        path: Where to write.
        schema: Columns and their types.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = interactions_writer(path, schema)
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, table: pa.Table) -> None:
        """Take the next table; an error in writing the one before is raised here."""
        self._settle()
        self._pending = self._pool.submit(self._writer.write_table, table)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._settle()
        finally:
            self._pool.shutdown(wait=True)
            self._writer.close()

    def _settle(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()


def pairs_of(path: Path) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield users and items of a Parquet file of interactions, block by block."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BLOCK, columns=[USER, ITEM]):
            yield batch.column(0).to_numpy(), batch.column(1).to_numpy()


class Kept:
    """Users, items and times of the interactions that were written, kept in memory as long as they are few enough.

    Args:
        most: Number of rows from which on nothing is kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows = 0
        self._parts: dict[str, list[IntArray]] = {}

    def add(self, table: pa.Table) -> None:
        """Keep the columns of the next rows."""
        self._rows += len(table)
        if self._rows > self._most:
            self._parts.clear()
            return
        for name in (USER, ITEM, TIMESTAMP):
            if name in table.schema.names:
                self._parts.setdefault(name, []).append(table.column(name).to_numpy())

    def column(self, name: str, path: Path) -> IntArray:
        """Return a column whole, from memory or from the Parquet file that was written."""
        if self._parts:
            return np.concatenate(self._parts[name])
        return np.asarray(pq.read_table(path, columns=[name]).column(0).to_numpy())


def repeated(rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the pairs (row, column) that occur more than once, and how often.

    Args:
        rows: (N,) numbers from 0.
        columns: (N,) numbers from 0; as large as they like.
    """
    nothing = np.empty(0, np.int64)
    if len(rows) < 2 or _increasing(rows, columns):
        return nothing, nothing, nothing
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    ones = np.ones(len(rows), dtype=np.int32)
    if bool((rows[1:] >= rows[:-1]).all()):
        ends = np.cumsum(np.bincount(rows, minlength=shape[0]))
        counted = csr_array((ones, columns, np.concatenate([[0], ends])), shape=shape)
        counted.sum_duplicates()
    else:
        counted = coo_array((ones, (rows, columns)), shape=shape).tocsr()
    often = np.flatnonzero(counted.data > 1)
    of_rows = np.searchsorted(counted.indptr, often, side="right") - 1
    return of_rows.astype(np.int64), counted.indices[often].astype(np.int64), counted.data[often]


_FEW = 100_000


def _increasing(rows: IntArray, columns: IntArray) -> bool:
    """Return whether pairs come in strictly increasing order, so that none can occur twice; the first ones tell in
    most files.
    """
    if len(rows) > _FEW and not _increasing(rows[:_FEW], columns[:_FEW]):
        return False
    width = int(columns.max()) + 1
    if (int(rows.max()) + 1) * width >= 2**63:
        return False
    keys = rows.astype(np.int64)
    keys *= width
    keys += columns
    return bool((keys[1:] > keys[:-1]).all())
