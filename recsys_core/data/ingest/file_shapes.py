"""Files that are not one row an interaction: matrices, adjacency lists, and MatrixMarket files."""

from collections import Counter
from collections.abc import Sequence

from recsys_core.data.ingest.column_names import is_known_name
from recsys_core.data.ingest.numeric_text import as_number
from recsys_core.errors import DataError

MATRIX_MARKET = "%%MatrixMarket"
MATRIX_MARKET_NAMES = ("row", "column", "value")
_FEWEST_COLUMNS = 15
_FEWEST_LINES = 5


def matrix_market_start(name: str, lines: Sequence[str]) -> int:
    """Return the place of the first entry of a MatrixMarket file: behind its comments and its line of sizes.

    Raises:
        DataError: The file lists all cells of a matrix instead of the entries that are not zero.
    """
    if "coordinate" not in lines[0].lower():
        raise DataError(
            f"'{name}' is a dense MatrixMarket array; only the form 'coordinate' (row column value) is read."
        )
    place = next((place for place, line in enumerate(lines) if not line.startswith("%")), len(lines))
    return place + 1


def refuse_adjacency_lists(name: str, lines: Sequence[str]) -> None:
    """Refuse files in which each line is a user and all of its items, as LightGCN and NGCF publish them.

    In some of them the number of items stands first instead of the user, as in CiteULike.

    Raises:
        DataError: The file is such a list.
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
                f"'{name}' holds adjacency lists: each line is a user followed by all of its items. "
                "Write one row an interaction (user, item) instead."
            )


def refuse_matrix(name: str, names: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
    """Refuse files with a row a user and a column an item.

    Args:
        name: Of the file.
        names: Heads of the columns, none if the file has no header.
        columns: Sample values of each column.

    Raises:
        DataError: The file is such a matrix.
    """
    if len(columns) < _FEWEST_COLUMNS or any(is_known_name(head) for head in names[1:]):
        return
    numeric = [_is_numeric(values) for values in columns[1:]]
    if sum(numeric) >= 0.95 * len(numeric):
        raise DataError(
            f"'{name}' looks like a matrix of ratings: {len(columns):,} columns of numbers, one row a user and one "
            "column an item. Write one row an interaction (user, item, rating) instead."
        )


def _is_numeric(values: Sequence[str]) -> bool:
    given = [value for value in values[:300] if value.strip()]
    return sum(as_number(value) is not None for value in given) >= 0.95 * len(given)
