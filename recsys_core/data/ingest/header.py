"""Find where the table starts in a file, and whether its first row is a header.

A row counts as a header if it differs from the rows below it: text above numbers or dates, a unique value above
repeated ones, a different shape, or words typical of column names. Lines above the header (titles, notes, comments)
are skipped and reported.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from recsys_core.data.ingest.column_cells import signature
from recsys_core.data.ingest.column_names import evidence_of_name, is_known_name
from recsys_core.data.ingest.number_formats import as_number
from recsys_core.data.ingest.timestamps import guess_unit

_LOOKED_AT = 30
"""Number of leading rows searched for the header."""
_BODY = 400
_MOSTLY = 0.9
_COMMENT = re.compile(r"\s*(#|%|//|--\s|;)")
_ENOUGH = 1.0


@dataclass(frozen=True)
class Head:
    """Where a table begins.

    Args:
        above: Number of rows above the header, or above the first data row.
        named: Whether the next row is a header.
        cells: The header without a comment mark; empty if there is none.
    """

    above: int
    named: bool
    cells: tuple[str, ...] = ()


def find_head(rows: Sequence[Sequence[str]], width: int, *, named: bool | None = None) -> Head:
    """Return where the table begins.

    Args:
        rows: The first rows of the file, of any width.
        width: Number of cells that most rows have.
        named: Whether there is a header, None if unknown.
    """
    first = _first_of_table(rows, width)
    if named is False:
        return Head(first, named=False)
    looked_at = range(len(rows)) if named is None else [first]
    for place in list(looked_at)[:_LOOKED_AT]:
        below = rows[place + 1 :]
        marked = not _goes_on(below, (*rows[place], "")[0])
        cells = _candidate(rows[place], width, marked=marked, row_names=_has_row_names(below, width))
        if cells is None and (spare := _empty_columns(below, width)):
            cells = _candidate([*rows[place], *[""] * spare], width, marked=marked, row_names=False)
        if cells is not None:
            body = [row for row in below if len(row) == width][:_BODY]
            alone = not below and all(is_known_name(cell) for cell in cells)
            if named or alone or (body and header_score(cells, body) > _ENOUGH):
                return Head(place, named=True, cells=cells)
        if place >= first and len(rows[place]) == width:
            break
    if named:
        return Head(first, named=True, cells=tuple(cell.strip() for cell in rows[first]) if rows else ())
    return Head(first, named=False)


def _candidate(row: Sequence[str], width: int, *, marked: bool, row_names: bool) -> tuple[str, ...] | None:
    """Return the cells of a row that could be the header of a table of this width, else None.

    Args:
        row: The row.
        width: Number of columns of the table.
        marked: Whether the row may begin with a comment mark.
        row_names: Whether the first column may hold row names, which have no column name.
    """
    cells = [cell.strip() for cell in row]
    comment = bool(cells) and marked and bool(_COMMENT.match(cells[0]))
    if comment:
        cells[0] = _COMMENT.sub("", cells[0], count=1).strip()
        cells = cells if cells[0] else cells[1:]
    if comment and not any(map(is_known_name, cells)):
        return None
    if len(cells) == width - 1 and row_names:  # R omits the name of the row-name column
        cells = ["", *cells]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width or sum(map(bool, cells)) < max(2, width // 2):
        return None
    return tuple(cells)


def _first_of_table(rows: Sequence[Sequence[str]], width: int) -> int:
    """Return the number of leading rows that are comments, titles or notes."""
    for place, row in enumerate(rows[:_LOOKED_AT]):
        filled = [cell for cell in row if cell.strip()]
        comment = bool(filled) and bool(_COMMENT.match(filled[0])) and not _goes_on(rows[place + 1 :], filled[0])
        alone = len(filled) <= 1 < width and not (filled and as_number(filled[0]) is not None)
        if not comment and not alone:
            return place
    return 0


def _has_row_names(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether the first cells are all distinct, as row names are."""
    first = [row[0] for row in rows[:_BODY] if len(row) == width]
    return width > 2 and len(first) > 1 and len(set(first)) == len(first)


def _empty_columns(rows: Sequence[Sequence[str]], width: int) -> int:
    """Return the number of columns at the end that are empty in all rows: each row ends in separators."""
    body = [row for row in rows[:_BODY] if len(row) == width]
    filled = [column for row in body for column, cell in enumerate(row) if cell.strip()]
    return width - 1 - max(filled, default=width - 1)


def _goes_on(rows: Sequence[Sequence[str]], cell: str) -> bool:
    """Return whether most rows begin with the same character as this cell, so that it is not a comment mark."""
    some = [row[0] for row in rows[_LOOKED_AT : _LOOKED_AT + 50] or rows if row]
    return sum(value.lstrip()[:1] == cell.lstrip()[:1] for value in some) > len(some) / 2


def header_score(first: Sequence[str], body: Sequence[Sequence[str]]) -> float:
    """Return the evidence that a row is the header of the rows below it; above 1 it counts as one."""
    if [*first] == [*map(str, range(len(first)))] and any(as_number(cell) is None for row in body for cell in row):
        return _ENOUGH + 1  # pandas numbers unnamed columns
    repeated = [row for row in body if [*map(str.strip, row)] == [*first]]
    if repeated and len(repeated) < len(body) / 2 and all(map(is_known_name, first)):
        body = [row for row in body if row not in repeated]  # exports that were joined repeat the header
    score = 0.0
    for column, head in enumerate(first):
        below = [cell for row in body if (cell := row[column].strip())]
        if head and below:
            score += _of_column(head, below)
    return score


def _of_column(head: str, below: Sequence[str]) -> float:
    known = 3.0 if is_known_name(head) and any(value > 0 for value in evidence_of_name(head).values()) else 0.0
    known = known or (1.5 if is_known_name(head) else 0.0)
    numbers = sum(as_number(value) is not None for value in below)
    if numbers >= _MOSTLY * len(below):
        return -4.0 if as_number(head) is not None else 4.0 + known
    counts = Counter(below)
    if head in counts:
        return -4.0 if counts[head] > 1 or len(below) < 20 else -1.0
    if as_number(head) is not None:
        return -1.0
    if guess_unit(list(below[:100])) is not None:
        return -4.0 if guess_unit([head]) is not None else 4.0 + known
    once = sum(count == 1 for count in counts.values()) / len(below)
    shapes = Counter(map(signature, below))
    alike = shapes[signature(head)] / len(below)
    usual = shapes.most_common(1)[0][1] / len(below)
    unlike = 1.5 if not alike and usual >= 0.8 else -1.0 if alike >= 0.5 and not known else 0.0
    return min(3.0, -log(max(once, 0.02))) * min(1.0, len(below) / 20) + unlike + known
