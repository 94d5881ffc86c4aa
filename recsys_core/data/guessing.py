"""How a file is to be read: guessed from a sample, shown to the person, changed by them, and only then used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import duckdb
import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM_ID, RATING, TIMESTAMP, USER_ID
from recsys_core.contracts import RatingScale
from recsys_core.data.layouts import Layout, layout_of
from recsys_core.data.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.records import split_cells
from recsys_core.data.roles import (
    REQUIRED,
    ROLES,
    as_number,
    guess_roles,
    guess_scale,
    guess_table_kind,
    is_known_name,
)
from recsys_core.data.sampling import (
    excel_rows,
    guess_separator,
    most_common_width,
    sample_json_lines,
    sample_text,
)
from recsys_core.data.sql import parquet_names, parquet_relation
from recsys_core.data.timestamps import UNITS, guess_unit
from recsys_core.errors import DataError

Format = Literal["text", "parquet", "jsonl", "excel"]
_PREVIEW_ROWS = 20
_REREAD = frozenset(["separator", "encoding", "header", "layout"])


@dataclass(frozen=True, eq=False)
class TableGuess:
    """How one file is to be read.

    Args:
        path: The file, unpacked.
        name: What the person knows it by, such as `ml-100k.zip/u.data`.
        format: text (CSV and its kin), parquet, jsonl or excel.
        table: interactions, users, items, social, or `ignored`.
        column_names: Names of all columns, from the header or `column_1`, ...
        roles: Column number of each role; the names of roles are those of `columns`.
        separator: Between cells of a text; one space stands for any run of white space.
        encoding: Of a text.
        header: Whether the first record names the columns.
        skip_lines: Number of physical lines before the data.
        quoted: Whether double quotes enclose cells.
        old_mac: Whether lines end in carriage returns alone.
        decimal_comma: Whether ratings are written with a decimal comma.
        rating_scale: Scale that people most likely rated on.
        timestamp_unit: One of `timestamps.UNITS`.
        event: Kind of event of all rows of this file; None for ratings, or if a column tells it.
        event_weight: Weight of each of them.
        category_flags: Columns of 0 and 1 that together are an item's categories.
        whole_numbers: Whether both identifiers look like whole numbers written in the usual way.
        preview: The first rows as text.
        sample: Sample values of each column.
        keeper: What keeps the unpacked file on disk while this guess is in use.
    """

    path: Path
    name: str
    format: Format
    table: str
    column_names: tuple[str, ...]
    roles: Mapping[str, int]
    separator: str = ","
    encoding: str = "utf-8"
    header: bool = False
    skip_lines: int = 0
    quoted: bool = True
    old_mac: bool = False
    decimal_comma: bool = False
    rating_scale: RatingScale | None = None
    timestamp_unit: str | None = None
    event: str | None = None
    event_weight: float = 1.0
    category_flags: tuple[str, ...] = ()
    whole_numbers: bool = False
    preview: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    sample: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    keeper: object = field(default=None, repr=False)

    def with_changes(self, **changes: Any) -> "TableGuess":
        """Return the guess with what the person changed; what depends on it is guessed again.

        `roles` maps a role to the number or the name of a column, None to take the role away; roles not named stay.

        Raises:
            DataError: A column, role or table that does not exist.
        """
        if _REREAD & changes.keys():
            how = {name: changes.pop(name, getattr(self, name)) for name in ("separator", "encoding", "header")}
            kept = {"table": self.table, "event": self.event, "event_weight": self.event_weight, "keeper": self.keeper}
            guess = replace(guess_table(self.path, name=self.name, **how), **kept)
            return guess.with_changes(**changes) if changes else guess.with_changes(table=self.table)
        guess = self
        if (table := changes.pop("table", None)) is not None:
            if table not in ROLES:
                raise DataError(f"There is no table '{table}'. Known: {', '.join(ROLES)}.")
            roles = guess_roles(table, self.column_names, self.sample, named=self.header or self.format != "text")
            guess = replace(guess, table=table, roles=roles)
        if (roles := changes.pop("roles", None)) is not None:
            guess = replace(guess, roles=guess._changed_roles(roles))
        if unknown := changes.keys() - {
            "timestamp_unit",
            "rating_scale",
            "event",
            "event_weight",
            "decimal_comma",
            "name",
            "quoted",
        }:
            raise DataError(f"Of a guess one cannot change '{min(unknown)}'.")
        if changes.get("timestamp_unit") not in {None, *UNITS}:
            raise DataError(f"There is no unit of time '{changes['timestamp_unit']}'. Known: {', '.join(UNITS)}.")
        guess = replace(_with_values(guess), **changes)
        return guess

    def column_of(self, role: str) -> str:
        """Return the name of the column that has a role, empty if none has."""
        return self.column_names[self.roles[role]] if role in self.roles else ""

    def to_json(self) -> dict[str, Any]:
        """Return what was guessed as plain values, as a report shows it."""
        scale = self.rating_scale
        return {
            "format": self.format,
            "table": self.table,
            "separator": self.separator if self.format == "text" else None,
            "encoding": self.encoding if self.format in {"text", "jsonl"} else None,
            "header": self.header,
            "columns": {role: self.column_names[column] for role, column in self.roles.items()},
            "rating_scale": None if scale is None else [scale.low, scale.high],
            "timestamp_unit": self.timestamp_unit,
            "event": self.event,
            "event_weight": self.event_weight,
        }

    def _changed_roles(self, wanted: Mapping[str, int | str | None]) -> dict[str, int]:
        roles = dict(self.roles)
        for role, column in wanted.items():
            if role not in ROLES[self.table]:
                raise DataError(
                    f"A column of '{self.table}' cannot be '{role}'. Known: {', '.join(ROLES[self.table])}."
                )
            roles.pop(role, None)
            if column is not None:
                roles[role] = self._column_number(column)
        taken: dict[int, str] = {}
        for role in [*(role for role in roles if role not in wanted), *(role for role in wanted if role in roles)]:
            if (other := taken.pop(roles[role], None)) is not None and other not in wanted:
                roles.pop(other)
            taken[roles[role]] = role
        return roles

    def _column_number(self, column: int | str) -> int:
        if isinstance(column, str) and column in self.column_names:
            return self.column_names.index(column)
        number = int(column) if str(column).isdigit() else -1
        if not 0 <= number < len(self.column_names):
            raise DataError(f"'{self.name}' has no column '{column}'. It has: {', '.join(self.column_names[:20])}.")
        return number


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
        raise DataError(f"There is no file '{name}'.")
    kind = _format(path, name)
    if kind == "parquet":
        return _guess_parquet(path, name)
    if kind == "excel":
        rows = list(excel_rows(path, limits))
        return _guess_cells(
            path, name, "excel", [cells for _, cells in rows], header, first_line=rows[0][0] if rows else 1
        )
    sample = sample_text(path, limits, encoding)
    if sample.lines[0].lstrip().startswith("{"):
        names, rows_of_text = sample_json_lines(sample.lines)
        if not names:
            raise DataError(f"'{name}' begins like JSON lines, but no line is a JSON object.")
        guess = _guessed(path, name, "jsonl", names, rows_of_text, named=True)
        return replace(guess, encoding=sample.encoding, old_mac=sample.old_mac)
    if sample.lines[0].lstrip().startswith("[") and separator is None:
        raise DataError(f"'{name}' looks like one JSON document; save it as JSON lines, one object a line.")
    return _guess_text(path, name, sample, separator or (layout.separator if layout else None), header, layout, limits)


def suggested_columns(table: str) -> tuple[str, ...]:
    """Return the roles that a column of this table can have, for a picker."""
    return ROLES[table]


def missing_roles(guess: TableGuess) -> list[str]:
    """Return the roles without which this table cannot be read and that no column has."""
    return [role for role in REQUIRED[guess.table] if role not in guess.roles]


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
        rows = duckdb.sql(f"SELECT {cells} FROM {parquet_relation(path)} LIMIT 5000").fetchall()
    except duckdb.Error as error:
        raise DataError(f"'{name}' cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if not rows:
        raise DataError(f"'{name}' has columns but no rows.")
    return _guessed(path, name, "parquet", names, rows, named=True)


def _guess_text(
    path: Path,
    name: str,
    sample: Any,
    separator: str | None,
    header: bool | None,
    layout: Layout | None,
    limits: Limits,
) -> TableGuess:
    lines = sample.lines
    skip = sample.first_line - 1
    if lines[0].lower().startswith("sep=") and len(lines[0]) <= 6:
        separator = separator or lines[0][4:] or None
        lines, skip = lines[1:], skip + 1
    if not lines:
        raise DataError(f"'{name}' is empty: it holds no lines.")
    separator = separator or guess_separator(lines[1:] or lines)
    width = most_common_width(lines[1:] or lines, separator)
    if width > limits.columns:
        raise DataError(f"'{name}' has {width:,} columns; at most {limits.columns:,} are read.")
    layout = layout or layout_of(name, separator, width)
    quoted = (
        layout.quoted if layout else separator not in {"::", " "} or any(line.startswith('"') for line in lines[:50])
    )
    rows = [cells for line in lines if isinstance(cells := split_cells(line, separator, quoted=quoted), list)]
    rows = [cells for number, cells in enumerate(rows) if len(cells) == width or number == 0]
    if layout is not None and header is None:
        header = layout.header
    guess = _guess_cells(path, name, "text", rows, header, first_line=skip + 1, layout=layout, width=width)
    return replace(guess, separator=separator, encoding=sample.encoding, old_mac=sample.old_mac, quoted=quoted)


def _guess_cells(
    path: Path,
    name: str,
    kind: Format,
    rows: list[list[str]],
    header: bool | None,
    *,
    first_line: int,
    layout: Layout | None = None,
    width: int = 0,
) -> TableGuess:
    """Guess the rest from cells of which the first row may be the header."""
    if not rows:
        raise DataError(f"'{name}' is empty: it holds no rows.")
    width = width or max(map(len, rows))
    header = _is_header(rows) if header is None else header
    if header and len(rows) == 1:
        raise DataError(f"'{name}' has a header only: there are no rows below it.")
    names = _names(rows[0] if header else [], width) if layout is None else layout.names
    body = [cells + [""] * (width - len(cells)) for cells in rows[1 if header else 0 :]]
    if width < 2:
        raise DataError(
            f"'{name}' has one column only; a table of interactions needs users and items. Is the separator another one?"
        )
    guess = _guessed(path, name, kind, names, body, named=header, layout=layout)
    return replace(guess, header=header, skip_lines=first_line - 1 + header)


def _guessed(
    path: Path,
    name: str,
    kind: Format,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    named: bool,
    layout: Layout | None = None,
) -> TableGuess:
    columns = tuple(tuple(row[column] for row in rows) for column in range(len(names)))
    table = layout.table if layout else guess_table_kind(name, names if named else [])
    roles = dict(layout.roles) if layout else guess_roles(table, names, columns, named=named)
    guess = TableGuess(
        path=path,
        name=name,
        format=kind,
        table=table,
        column_names=tuple(names),
        roles=roles,
        header=named,
        category_flags=layout.flags if layout else (),
        event=layout.event if layout else None,
        preview=pd.DataFrame([list(row) for row in rows[:_PREVIEW_ROWS]], columns=list(names), dtype="str"),
        sample=columns,
    )
    return _with_values(guess)


def _with_values(guess: TableGuess) -> TableGuess:
    """Return the guess with scale, unit, decimal comma and kind of identifiers guessed from the columns that have those roles."""
    values = {role: guess.sample[column] for role, column in guess.roles.items() if column < len(guess.sample)}
    unit = guess_unit(list(values[TIMESTAMP][:2000])) if TIMESTAMP in values else None
    roles = {role: column for role, column in guess.roles.items() if role != TIMESTAMP or unit is not None}
    ratings = [number for value in values.get(RATING, ()) if (number := as_number(value)) is not None]
    comma = sum("," in value for value in values.get(RATING, ()))
    ids = [*values.get(USER_ID, ()), *values.get(ITEM_ID, ())]
    return replace(
        guess,
        roles=roles,
        rating_scale=guess_scale(ratings) if RATING in guess.roles else None,
        timestamp_unit=unit,
        decimal_comma=comma > 0 and guess.separator != ",",
        whole_numbers=guess.table == INTERACTIONS
        and bool(ids)
        and all(_is_whole_number(value) for value in ids if value),
    )


def _is_whole_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 9 and str(int(value)) == value


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
