"""DuckDB helpers: connections with resource limits, and quoting of names and literals."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from recsys_core.errors import DataError, StoreError
from recsys_core.text import _

MEMORY_BYTES = 2 * 1024**3
"""Memory that a connection may use before it spills to its temporary folder."""


def connect(
    folder: Path | None = None, memory_bytes: int = MEMORY_BYTES, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a new DuckDB connection limited to `memory_bytes` that spills to `folder`.

    Extensions are not downloaded, and times without a zone are UTC.
    """
    config: dict[str, Any] = {
        "memory_limit": f"{memory_bytes // 1024**2}MiB",
        "autoinstall_known_extensions": False,
    }
    if folder is not None:
        config["temp_directory"] = str(folder / "duckdb_tmp")
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET disabled_optimizers = 'type_pushdown'")  # else a failed try_cast counts as a rejected line
    connection.execute(
        "SET TimeZone = 'UTC'; SET max_streaming_buffer_size = '128MiB'; SET streaming_buffer_size = '128MiB'"
    )
    return connection


def shared_cursor() -> duckdb.DuckDBPyConnection:
    """Return a cursor of the database that all short queries of this process share; its limits must not be changed.

    Views must be temporary, so that no other cursor sees them. A new database would take 16 ms.
    """
    cursor = _shared().cursor()
    try:
        cursor.execute("SELECT 1").fetchall()
    except duckdb.Error:  # a fatal error of a query makes its database unusable
        _shared.cache_clear()
        cursor = _shared().cursor()
    return cursor


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    return connect(threads=2)


@contextmanager
def refusals_in_words(folder: Path) -> Iterator[None]:
    """Translate DuckDB's I/O errors while it writes into a folder."""
    try:
        yield
    except duckdb.IOException as error:
        raise StoreError(
            _("Writing to '{folder}' failed: {splitlines}. Nothing was stored.").format(
                folder=folder, splitlines=str(error).splitlines()[0]
            )
        ) from error


def text_literal(text: str) -> str:
    """Return a text as an SQL string literal."""
    if "\x00" in text:
        raise DataError(_("Names must not contain NUL bytes."))
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    if "\x00" in name:
        raise DataError(_("Names must not contain NUL bytes."))
    return '"' + name.replace('"', '""') + '"'


def parquet_names(path: Path) -> tuple[str, ...]:
    """Return the column names of a Parquet file."""
    return tuple(name for name, _ in _columns(path))


def parquet_relation(path: Path) -> str:
    """Return the SQL of a Parquet file as columns `line` (row number) and `c0`, `c1`, ... (text cells)."""
    file = file_literal(path)
    cells = [_parquet_cell(name, kind, column) for column, (name, kind) in enumerate(_columns(path))]
    return f"(SELECT file_row_number + 1 AS line, {', '.join(cells)} FROM read_parquet({file}, file_row_number=true))"


def _columns(path: Path) -> list[tuple[str, str]]:
    with shared_cursor() as connection:
        found = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({file_literal(path)})").fetchall()
    return [(name, kind) for name, kind, *_ in found]


def _parquet_cell(name: str, kind: str, column: int) -> str:
    quoted = quoted_name(name)
    if kind.endswith("[]"):
        return f"array_to_string({quoted}, '|') AS c{column}"
    if kind in {"FLOAT", "DOUBLE"}:
        return f"regexp_replace({quoted}::VARCHAR, '\\.0$', '') AS c{column}"
    return f"{quoted}::VARCHAR AS c{column}"


def file_literal(path: Path) -> str:
    """Return a path as an SQL literal for DuckDB's readers, with the glob characters `*`, `?` and `[` escaped."""
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
    return text_literal(escaped)
