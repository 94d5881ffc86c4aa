"""Write all rejected lines with their text, and total the row counts of an ingest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.reading import Source
from recsys_core.data.ingest.rejection_buffer import Rejections
from recsys_core.data.report import IngestReport, RejectedLine

_BLOCK = 50_000
_REJECTED = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True)
class Book:
    """Row counts and rejections of one file.

    Args:
        source: The file.
        rows: Number of rows that could be split into cells.
        rejections: All rejected rows, including those that could not be split.
    """

    source: Source
    rows: int
    rejections: Rejections

    @property
    def read(self) -> int:
        """Total number of rows."""
        return self.rows + self.source.unsplit


def close_books(
    connection: duckdb.DuckDBPyConnection, books: list[Book], rejected: Path, limits: Limits
) -> IngestReport:
    """Write every rejected line to a Parquet file, and return a report with the row counts.

    Args:
        connection: DuckDB connection that reads the sources.
        books: One per file, in upload order.
        rejected: Parquet file to write.
        limits: Bounds the number of rejected lines in the report.
    """
    kept: list[RejectedLine] = []
    reasons: dict[str, int] = {}
    files: dict[str, dict[str, Any]] = {}
    with pq.ParquetWriter(rejected, _REJECTED) as writer:
        for book in books:
            guess, lost = book.source.guess, len(book.rejections)
            files[guess.name] = {
                "table": guess.table,
                "read": book.read,
                "accepted": book.read - lost,
                "rejected": lost,
            }
            for phrase, count in book.rejections.reasons().items():
                reasons[phrase] = reasons.get(phrase, 0) + count
            for block in _blocks(connection, book):
                writer.write_table(_table(block))
                kept += block[: max(0, limits.kept_rejections - len(kept))]
    return IngestReport(
        rows_read=sum(entry["read"] for entry in files.values()),
        rows_accepted=sum(entry["accepted"] for entry in files.values()),
        rows_rejected=sum(entry["rejected"] for entry in files.values()),
        rejected=tuple(kept),
        reasons=dict(sorted(reasons.items(), key=lambda entry: -entry[1])),
        files=files,
        guesses={book.source.guess.name: book.source.guess.to_json() for book in books},
    )


def _blocks(connection: duckdb.DuckDBPyConnection, book: Book) -> Iterator[list[RejectedLine]]:
    """Yield the rejected lines of a file in order, in blocks."""
    lines, codes = book.rejections.sorted()
    causes, file = book.rejections.causes(), book.source.guess.name
    block: list[RejectedLine] = []
    texts = book.source.texts(connection, lines) if len(lines) else iter(())
    for line, code, text in zip(lines.tolist(), codes.tolist(), texts, strict=True):
        column, reason = causes[code]
        block.append(RejectedLine(file, line, column, reason, text))
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _table(block: list[RejectedLine]) -> pa.Table:
    return pa.table({name: [getattr(line, name) for line in block] for name in _REJECTED.names}, schema=_REJECTED)
