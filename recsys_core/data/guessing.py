"""How a file is to be read: guessed from a sample, shown to the person, changed by them, and only then used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from recsys_core.data.layouts import Layout, layout_of
from recsys_core.data.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.roles import ROLES, as_number, guess_roles, guess_table_kind, is_known_name
from recsys_core.data.sampling import (
    TextSample,
    excel_rows,
    guess_separator,
    most_common_width,
    sample_cells,
    sample_json_lines,
    sample_text,
)
from recsys_core.data.sql import connect, parquet_names, parquet_relation
from recsys_core.data.table_guess import Format, TableGuess, missing_roles, with_values
from recsys_core.errors import DataError

__all__ = ["TableGuess", "guess_table", "missing_roles", "suggested_columns"]

_PREVIEW_ROWS = 20


def guess_table(
    path: Path,
    *,
    name: str = "",
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    layout: Layout | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> TableGuess:
    """Return how a file is most likely to be read; what is given is not guessed.

    Args:
        path: A file that is not packed.
        name: What the person knows it by; the file's own name by default.
        separator: Between cells.
        encoding: Of the text.
        header: Whether the first record names the columns.
        layout: How a published file is read, if it was recognised.
        limits: Bounds of what is read.

    Raises:
        DataError: The file cannot be taken at all, in a sentence that says why.
    """
    name = name or path.name
    if not path.is_file():
        raise DataError(f"'{name}' is a folder." if path.is_dir() else f"There is no file '{name}'.")
    kind = _format(path, name)
    if kind == "parquet":
        return _guess_parquet(path, name)
    if kind == "excel":
        rows = list(excel_rows(path, limits))
        first_line, width = (rows[0][0], max(len(cells) for _, cells in rows)) if rows else (1, 0)
        return _guess_cells(
            Start(path, name, "excel"), [cells for _, cells in rows], header, first_line=first_line, width=width
        )
    sample = sample_text(path, limits, encoding)
    start = Start(path, name, "text", encoding=sample.encoding, old_mac=sample.old_mac)
    if sample.lines[0].lstrip().startswith("{"):
        names, rows_of_text = sample_json_lines(sample.lines)
        if not names:
            raise DataError(f"'{name}' begins like JSON lines, but no line is a JSON object.")
        return _guessed(replace(start, format="jsonl"), names, rows_of_text, named=True)
    if sample.lines[0].lstrip().startswith("[") and separator is None:
        raise DataError(f"'{name}' looks like one JSON document; save it as JSON lines, one object a line.")
    given = {"separator": separator or (layout.separator if layout else None), "header": header}
    return _guess_text(start, sample, given, layout=layout, most_columns=limits.columns)


def suggested_columns(table: str) -> tuple[str, ...]:
    """Return the roles that a column of this table can have, for a picker."""
    return ROLES[table]


def _format(path: Path, name: str) -> Format:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if not start:
        raise DataError(f"'{name}' is empty: it holds no lines.")
    return "text"


def _guess_parquet(path: Path, name: str) -> TableGuess:
    try:
        names = parquet_names(path)
        cells = ", ".join(f"coalesce(c{column}, '')" for column in range(len(names)))
        with connect() as connection:
            rows = connection.execute(f"SELECT {cells} FROM {parquet_relation(path)} LIMIT 5000").fetchall()
    except duckdb.Error as error:
        raise DataError(f"'{name}' cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if not rows:
        raise DataError(f"'{name}' has columns but no rows.")
    return _guessed(Start(path, name, "parquet"), names, rows, named=True)


@dataclass(frozen=True)
class Start:
    """What is known of a file before its columns: what becomes part of the guess as it is."""

    path: Path
    name: str
    format: Format
    separator: str = ","
    encoding: str = "utf-8"
    old_mac: bool = False
    quoted: bool = True


def _guess_text(
    start: Start, sample: TextSample, given: Mapping[str, Any], *, layout: Layout | None, most_columns: int
) -> TableGuess:
    separator: str | None = given["separator"]
    header: bool | None = given["header"]
    lines, skip = sample.lines, sample.first_line - 1
    if lines[0].lower().startswith("sep=") and len(lines[0]) <= 6:
        separator = separator or lines[0][4:] or None
        lines, skip = lines[1:], skip + 1
    if not lines:
        raise DataError(f"'{start.name}' is empty: it holds no lines.")
    separator = separator or guess_separator(lines)
    plain = separator in {"::", " "} and not any(line.startswith('"') for line in lines[:50])
    rows = sample_cells(lines, separator, quoted=not plain)
    width = most_common_width(rows[1:] or rows)
    if width > most_columns:
        raise DataError(f"'{start.name}' has {width:,} columns; at most {most_columns:,} are read.")
    layout = layout or layout_of(start.name, separator, width)
    if layout is not None and not layout.fits(rows[0], width):
        layout = None
    rows = [cells for number, cells in enumerate(rows) if len(cells) == width or number == 0]
    quoted = not plain and (layout is None or layout.quoted)
    start = replace(start, separator=separator, quoted=quoted)
    header = header if layout is None else layout.header
    return _guess_cells(start, rows, header, first_line=skip + 1, width=width, layout=layout)


def _guess_cells(
    start: Start,
    rows: list[list[str]],
    header: bool | None,
    *,
    first_line: int,
    width: int,
    layout: Layout | None = None,
) -> TableGuess:
    """Guess the rest from cells of which the first row may be the header."""
    if not rows:
        raise DataError(f"'{start.name}' is empty: it holds no rows.")
    header = _is_header(rows) if header is None else header
    if header and len(rows) == 1:
        raise DataError(f"'{start.name}' has a header only: there are no rows below it.")
    if width < 2:
        raise DataError(
            f"'{start.name}' has one column only, but users and items are two. Is the separator another one?"
        )
    names = _names(rows[0] if header else [], width) if layout is None else layout.names
    body = [cells + [""] * (width - len(cells)) for cells in rows[1 if header else 0 :]]
    guess = _guessed(start, names, body, named=header, layout=layout)
    return replace(guess, header=header, skip_lines=first_line - 1 + header)


def _guessed(
    start: Start, names: Sequence[str], rows: Sequence[Sequence[str]], *, named: bool, layout: Layout | None = None
) -> TableGuess:
    columns = tuple(tuple(row[column] for row in rows) for column in range(len(names)))
    table = layout.table if layout else guess_table_kind(start.name, names if named else [])
    guess = TableGuess(
        **vars(start),
        table=table,
        column_names=tuple(names),
        roles=dict(layout.roles) if layout else guess_roles(table, names, columns, named=named),
        header=named,
        category_flags=layout.flags if layout else (),
        event=layout.event if layout else None,
        preview=pd.DataFrame([list(row) for row in rows[:_PREVIEW_ROWS]], columns=list(names), dtype="str"),
        sample=columns,
    )
    return with_values(guess)


def _is_header(rows: list[list[str]]) -> bool:
    """Return whether the first row names the columns: it has known names, or words above columns of numbers."""
    first, body = rows[0], rows[1:200]
    if not all(cell.strip() for cell in first[:2]) or any(as_number(cell) is not None for cell in first):
        return False
    if any(is_known_name(cell) for cell in first):
        return True
    for column, cell in enumerate(first):
        below = [row[column] for row in body if column < len(row)]
        if (
            below
            and as_number(cell) is None
            and sum(as_number(value) is not None for value in below) >= 0.9 * len(below)
        ):
            return True
    return False


def _names(first: Sequence[str], width: int) -> tuple[str, ...]:
    """Return distinct names for all columns."""
    names: list[str] = []
    for column in range(width):
        given = first[column].strip() if column < len(first) else ""
        name = given or f"column_{column + 1}"
        while name in names:
            name = f"{name}_{column + 1}"
        names.append(name)
    return tuple(names)
