"""Open files as DuckDB relations of text cells, with every row accounted for.

There are two readers for text files. The fast one is DuckDB's CSV reader with its table of rejected lines; its result
is used only if a byte scan found nothing unusual and accepted plus rejected rows equal the number of lines. Otherwise
the careful one (`record_reader`) writes the cells to a temporary Parquet file. Both yield columns `c0`, `c1`, ...
"""

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.contracts import IntArray
from recsys_core.data.ingest.encodings import transcode
from recsys_core.data.ingest.json_arrays import write_lines
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.reasons import INVALID_BYTES
from recsys_core.data.ingest.record_reader import TEXT_KEPT, Record, Shape, read_json_lines, read_records
from recsys_core.data.ingest.rejection_buffer import Rejections, skip_missing
from recsys_core.data.ingest.sampling import excel_rows
from recsys_core.data.ingest.scan import TextScan, scan_text
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.sql import file_literal, parquet_relation, text_literal
from recsys_core.storage.checksums import file_sum
from recsys_core.text import later

_BLOCK_ROWS = 50_000
_SCAN_FIRST = 64 << 20
"""Files smaller than this are scanned before they are read."""
_DUCKDB_REASONS = {
    "MISSING COLUMNS": later("too few columns"),
    "TOO MANY COLUMNS": later("too many columns"),
    "UNQUOTED VALUE": later("unclosed quote"),
    "INVALID ENCODING": INVALID_BYTES,
    "LINE SIZE OVER MAXIMUM": later("line longer than allowed"),
}


_REJECTED_LINES = """
    SELECT line, first(error_type::VARCHAR ORDER BY place), first(column_idx ORDER BY place), first(csv_line ORDER BY
    place) FROM (SELECT *, (error_type = 'CAST', column_idx) AS place FROM reject_errors) GROUP BY line ORDER BY line
"""
"""First error of each line; a wrong number of columns precedes errors in cells."""


@dataclass(frozen=True)
class Native:
    """A column that the fast reader parses as a number directly, which is faster than converting text later.

    Args:
        kind: FLOAT or DOUBLE.
        reason: Rejection reason for cells that are not numbers.
    """

    kind: str
    reason: str


class NotPlain(Exception):
    """The fast reader cannot account for every line of a file; the careful reader must read it."""


@dataclass
class Source:
    """A file that is ready to be read.

    Args:
        guess: How to read it.
        relation: SQL for a FROM clause; its columns are `c0`, `c1`, ... (text) and, if `has_lines`, `line`.
        has_lines: Whether the relation has the line number of each row.
        text_path: The text file (UTF-8) whose lines are shown for rejected rows; None for Parquet and Excel.
        scan: Byte scan, possibly still running; None with the careful reader.
        rejections: Rows that could not be split into cells; complete immediately with the careful reader, after
            `settle` with the fast one.
        structural: Lines that the fast reader rejected, increasing.
        unsplit: Number of records that could not be split into cells.
        natives: Columns that the relation returns as numbers instead of text; fast reader only.
    """

    guess: TableGuess
    relation: str
    has_lines: bool
    text_path: Path | None
    scan: "Future[TextScan] | None" = None
    rejections: Rejections = field(default_factory=Rejections)
    structural: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    unsplit: int = 0
    natives: Mapping[int, Native] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        if self.scan is not None and self.text_path == self.guess.path:
            return self.scan.result().digest
        return file_sum(self.guess.path).sha256

    def settle(self, connection: duckdb.DuckDBPyConnection, rows: int) -> None:
        """Fetch the lines that the fast reader rejected, and check that no line is missing.

        Args:
            connection: The connection that read the relation.
            rows: Number of rows read from the relation.

        Raises:
            NotPlain: Accepted plus rejected lines differ from the lines of the file, or the scan found something
                unusual.
        """
        if self.scan is None:
            return
        found = connection.execute(_REJECTED_LINES).fetchall()
        connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
        scan = self.scan.result()
        causes = [self._cause(kind, column) for _, kind, column, _ in found]
        blank = any(not (text or "").strip() for *_, text in found)
        odd = not scan.plain or blank or None in causes or (found and scan.quoted)
        if odd or rows + len(found) != scan.lines - self.guess.skip_lines:
            raise NotPlain(self.guess.name)
        self.structural = np.array([line for line, *_ in found], dtype=np.int64)
        self.unsplit = len(found)
        for cause in sorted({cause for cause in causes if cause is not None}):
            chosen = np.array([one == cause for one in causes])
            self.rejections.add(self.structural[chosen], *cause)

    def _cause(self, kind: str, column: int) -> tuple[str, str] | None:
        """Return column and reason of a rejected line, from DuckDB's kind of error and the column's number (from 1)."""
        if kind == "CAST" and (native := self.natives.get(column - 1)) is not None:
            return self.guess.column_names[column - 1], native.reason
        return ("", _DUCKDB_REASONS[kind]) if kind in _DUCKDB_REASONS else None

    def lines(self, rows: IntArray) -> IntArray:
        """Return the line numbers of rows that the fast reader read, which are numbered from 0."""
        first = self.guess.skip_lines + 1
        return np.asarray(skip_missing(rows, self.structural - first) + first, dtype=np.int64)

    def texts(self, connection: duckdb.DuckDBPyConnection, lines: IntArray) -> Iterator[str]:
        """Yield the text of each of the `lines` (increasing), cut to 1000 characters."""
        if self.text_path is not None:
            yield from _lines_of(self.text_path, lines)
            return
        cells = ", ".join(f"coalesce(c{column}, '')" for column in range(len(self.guess.column_names)))
        wanted = pd.DataFrame({"line": lines})
        connection.register("wanted_lines", wanted)
        shown = f"left(concat_ws(', ', {cells}), {TEXT_KEPT})"
        query = f"SELECT {shown} FROM {self.relation} JOIN wanted_lines USING (line) ORDER BY line"
        for (text,) in connection.execute(query).fetchall():
            yield text
        connection.unregister("wanted_lines")


def open_source(
    guess: TableGuess,
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    *,
    careful: bool = False,
    natives: Mapping[int, Native] | None = None,
) -> Source:
    """Open a file for reading.

    Args:
        guess: How to read it.
        folder: For temporary files, which stay until the folder is deleted.
        limits: Bounds on what is read.
        careful: Skip the fast reader.
        natives: Columns that may be parsed as numbers directly, by column number.

    Raises:
        DataError: The file cannot be read with these settings.
    """
    base = Path(tempfile.mkdtemp(prefix="source_", dir=folder))
    if guess.format == "parquet":
        return Source(guess, parquet_relation(guess.path), has_lines=True, text_path=None)
    if guess.format == "excel":
        return _written(guess, excel_records(guess, limits), base, None)
    if guess.format == "json":
        lines = base / "elements.jsonl"
        write_lines(guess.path, guess.name, lines, limits)
        return _written(guess, read_json_lines(lines, guess.column_names, limits), base, lines)
    path, replaced = _as_utf8(guess, base)
    if guess.format == "jsonl":
        return _written(guess, read_json_lines(path, guess.column_names, limits), base, path)
    scan = _scanned(path, spaces=guess.separator == " ")
    odd = scan.done() and (not scan.result().plain or scan.result().doubled_spaces)
    if not odd and not replaced and not careful:
        natives = natives or {}
        relation = _csv_relation(guess, path, limits, natives)
        return Source(guess, relation, has_lines=False, text_path=path, scan=scan, natives=natives)
    shape = Shape(guess.separator, len(guess.column_names), guess.skip_lines, guess.quoted, replaced, guess.escape)
    return _written(guess, read_records(path, shape, limits), base, path)


def _scanned(path: Path, *, spaces: bool) -> "Future[TextScan]":
    """Scan a file: in a background thread if it is large, unless doubled spaces must be known before reading."""
    if path.stat().st_size < _SCAN_FIRST or spaces:
        done: Future[TextScan] = Future()
        done.set_result(scan_text(path, spaces=spaces))
        return done
    pool = ThreadPoolExecutor(1)
    scan = pool.submit(scan_text, path)
    pool.shutdown(wait=False)
    return scan


def excel_records(guess: TableGuess, limits: Limits = DEFAULT_LIMITS) -> Iterator[Record]:
    """Yield the non-empty rows of an Excel sheet, after the header."""
    for number, cells in excel_rows(guess.path, limits):
        if number <= guess.skip_lines:
            continue
        text = ", ".join(cells)[:TEXT_KEPT]
        padded = cells[: len(guess.column_names)] + [""] * (len(guess.column_names) - len(cells))
        yield Record(number, padded, "", text)


def _as_utf8(guess: TableGuess, base: Path) -> tuple[Path, bool]:
    """Return the file as UTF-8 with ordinary line ends, and whether invalid bytes were replaced."""
    if guess.encoding == "utf-8" and not guess.old_mac:
        return guess.path, False
    target = base / "text"
    replaced = transcode(guess.path, guess.encoding, target, carriage_returns=guess.old_mac)
    return target, replaced


def _csv_relation(guess: TableGuess, path: Path, limits: Limits, natives: Mapping[int, Native]) -> str:
    kinds = [natives[column].kind if column in natives else "VARCHAR" for column in range(len(guess.column_names))]
    columns = ", ".join(f"'c{column}': '{kind}'" for column, kind in enumerate(kinds))
    quote, escape = ('"', guess.escape) if guess.quoted else ("", "")
    return (
        f"read_csv({file_literal(path)}, delim={text_literal(guess.separator)}, quote='{quote}', escape='{escape}', "
        f"header=false, skip={guess.skip_lines}, auto_detect=false, columns={{{columns}}}, comment='', nullstr='', "
        f"store_rejects=true, rejects_limit=0, max_line_size={limits.line_bytes}, strict_mode=true)"
    )


def _written(guess: TableGuess, records: Iterator[Record], base: Path, text_path: Path | None) -> Source:
    """Write the cells of accepted records to a Parquet file and record the rejected ones."""
    rejections = Rejections()
    cells = [(f"c{column}", pa.string()) for column in range(len(guess.column_names))]
    schema = pa.schema([("line", pa.int64()), *cells])
    target = base / "cells.parquet"
    with pq.ParquetWriter(target, schema) as writer:
        while block := list(islice(records, _BLOCK_ROWS)):
            rows = [(record.line, *record.cells) for record in block if record.cells is not None]
            columns = zip(*rows, strict=True) if rows else [()] * len(schema)
            arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            for record in block:
                if record.cells is None:
                    rejections.add(np.array([record.line]), "", record.reason)
    return Source(
        guess,
        f"read_parquet({file_literal(target)})",
        has_lines=True,
        text_path=text_path,
        rejections=rejections,
        unsplit=len(rejections),
    )


def _lines_of(path: Path, lines: IntArray) -> Iterator[str]:
    """Yield the physical lines with these numbers as text."""
    wanted = iter(lines.tolist())
    target = next(wanted, None)
    number = 0
    with path.open("rb") as file:
        while target is not None and (raw := file.readline(1 << 16)):
            number += 1
            rest = raw
            while not rest.endswith(b"\n") and (rest := file.readline(1 << 16)):
                pass
            while target == number:
                yield (
                    raw.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"")
                    .rstrip(b"\r\n")
                    .decode("utf-8", errors="replace")[:TEXT_KEPT]
                )
                target = next(wanted, None)
