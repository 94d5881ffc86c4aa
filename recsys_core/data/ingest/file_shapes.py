"""Files without one row per interaction (matrices, lists, blocks of fields), and MatrixMarket and ARFF files."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from recsys_core.data.ingest.column_names import is_known_name
from recsys_core.data.ingest.number_formats import as_number
from recsys_core.errors import DataError
from recsys_core.text import _

MATRIX_MARKET = "%%MatrixMarket"
MATRIX_MARKET_NAMES = ("row", "column", "value")
ARFF = re.compile(r"\s*@relation\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\s*@attribute\s+(?:["']([^"']+)["']|(\S+))""", re.IGNORECASE)
_SECTION = re.compile(r"\s*[^\s,;|:]{1,40}:\s*")
_SPARSE = re.compile(r"[-+]?[\d.]+(\s+\d+:[-+.\deE]+)+\s*")
_FIELD = re.compile(r"\s*([A-Za-z][\w/. -]{0,40}):(?=\s|$)")
_MOST_FLAGS = 3
_FEWEST_COLUMNS = 15
_FEWEST_LINES = 5
_FEWEST_OF_SCALE, _MOST_OF_SCALE = 6, 11
"""Fewest columns of a small matrix, and most distinct ratings in it."""


def matrix_market_start(name: str, lines: Sequence[str]) -> int:
    """Return the index of the first entry line of a MatrixMarket file, after comments and the size line.

    Raises:
        DataError: The file is a dense array instead of a list of non-zero entries.
    """
    if "coordinate" not in lines[0].lower():
        raise DataError(
            _(
                "'{name}' is a dense MatrixMarket array; only the 'coordinate' format (row column value) is supported."
            ).format(name=name)
        )
    place = next((place for place, line in enumerate(lines) if not line.startswith("%")), len(lines))
    return place + 1


def is_one_document(lines: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether lines that begin with a brace are one JSON document instead of one object per line.

    Args:
        lines: The first lines of the file.
        rows: Cells of the lines that are objects.
    """
    if not rows:
        return lines[0].rstrip().endswith(("{", "["))
    nested = [cell for cell in rows[0] if cell.startswith(("{", "[{", "[["))]
    return len(lines) == 1 and (bool(nested) or sum("|" in cell for cell in rows[0]) > 1)


def refuse_adjacency_lists(name: str, lines: Sequence[str]) -> None:
    """Refuse files in which each line is a user followed by all items, as published with LightGCN and NGCF.

    Some, such as CiteULike, begin each line with the number of items instead of the user.

    Raises:
        DataError: The file holds adjacency lists.
    """
    for separator in (None, ",", "\t"):
        rows = [line.split(separator) for line in lines[:2000]]
        widths = Counter(map(len, rows))
        firsts = [row[0] for row in rows]
        varied = len(widths) >= 4 and widths.most_common(1)[0][1] < 0.5 * len(rows)
        plain = sum(all(cell.strip().isalnum() and len(cell) < 20 for cell in row) for row in rows)
        digits = sum(cell.strip().isdigit() for row in rows for cell in row) / sum(map(len, rows))
        counted = sum(row[0].strip() == str(len(row) - 1) for row in rows) >= 0.95 * len(rows)
        apart = len(set(firsts)) == len(firsts) or counted
        if len(rows) >= _FEWEST_LINES and varied and apart and plain >= 0.95 * len(rows) and digits > 0.5:
            raise DataError(
                _(
                    "'{name}' contains adjacency lists: each line is a user followed by all of its "
                    "items. Convert it to one row per interaction (user, item)."
                ).format(name=name)
            )


def refuse_blocks(name: str, lines: Sequence[str]) -> None:
    """Refuse files whose interactions are spread over several lines, and sparse feature vectors.

    Netflix Prize files name an item in a line such as `1:` above its ratings; review corpora such as RateBeer have a
    line for each field of a review; LIBSVM files have a label and `index:value` pairs.

    Raises:
        DataError: The file has one of these shapes.
    """
    some = lines[:2000]
    titles = [line for line in some if _SECTION.fullmatch(line)]
    if _SECTION.fullmatch(some[0]) and 1 < len(titles) < len(some) / 2:
        raise DataError(
            _(
                "'{name}' has sections: a line such as '{line}' applies to all lines below it, as in the Netflix Prize "
                "files. Write its value into each of these rows."
            ).format(name=name, line=titles[0].strip())
        )
    if len(some) >= _FEWEST_LINES and sum(map(bool, map(_SPARSE.fullmatch, some))) >= 0.95 * len(some):
        raise DataError(
            _(
                "'{name}' is in LIBSVM format: a label, then index:value pairs. Convert it to one row per interaction "
                "(user, item)."
            ).format(name=name)
        )
    if _are_fields([match[1] for line in some if (match := _FIELD.match(line))], len(some)):
        raise DataError(
            _(
                "'{name}' has one line per field, such as '{line}', instead of one row per interaction. Convert it to "
                "a table with a column for each field."
            ).format(name=name, line=some[0].strip()[:60])
        )


def _are_fields(names: Sequence[str], lines: int) -> bool:
    """Return whether the first words of most lines repeat in blocks, as the names of fields do."""
    starts = [place for place, name in enumerate(names) if name == names[0]]
    if len(names) < 0.8 * lines or len(starts) < 3:
        return False
    blocks = Counter(tuple(names[start:end]) for start, end in pairwise(starts))
    usual, count = blocks.most_common(1)[0]
    return 1 < len(usual) == len(set(usual)) and count >= 0.5 * len(starts)


def refuse_fixed_width(name: str, lines: Sequence[str]) -> None:
    """Refuse files with columns of fixed width whose cells contain spaces.

    Raises:
        DataError: The words of the first line begin below each other, but the other lines have more words.
    """
    head, below = lines[0], lines[1:200]
    begins = [match.start() for match in re.finditer(r"\S+", head)]
    aligned = [line for line in below if all(line[place - 1 : place] in {"", " "} for place in begins[1:])]
    spaced = [line for line in aligned if len(line.split()) > len(begins)]
    padded = sum("  " in line.strip() for line in below) > 0.95 * len(below)
    if padded and len(begins) > 1 and len(below) >= _FEWEST_LINES and len(spaced) > 0.95 * len(below):
        raise DataError(
            _(
                "'{name}' has columns of fixed width, and spaces within its cells, such as '{cell}'. Save it as CSV, "
                "TSV, Parquet or Excel."
            ).format(name=name, cell=_spaced_cell(spaced[0], begins))
        )


def _spaced_cell(line: str, begins: Sequence[int]) -> str:
    """Return the first cell with a space in it, given where the columns begin."""
    cells = [line[start:end].strip()[:40] for start, end in pairwise([*begins, len(line)])]
    return next((cell for cell in cells if " " in cell), cells[0])


def arff_start(name: str, lines: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Return the index of the first data line of an ARFF file, and the names of its columns.

    Raises:
        DataError: The file is sparse, or has no data.
    """
    place = next((place for place, line in enumerate(lines) if line.strip().lower() == "@data"), len(lines)) + 1
    names = [match[1] or match[2] for line in lines[:place] if (match := _ATTRIBUTE.match(line))]
    if place >= len(lines):
        raise DataError(_("'{name}' is an ARFF file without data.").format(name=name))
    if lines[place].lstrip().startswith("{"):
        raise DataError(_("'{name}' is a sparse ARFF file; save it as CSV.").format(name=name))
    return place, tuple(names)


def refuse_flags(name: str, columns: Sequence[Sequence[str]]) -> None:
    """Refuse files with one row per user and one column per item that says whether the user has the item.

    Raises:
        DataError: Most columns share the same two or three values.
    """
    values = [frozenset(value.strip() for value in column) for column in columns]
    usual = Counter(found for found in values if 1 < len(found) <= _MOST_FLAGS).most_common(1)
    shared = usual[0][0] if usual else frozenset()
    count = sum(found <= shared for found in values)
    if count >= _FEWEST_COLUMNS and count > len(columns) / 2:
        raise DataError(
            _(
                "'{name}' looks like a user-item matrix: {count:,} columns hold only {values}, as with one column per "
                "item. Convert it to one row per interaction (user, item)."
            ).format(name=name, count=count, values=", ".join(f"'{value}'" for value in sorted(shared)))
        )


def is_pivot(columns: Sequence[Sequence[str]]) -> bool:
    """Return whether nearly all columns after the first hold numbers, as with one column per item or month."""
    numeric = sum(map(_is_numeric, columns[1:]))
    return len(columns) > _FEWEST_OF_SCALE and numeric >= 0.8 * (len(columns) - 1)


def refuse_matrix(name: str, names: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """Refuse files with one row per user and one column per item.

    Args:
        name: Name of the file.
        names: Column names, empty if the file has no header.
        columns: Sample values of each column.

    Raises:
        DataError: The file is a user-item matrix.
    """
    heads = {re.sub(r"\d+", "", head) for head in names[1:]}
    if len(heads) != 1 and any(is_known_name(head) for head in names[1:]):
        return
    if len(columns) < _FEWEST_COLUMNS and not (names and _is_small_matrix(columns)):
        return
    numeric = [_is_numeric(values) for values in columns[1:]]
    if sum(numeric) >= 0.95 * len(numeric):
        raise DataError(
            _(
                "'{name}' looks like a user-item matrix: {n_columns:,} numeric columns, one row per "
                "user and one column per item. Convert it to one row per interaction (user, item, "
                "rating)."
            ).format(name=name, n_columns=len(columns))
        )


def _is_small_matrix(columns: Sequence[Sequence[str]]) -> bool:
    """Return whether each row has a name of its own, and all other columns share a few values, as ratings do."""
    values = [{value.strip() for value in column} - {""} for column in columns[1:]]
    alike = set.intersection(*values) if values else set()
    return (
        len(columns) >= _FEWEST_OF_SCALE
        and len(set(columns[0])) == len(columns[0]) >= _FEWEST_LINES
        and 2 < len(set.union(*values)) <= _MOST_OF_SCALE
        and len(alike) > 1
    )


def _is_numeric(values: Sequence[str]) -> bool:
    given = [value for value in values[:300] if value.strip()]
    return sum(as_number(value) is not None for value in given) >= 0.95 * len(given)
