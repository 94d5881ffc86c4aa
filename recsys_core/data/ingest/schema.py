"""Infer how to read a file from a sample; the user can review and change the result before it is used."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM_ID, USER_ID
from recsys_core.data.ingest.column_names import bare_head, has_type
from recsys_core.data.ingest.column_roles import SURE_FROM
from recsys_core.data.ingest.file_shapes import (
    ARFF,
    MATRIX_MARKET,
    MATRIX_MARKET_NAMES,
    arff_start,
    is_one_document,
    matrix_market_start,
    refuse_adjacency_lists,
    refuse_blocks,
    refuse_fixed_width,
    refuse_flags,
    refuse_matrix,
)
from recsys_core.data.ingest.header import find_head
from recsys_core.data.ingest.json_arrays import first_elements, is_json_array
from recsys_core.data.ingest.layouts import Layout, layout_of
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.parquet_tables import SAMPLE_CELLS, sample_parquet
from recsys_core.data.ingest.sampling import (
    TextSample,
    excel_sheets,
    guess_separator,
    most_common_width,
    sample_cells,
    sample_json_lines,
    sample_records,
    sample_text,
)
from recsys_core.data.ingest.table_changes import changed, with_roles, with_values
from recsys_core.data.ingest.table_roles import REQUIRED, ROLES, guess_table_kind
from recsys_core.data.ingest.table_schema import Format, TableGuess, missing_roles
from recsys_core.data.report import DataWarning
from recsys_core.errors import DataError
from recsys_core.text import Template, _

_PREVIEW_ROWS = 20
_SAMPLE_ROWS = 20_000
"""Maximum number of sheet rows in a sample."""
_REREAD = frozenset(["separator", "encoding", "header"])
"""Changes that require sampling the file again."""


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
    """Return how a file is most likely to be read; settings that are given are not inferred.

    Args:
        path: An uncompressed file.
        name: Display name; the file's own name by default.
        separator: Cell separator.
        encoding: Text encoding.
        header: Whether there is a header.
        layout: Layout of a published file, if it was recognized.
        limits: Bounds on what is read.

    Raises:
        DataError: The file cannot be read.
    """
    name = name or path.name
    if not path.is_file():
        fault = _("'{name}' is a folder.") if path.is_dir() else _("There is no file '{name}'.")
        raise DataError(fault.format(name=name))
    kind = _format(path, name)
    if kind == "parquet":
        names, cells = sample_parquet(path, name, limits)
        return _guessed(TableGuess(path, name, "parquet"), names, cells, named=True)
    if kind == "excel":
        every, sheets = excel_sheets(path, limits)
        rows = list(_first_rows(every))
        width = max((len(cells) for _, cells in rows), default=0)
        padded = [(number, cells + [""] * (width - len(cells))) for number, cells in rows]
        before = rows[0][0] - 1 if rows else 0
        guess = _guess_cells(TableGuess(path, name, "excel"), padded, header, width=width, before=before)
        return replace(guess, notes=(*_other_sheets(sheets), *guess.notes))
    if kind == "json":
        elements = first_elements(path, name, limits)
        return _guess_json(TableGuess(path, name, "json"), elements, limits)
    sample = sample_text(path, limits, encoding)
    start = TableGuess(path, name, encoding=sample.encoding, old_mac=sample.old_mac)
    if sample.lines[0].lstrip().startswith("{"):
        return _guess_json(replace(start, format="jsonl"), sample.lines, limits)
    if sample.lines[0].lstrip().startswith("[") and separator is None:
        _refuse_document(name)
    given = {"separator": separator or (layout.separator if layout else None), "header": header}
    return _guess_text(start, sample, given, layout=layout, most_columns=limits.columns)


def _guess_json(start: TableGuess, lines: Sequence[str], limits: Limits) -> TableGuess:
    names, rows = sample_json_lines(lines, limits.columns, start.name)
    if is_one_document(lines, rows):
        _refuse_document(start.name)
    if not names:
        raise DataError(_("'{name}' begins like JSON Lines, but no line is a JSON object.").format(name=start.name))
    guess = _guessed(start, names, rows, named=True)
    if guess.table == INTERACTIONS and not missing_roles(guess):
        return guess
    try:
        names, rows = sample_json_lines(lines, limits.columns, start.name, deep=True)
    except DataError:
        return guess
    inner = _guessed(start, names, rows, named=True) if names != guess.column_names else guess
    return inner if inner.table == INTERACTIONS and not missing_roles(inner) else guess


def _refuse_document(name: str) -> NoReturn:
    raise DataError(
        _(
            "'{name}' looks like a single JSON document; save the rows as an array of objects, or as JSON Lines, one "
            "object per line."
        ).format(name=name)
    )


def with_changes(guess: TableGuess, **changes: Any) -> TableGuess:
    """Return the guess with the user's changes; dependent settings are inferred again.

    A new separator, encoding or header requires sampling the file again; all other changes are those of
    `table_changes.changed`.

    Raises:
        DataError: A column, role or table does not exist, or the file cannot be read.
    """
    reread = _REREAD & changes.keys()
    if reread or (changes.get("table") in ROLES and not guess.column_names):
        how = {name: changes.pop(name, getattr(guess, name)) for name in sorted(_REREAD)} if reread else {}
        read = guess_table(guess.path, name=guess.name, **how)
        read = replace(read, keeper=guess.keeper, event=guess.event, event_weight=guess.event_weight)
        return changed(read, **({"table": guess.table} | changes))
    return changed(guess, **changes)


def _format(path: Path, name: str) -> Format:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if not start:
        raise DataError(_("'{name}' is empty.").format(name=name))
    return "json" if is_json_array(path) else "text"


def _first_rows(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Yield the sample rows."""
    cells = 0
    for number, row in islice(rows, _SAMPLE_ROWS):
        yield number, row
        cells += len(row)
        if cells > SAMPLE_CELLS:
            return


def _guess_text(
    start: TableGuess, sample: TextSample, given: Mapping[str, Any], *, layout: Layout | None, most_columns: int
) -> TableGuess:
    separator: str | None = given["separator"]
    lines, numbers = sample.lines, sample.numbers
    if lines[0].lower().startswith("sep=") and len(lines[0]) <= 6:
        separator = separator or lines[0][4:] or None
        lines, numbers = lines[1:], numbers[1:]
    if not lines:
        raise DataError(_("'{start_name}' is empty.").format(start_name=start.name))
    if lines[0].startswith(MATRIX_MARKET):
        first = matrix_market_start(start.name, lines)
        return _guess_matrix_market(replace(start, separator=" "), lines[first:], skip=numbers[first - 1])
    table = next((place for place, line in enumerate(lines) if not line.startswith("%")), 0)
    if ARFF.match(lines[table]):
        return _guess_arff(start, lines, numbers)
    if separator is None:
        refuse_adjacency_lists(start.name, lines)
        refuse_blocks(start.name, lines)
    separator = separator or guess_separator(lines)
    if given["separator"] is None and separator == " ":
        refuse_fixed_width(start.name, lines)
    plain = separator in {"::", " "} and not any(line.startswith('"') for line in lines[:50])
    escape = "\\" if not plain and any('\\"' in line for line in lines) else '"'
    records = sample_records(lines, separator, quoted=not plain, escape=escape)
    width = most_common_width([cells for _, cells in records[1:] or records])
    if width > most_columns:
        raise DataError(
            _("'{start_name}' has {width:,} columns; at most {most_columns:,} are read.").format(
                start_name=start.name, width=width, most_columns=most_columns
            )
        )
    layout = layout or layout_of(start.name, separator, width)
    if layout is not None and not layout.fits(records[0][1], width):
        layout = None
    quoted = not plain and (layout is None or layout.quoted)
    start = replace(start, separator=separator, quoted=quoted, escape=escape)
    numbered = [(numbers[place] if place < len(numbers) else 0, cells) for place, cells in records]
    header: bool | None = given["header"] if layout is None else layout.header
    return _guess_cells(start, numbered, header, width=width, layout=layout, before=numbers[0] - 1)


def _guess_matrix_market(start: TableGuess, lines: Sequence[str], *, skip: int) -> TableGuess:
    rows = sample_cells(lines, " ", quoted=False)
    if not rows:
        raise DataError(_("'{start_name}' is a matrix without entries.").format(start_name=start.name))
    width = most_common_width(rows)
    names = MATRIX_MARKET_NAMES[:width]
    if len(names) != width or width < len(REQUIRED[INTERACTIONS]):
        raise DataError(
            _("'{start_name}' is a MatrixMarket file with {width:,} columns; expected: row, column and value.").format(
                start_name=start.name, width=width
            )
        )
    guess = _guessed(start, names, [row for row in rows if len(row) == width], named=False)
    roles = {role: column for role, column in guess.roles.items() if column == width - 1 > 1}
    roles = {USER_ID: 0, ITEM_ID: 1} | roles
    return with_values(replace(guess, table=INTERACTIONS, roles=roles, skip_lines=skip, questions=(), confidence=1.0))


def _guess_arff(start: TableGuess, lines: Sequence[str], numbers: Sequence[int]) -> TableGuess:
    first, names = arff_start(start.name, lines)
    rows = [row for row in sample_cells(lines[first:], ",") if len(row) == len(names)]
    if not rows or len(names) < len(REQUIRED[INTERACTIONS]):
        raise DataError(
            _("'{start_name}' is an ARFF file with {width:,} attributes that no row has.").format(
                start_name=start.name, width=len(names)
            )
        )
    return replace(_guessed(start, distinct_names(names, len(names)), rows, named=True), skip_lines=numbers[first - 1])


def _guess_cells(
    start: TableGuess,
    records: Sequence[tuple[int, list[str]]],
    header: bool | None,
    *,
    width: int,
    layout: Layout | None = None,
    before: int = 0,
) -> TableGuess:
    """Infer header, columns and roles from records; the first ones may precede the table.

    Args:
        start: Settings known before the columns are inferred.
        records: Number of the last line and cells of each record; only the first records need a number.
        header: Whether there is a header, None if unknown.
        width: Number of columns.
        layout: Layout of a published file.
        before: Number of lines before the first record.
    """
    if not records:
        raise DataError(_("'{start_name}' is empty.").format(start_name=start.name))
    if width < 2:
        raise DataError(
            _("'{start_name}' has a single column, but users and items need two. Check the separator.").format(
                start_name=start.name
            )
        )
    rows = [cells for _, cells in records]
    head = find_head(rows, width, named=header)
    begin = head.above + head.named
    body = [cells for cells in rows[begin:] if len(cells) == width]
    if not body:
        raise DataError(_("'{start_name}' has a header but no rows.").format(start_name=start.name))
    names = distinct_names(head.cells, width) if layout is None else layout.names
    guess = _guessed(start, names, body, named=head.named, layout=layout)
    above = [" ".join(" ".join(cells).split()) for cells in rows[: head.above]]
    skipped = records[begin - 1][0] if begin else before
    notes = _notes(head.cells, above) if layout is None else ()
    return replace(guess, header=head.named, skip_lines=skipped, notes=(*notes, *guess.notes))


def _notes(names: Sequence[str], above: Sequence[str]) -> Iterator[DataWarning]:
    """Yield warnings about repeated column names, and about lines above the header."""
    twice = sorted(name for name, count in Counter(name for name in names if name).items() if count > 1)
    if twice:
        yield DataWarning(
            "duplicate_heads",
            len(twice),
            Template(
                "{count} column name occurs more than once: {names}.",
                "{count} column names occur more than once: {names}.",
            ).fill(len(twice), names=", ".join(twice[:5])),
            Template("Check the roles of these columns; repeated names have the column number appended.").fill(),
        )
    if above:
        yield DataWarning(
            "lines_above_table",
            len(above),
            Template(
                "{count} line above the table is skipped: '{line}'.",
                "{count} lines above the table are skipped; the first is '{line}'.",
            ).fill(len(above), line=above[0][:80]),
            Template(
                "If it is data, set the file to have no header.", "If they are data, set the file to have no header."
            ).fill(len(above)),
        )


def _other_sheets(sheets: Sequence[str]) -> Iterator[DataWarning]:
    """Yield a warning about the sheets of a workbook that are not read."""
    if len(sheets) > 1:
        yield DataWarning(
            "other_sheets",
            len(sheets) - 1,
            Template(
                "Only sheet '{first}' is read; {count} other sheet holds a table as well: {others}.",
                "Only sheet '{first}' is read; {count} other sheets hold tables as well: {others}.",
            ).fill(len(sheets) - 1, first=sheets[0], others=", ".join(sheets[1:6])),
            Template("Save each sheet that belongs to the data as a file of its own, and upload all of them.").fill(),
        )


def _guessed(
    start: TableGuess, names: Sequence[str], rows: Sequence[Sequence[str]], *, named: bool, layout: Layout | None = None
) -> TableGuess:
    columns = tuple(tuple(row[column] for row in rows) for column in range(len(names)))
    table = layout.table if layout else guess_table_kind(start.name, names if named else [], columns)
    guess = replace(
        start,
        table=table,
        column_names=tuple(names),
        roles=dict(layout.roles) if layout else {},
        header=named,
        category_flags=layout.flags if layout else (),
        event=layout.event if layout else None,
        preview=pd.DataFrame([list(row) for row in rows[:_PREVIEW_ROWS]], columns=list(names), dtype="str"),
        sample=columns,
    )
    if layout is None:
        if table == INTERACTIONS:
            refuse_matrix(start.name, names if named else [], columns)
        guess = with_roles(guess)
        if table == INTERACTIONS and named and (guess.confidence < SURE_FROM or ITEM_ID not in guess.roles):
            refuse_flags(start.name, columns)
    return with_values(guess)


def distinct_names(first: Sequence[str], width: int) -> tuple[str, ...]:
    """Return distinct names for all columns, without type suffixes."""
    typed = sum(map(has_type, first)) * 2 > len(first)
    names: list[str] = []
    for column in range(width):
        given = first[column].strip() if column < len(first) else ""
        given = bare_head(given) if typed else given
        name = given or f"column_{column + 1}"
        while name in names:
            name = f"{name}_{column + 1}"
        names.append(name)
    return tuple(names)
