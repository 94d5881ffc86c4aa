"""Access to interactions by SQL or in blocks, in bounded memory, from Parquet files or data frames."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from recsys_core.columns import INTERACTIONS, ITEM, RATING, USER, WEIGHT
from recsys_core.contracts import FloatArray, IntArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.data.queries import tables_of
from recsys_core.data.sql import connect

MEMORY_BYTES = 400 * 1024**2
"""Memory limit of DuckDB before it spills to a temporary folder."""
ROWS_AT_ONCE = 1_000_000
"""Number of interactions per block."""
ROWS_GROUPED = 3_000_000
"""Maximum number of interactions aggregated by one query."""


@contextmanager
def connected(dataset: Dataset) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to the tables of a data set with bounded memory."""
    with (
        tempfile.TemporaryDirectory(prefix="recscope-") as folder,
        tables_of(dataset, connect(Path(folder), MEMORY_BYTES, threads=2)) as (connection, _),
    ):
        yield connection


def strength_sql(dataset: Dataset) -> str:
    """Return the SQL expression of the value of an interaction: rating (NaN if missing), event weight, or 1."""
    return next((name for name in (RATING, WEIGHT) if name in dataset.columns), "1") + "::FLOAT"


@dataclass(frozen=True, eq=False)
class Block:
    """A block of N interactions.

    Args:
        user: (N,) positions.
        item: (N,) positions.
        value: (N,) rating (NaN if missing), event weight, or 1.
    """

    user: IntArray
    item: IntArray
    value: FloatArray


def blocks(dataset: Dataset, ctx: RunContext, stage: str) -> Iterator[Block]:
    """Yield all interactions in blocks of up to a million, in file order.

    Raises:
        Cancelled: The work was cancelled.
    """
    with connected(dataset) as connection:
        total = int(connection.execute(f"SELECT count(*) FROM {INTERACTIONS}").fetchall()[0][0])
        query = f"SELECT {USER}, {ITEM}, {strength_sql(dataset)} AS value FROM {INTERACTIONS}"
        reader = connection.sql(query).to_arrow_reader(ROWS_AT_ONCE)
        steps = -(-total // ROWS_AT_ONCE)
        for batch in ctx.track(reader, stage=stage, total=steps):
            yield Block(
                batch.column(0).to_numpy(),
                batch.column(1).to_numpy(),
                batch.column(2).to_numpy(zero_copy_only=False).astype(np.float64),
            )


def counted(connection: duckdb.DuckDBPyConnection, column: str, size: int, where: str = "true") -> IntArray:
    """Return (size,) number of interactions of each user or item that satisfy an SQL condition."""
    query = f"SELECT {column}, count(*) FROM {INTERACTIONS} WHERE {where} GROUP BY 1"
    found = connection.execute(query).fetchnumpy()
    keys, numbers = (np.asarray(values, dtype=np.int64) for values in found.values())
    counts = np.zeros(size, dtype=np.int64)
    counts[keys] = numbers
    return counts


def ranges(counts: IntArray, rows: int = ROWS_GROUPED) -> list[tuple[int, int]]:
    """Return ranges (first, end) of positions with at most `rows` interactions each, but at least one position.

    Args:
        counts: (N,) interactions of each position.
        rows: Maximum number of interactions per range.
    """
    ends: NDArray[np.int64] = np.concatenate([[0], np.cumsum(counts)])
    found, first = [], 0
    while first < len(counts):
        end = max(first + 1, int(np.searchsorted(ends, ends[first] + rows, side="right")) - 1)
        found.append((first, end))
        first = end
    return found
