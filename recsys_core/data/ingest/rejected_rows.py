"""Write all rejected lines with their text, and total the row counts of an ingest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
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
_REJECTED = pa.schema([(one.name, pa.int64() if one.name == "line" else pa.string()) for one in fields(RejectedLine)])


@dataclass
class Book:
    """Row counts and rejections of one file.

    Args:
        source: The file.
        rows: Number of rows that could be split into cells.
        rejections: All rejected rows, including those that could not be split.
    """

    source: Source
    rows: int = 0
    rejections: Rejections = field(default_factory=Rejections)

    @property
    def read(self) -> int:
        """Total number of rows."""
        return self.rows + self.source.unsplit


def close_books(
    connection: duckdb.DuckDBPyConnection, books: Sequence[Book], rejected: Path, limits: Limits
) -> IngestReport:
    """Write every rejected line to a Parquet file, and return a report with the row counts.

    Args:
        connection: DuckDB connection that reads the sources.
        books: One per file, in upload order.
        rejected: Parquet file to write.
        limits: Bounds the number of rejected lines in the report.
    """
    kept: list[RejectedLine] = []
    reasons: Counter[str] = Counter()
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
            reasons.update(book.rejections.reasons())
            for block in _blocks(connection, book):
                writer.write_table(pa.Table.from_pylist(list(map(vars, block)), schema=_REJECTED))
                kept += block[: max(0, limits.kept_rejections - len(kept))]
    return IngestReport(
        rows_read=sum(entry["read"] for entry in files.values()),
        rows_accepted=sum(entry["accepted"] for entry in files.values()),
        rows_rejected=sum(entry["rejected"] for entry in files.values()),
        rejected=tuple(kept),
        reasons=dict(reasons.most_common()),
        files=files,
        guesses={book.source.guess.name: book.source.guess.to_json() for book in books},
    )


def _blocks(connection: duckdb.DuckDBPyConnection, book: Book) -> Iterator[list[RejectedLine]]:
    """Yield the rejected lines of a file in order, in blocks."""
    lines, codes = book.rejections.sorted()
    causes, file = book.rejections.causes(), book.source.guess.name
    texts = book.source.texts(connection, lines) if len(lines) else ()
    numbered = zip(lines.tolist(), codes.tolist(), texts, strict=True)
    rejected = (RejectedLine(file, line, *causes[int(code)], text) for line, code, text in numbered)
    while block := list(islice(rejected, _BLOCK)):
        yield block
