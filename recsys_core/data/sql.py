"""DuckDB as this project uses it: connections that stay within bounds, and names and texts that are always quoted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from recsys_core.errors import DataError, StoreError

MEMORY_BYTES = 2 * 1024**3
"""What a connection may use before it spills to its temporary folder."""


def connect(
    folder: Path | None = None, memory_bytes: int = MEMORY_BYTES, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection of its own that stays within `memory_bytes` and spills to `folder`.

    Nothing is downloaded, and times without a zone are UTC.
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


@contextmanager
def refusals_in_words(folder: Path) -> Iterator[None]:
    """Turn what DuckDB says of the disk into a sentence, while it writes into a folder."""
    try:
        yield
    except duckdb.IOException as error:
        raise StoreError(f"Writing to '{folder}' failed: {str(error).splitlines()[0]}. Nothing was stored.") from error


def text_literal(text: str) -> str:
    """Return a text as an SQL literal, quotes doubled."""
    if "\x00" in text:
        raise DataError("A name with a NUL byte cannot be used.")
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """Return a name as an SQL identifier, quotes doubled."""
    if "\x00" in name:
        raise DataError("A name with a NUL byte cannot be used.")
    return '"' + name.replace('"', '""') + '"'


def parquet_names(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a Parquet file."""
    return tuple(name for name, _ in _columns(path))


def parquet_relation(path: Path) -> str:
    """Return the SQL of a Parquet file as `line`, `c0`, `c1`, ...: row number and text cells."""
    file = file_literal(path)
    cells = [_parquet_cell(name, kind, column) for column, (name, kind) in enumerate(_columns(path))]
    return f"(SELECT file_row_number + 1 AS line, {', '.join(cells)} FROM read_parquet({file}, file_row_number=true))"


def _columns(path: Path) -> list[tuple[str, str]]:
    with connect() as connection:
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
    """Return a path as an SQL literal for DuckDB's readers, which take `*`, `?` and `[` for patterns: those stand in
    brackets.
    """
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
    return text_literal(escaped)
