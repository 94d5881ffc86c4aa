"""Read logs, lists and values per user, with the readers of uploads: text, Parquet, JSON or Excel."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from recsys_core.data.ingest import inspect_files
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.reading import NotPlain, Source, open_source
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.sql import connect
from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy.log_table import ITEM, NUMBERS, POSITION, USER, LogTable, find_columns
from recsys_core.text import _

MOST_ROWS = 20_000_000


def read_log(path: Path, columns: Mapping[str, str] | None = None, *, limits: Limits = DEFAULT_LIMITS) -> LogTable:
    """Read a log.

    Args:
        path: One file.
        columns: Column by role; by default found by name.
        limits: Bounds on what is read.

    Raises:
        DataError: The file cannot be read, holds several tables, or a role has no column.
    """
    return _read(path, lambda names: find_columns(names, columns), NUMBERS, limits)


def read_lists(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> dict[str, list[str]]:
    """Return the list of each user from a file with `user_id`, `item_id` and `rank`, as `recommend` writes it.

    Raises:
        DataError: The file cannot be read, a column is missing, or a cell is empty or no number.
    """
    roles = (USER, ITEM, POSITION)
    table = _read(path, lambda names: find_columns(names, roles=roles, required=roles), NUMBERS, limits)
    if table.unsplit or table.unreadable or table.frame[POSITION].isna().any():
        raise DataError(
            _("'{path_name}' has rows without user, item or rank; write the lists again.").format(path_name=path.name)
        )
    ordered = table.frame.sort_values([USER, POSITION], kind="stable")
    return {str(user): list(items) for user, items in ordered.groupby(USER, sort=False)[ITEM]}


def read_values(path: Path, columns: Mapping[str, str], *, limits: Limits = DEFAULT_LIMITS) -> pd.DataFrame:
    """Return columns of numbers, one row per user; empty and unreadable cells are NaN.

    Args:
        path: The file.
        columns: Column of the file by name in the result.
        limits: Bounds on what is read.

    Raises:
        DataError: The file cannot be read, or has no such column.
    """

    def chosen(names: Sequence[str]) -> dict[str, str]:
        return find_columns(names, columns, roles=tuple(columns), required=tuple(columns))

    return _read(path, chosen, tuple(columns), limits).frame


def _read(
    path: Path, choose: Callable[[Sequence[str]], dict[str, str]], numbers: Sequence[str], limits: Limits
) -> LogTable:
    with tempfile.TemporaryDirectory(prefix="recscope-log-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        guesses = inspect_files([path], limits=limits)
        if len(guesses) != 1:
            raise DataError(
                _("'{path_name}' holds {tables} tables; one is expected.").format(
                    path_name=path.name, tables=len(guesses)
                )
            )
        guess = guesses[0]
        if not guess.header:
            raise DataError(
                _("'{path_name}' has no header; add one with the names of the columns.").format(path_name=path.name)
            )
        columns = choose(guess.column_names)
        try:
            return _table(guess, columns, numbers, folder, limits, careful=False)
        except NotPlain:
            return _table(guess, columns, numbers, folder, limits, careful=True)


def _table(
    guess: TableGuess,
    columns: Mapping[str, str],
    numbers: Sequence[str],
    folder: Path,
    limits: Limits,
    *,
    careful: bool,
) -> LogTable:
    source = open_source(guess, folder, limits, careful=careful)
    try:
        with connect(folder) as connection:
            frame = _frame(connection, source, columns, numbers)
            source.settle(connection, len(frame))
    except duckdb.Error as error:
        raise DataError(
            _("'{guess_name}' cannot be read: {splitlines}").format(
                guess_name=guess.name, splitlines=str(error).splitlines()[0]
            )
        ) from error
    unreadable = {role: int(frame.pop(f"unreadable_{role}").sum()) for role in columns if role in numbers}
    return LogTable(frame, columns, source.unsplit, {role: count for role, count in unreadable.items() if count})


def _frame(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str], numbers: Sequence[str]
) -> pd.DataFrame:
    cells = []
    for role, name in columns.items():
        cell = f"trim(c{source.guess.column_names.index(name)})"
        if role in numbers:
            number = f"try_cast({cell} AS DOUBLE)"
            cells.append(f"{number} AS {role}")
            cells.append(f"({number} IS NULL AND coalesce({cell}, '') <> '') AS unreadable_{role}")
        else:
            cells.append(f"coalesce({cell}, '') AS {role}")
    query = f"SELECT {', '.join(cells)} FROM {source.relation} LIMIT {MOST_ROWS + 1}"
    frame = connection.execute(query).df()
    if len(frame) > MOST_ROWS:
        raise DataError(
            _("'{guess_name}' has more than {most_rows:,} rows; take a sample of its users.").format(
                guess_name=source.guess.name, most_rows=MOST_ROWS
            )
        )
    return frame
