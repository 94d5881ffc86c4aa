"""Files without one row per interaction: matrices, adjacency lists, and MatrixMarket files."""

import re
from collections import Counter
from collections.abc import Sequence

from recsys_core.data.ingest.column_names import is_known_name
from recsys_core.data.ingest.number_formats import as_number
from recsys_core.errors import DataError
from recsys_core.text import _

MATRIX_MARKET = "%%MatrixMarket"
MATRIX_MARKET_NAMES = ("row", "column", "value")
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
