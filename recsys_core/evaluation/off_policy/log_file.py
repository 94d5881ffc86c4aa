"""Read the log in a file, with the readers of uploads: text, Parquet, JSON Lines or Excel, packed or not."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

from recsys_core.data.ingest import inspect_files
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.reading import NotPlain, Source, open_source
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.sql import connect
from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy.log_table import NUMBERS, LogTable, find_columns

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
    with tempfile.TemporaryDirectory(prefix="recscope-log-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        guesses = inspect_files([path], limits=limits)
        if len(guesses) != 1:
            raise DataError(f"'{path.name}' holds {len(guesses)} tables; a log is one table.")
        guess = guesses[0]
        if not guess.header:
            raise DataError(f"'{path.name}' has no header; name the columns: {', '.join(NUMBERS)}, user, item.")
        found = find_columns(guess.column_names, columns)
        try:
            return _table(guess, found, folder, limits, careful=False)
        except NotPlain:
            return _table(guess, found, folder, limits, careful=True)


def _table(guess: TableGuess, columns: Mapping[str, str], folder: Path, limits: Limits, *, careful: bool) -> LogTable:
    source = open_source(guess, folder, limits, careful=careful)
    try:
        with connect(folder) as connection:
            frame = _frame(connection, source, columns)
            source.settle(connection, len(frame))
    except duckdb.Error as error:
        raise DataError(f"'{guess.name}' cannot be read: {str(error).splitlines()[0]}") from error
    unreadable = {role: int(frame.pop(f"unreadable_{role}").sum()) for role in columns if role in NUMBERS}
    return LogTable(frame, columns, source.unsplit, {role: count for role, count in unreadable.items() if count})


def _frame(connection: duckdb.DuckDBPyConnection, source: Source, columns: Mapping[str, str]) -> pd.DataFrame:
    cells = []
    for role, name in columns.items():
        cell = f"trim(c{source.guess.column_names.index(name)})"
        if role in NUMBERS:
            number = f"try_cast({cell} AS DOUBLE)"
            cells.append(f"{number} AS {role}")
            cells.append(f"({number} IS NULL AND coalesce({cell}, '') <> '') AS unreadable_{role}")
        else:
            cells.append(f"coalesce({cell}, '') AS {role}")
    query = f"SELECT {', '.join(cells)} FROM {source.relation} LIMIT {MOST_ROWS + 1}"
    frame = connection.execute(query).df()
    if len(frame) > MOST_ROWS:
        raise DataError(f"'{source.guess.name}' has more than {MOST_ROWS:,} rows; take a sample of its users.")
    return frame
