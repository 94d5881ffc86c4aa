"""Read recommended lists from a file: user, item, and rank or score, in most of the forms in which tools write them.

Text with any separator (`::` included), with or without header, TREC runs, Parquet, JSON or Excel. Columns are
found by name. Without a header, two columns are user and item, best first; the third is a rank if it counts from 0 or 1
within each user, in any order but downwards, else a score; six with `Q0` as the second are a TREC run: user, Q0, item,
rank, score, name.

With a header, a column with the number of the fold or time window makes the lists those of several test sets.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, SCORE, USER
from recsys_core.data.ingest import inspect_files
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.reading import NotPlain, Source, open_source
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.sql import connect
from recsys_core.errors import DataError
from recsys_core.text import _

MOST_ROWS = 20_000_000
Order = Literal["rank", "score", "file"]
"""What the order of a list is taken from."""
NAMES: Mapping[str, tuple[str, ...]] = {
    USER: (
        "userid", "user", "uid", "userids", "users", "qid", "queryid", "query", "visitorid", "customerid", "u",
        "userindex", "useridx", "sessionid",
    ),
    ITEM: (
        "itemid", "item", "iid", "itemids", "items", "docid", "docno", "doc", "movieid", "productid", "articleid",
        "artistid", "i", "itemindex", "itemidx",
    ),
    RANK: ("rank", "position", "pos", "place", "ranking"),
    SCORE: (
        "score", "prediction", "predictedrating", "predictedscore", "predictions", "predicted", "pred", "estimate",
        "est", "rating", "relevance", "similarity", "value", "weight", "scores",
    ),
    FOLD: ("fold", "foldid", "foldnumber", "window", "windowid", "windownumber", "testset", "testsetid"),
}  # fmt: skip
"""Names of columns in the order of preference, in lower case and without other characters."""
TREC_MARK = "q0"


@dataclass(frozen=True, eq=False)
class ListTable:
    """The rows of a file of lists.

    Args:
        frame: `user`, `item` (identifiers as text) and `score` (NaN without scores), those of one user best first; and
            `fold`, the number of the test set of each row, if the file has it.
        columns: Name of the column in the file by role.
        order: What the order is taken from.
        unsplit: Number of lines that could not be split into cells.
        without_id: Number of rows without a user or an item.
        unreadable: Number of rows whose rank or score is missing or not a number.
        tied: Number of rows with the rank or score of another row of the same list; they keep the order of the file.
    """

    frame: pd.DataFrame
    columns: Mapping[str, str]
    order: Order
    unsplit: int = 0
    without_id: int = 0
    unreadable: int = 0
    tied: int = 0


def read_list_file(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> ListTable:
    """Read a file of lists.

    Args:
        path: The file.
        limits: Bounds on what is read.

    Raises:
        DataError: The file cannot be read, has no column for user or item, or no usable row.
    """
    with tempfile.TemporaryDirectory(prefix="recscope-list-", ignore_cleanup_errors=True) as temporary:
        guesses = inspect_files([path], limits=limits)
        if len(guesses) != 1:
            raise DataError(
                _("'{path_name}' holds {tables} tables; one is expected.").format(
                    path_name=path.name, tables=len(guesses)
                )
            )
        columns = _columns(path.name, guesses[0])
        try:
            cells, unsplit = _cells(guesses[0], columns, Path(temporary), limits, careful=False)
        except NotPlain:
            cells, unsplit = _cells(guesses[0], columns, Path(temporary), limits, careful=True)
    names = {role: guesses[0].column_names[column] for role, column in columns.items()}
    return _table(path.name, cells, names, unsplit, is_named=_is_named(guesses[0]))


def _columns(name: str, guess: TableGuess) -> dict[str, int]:
    """Return the number of the column of each role."""
    if _is_named(guess):
        return _named(name, guess.column_names)
    width = len(guess.column_names)
    marks = {cell.strip().lower() for cell in guess.sample[1]} if width == 6 and len(guess.sample) > 1 else set()
    if marks == {TREC_MARK}:
        return {USER: 0, ITEM: 2, RANK: 3, SCORE: 4}
    if width in (2, 3):
        return dict(zip((USER, ITEM, SCORE), range(width), strict=False))
    raise DataError(
        _(
            "'{name}' has {width} columns and no header, so it is not clear which is which. Add "
            "a header with user_id, item_id and rank or score, or upload two or three columns in "
            "this order, or a TREC run."
        ).format(name=name, width=width)
    )


def _is_named(guess: TableGuess) -> bool:
    return guess.header or guess.format == "parquet"


def _named(name: str, columns: Sequence[str]) -> dict[str, int]:
    plain = [re.sub(r"[^a-z0-9]", "", column.lower()) for column in columns]
    found: dict[str, int] = {}
    for role, words in NAMES.items():
        places = [plain.index(word) for word in words if word in plain]
        if free := [place for place in places if place not in found.values()]:
            found[role] = free[0]
    for role in (USER, ITEM):
        if role not in found:
            raise DataError(
                _(
                    "'{name}' has no column for the {role}: it has {columns}. Name the columns user_id, "
                    "item_id and rank or score."
                ).format(name=name, role=role, columns=", ".join(columns))
            )
    return found


def _cells(
    guess: TableGuess, columns: Mapping[str, int], folder: Path, limits: Limits, *, careful: bool
) -> tuple[pd.DataFrame, int]:
    """Return the cells of all roles, as text or numbers, in the order of the file; and the number of unsplit lines."""
    source: Source = open_source(guess, folder, limits, careful=careful)
    chosen = []
    for role, column in columns.items():
        cell = f"trim(c{column})"
        number = f"coalesce(try_cast({cell} AS DOUBLE), try_cast(replace({cell}, ',', '.') AS DOUBLE))"
        chosen.append(f"{cell if role in (USER, ITEM) else number} AS {role}")
    query = f"SELECT {', '.join(chosen)} FROM {source.relation} LIMIT {MOST_ROWS + 1}"
    try:
        with connect(folder) as connection:
            frame = connection.execute(query).df()
            source.settle(connection, len(frame))
    except duckdb.Error as error:
        raise DataError(
            _("'{guess_name}' cannot be read: {splitlines}").format(
                guess_name=guess.name, splitlines=str(error).splitlines()[0]
            )
        ) from error
    if len(frame) > MOST_ROWS:
        raise DataError(
            _("'{guess_name}' has more than {most_rows:,} rows; keep the best items of each list only.").format(
                guess_name=guess.name, most_rows=MOST_ROWS
            )
        )
    return frame, source.unsplit


def _table(name: str, cells: pd.DataFrame, columns: Mapping[str, str], unsplit: int, *, is_named: bool) -> ListTable:
    if cells.empty and unsplit:
        raise DataError(
            _(
                "None of the rows of '{name}' could be read ({unsplit:,}): their cells do not fit the header, or their "
                "bytes are invalid in the encoding. Save the file as UTF-8."
            ).format(name=name, unsplit=unsplit)
        )
    cells[[USER, ITEM]] = cells[[USER, ITEM]].fillna("")
    named = (cells[USER] != "") & (cells[ITEM] != "")
    rows = cells[named]
    if FOLD in rows and not (np.isfinite(rows[FOLD]) & (rows[FOLD] % 1 == 0)).all():
        raise DataError(
            _("'{name}' has rows whose '{column}' is not a whole number, so their test set is unknown.").format(
                name=name, column=columns[FOLD]
            )
        )
    if RANK not in rows and SCORE in rows and (_counts_up(rows) if is_named else _are_places(rows)):
        rows = rows.rename(columns={SCORE: RANK})
        columns = {RANK if role == SCORE else role: column for role, column in columns.items()}
    order, unreadable = _order(rows), 0
    if order != "file":
        usable = np.isfinite(rows[order])
        unreadable, rows = int((~usable).sum()), rows[usable]
    if rows.empty:
        raise DataError(
            _("'{name}' has no usable row: each needs a user, an item, and a number as rank or score.").format(
                name=name
            )
        )
    keys = [np.arange(len(rows)), pd.factorize(rows[USER])[0]]
    if order != "file":
        keys.insert(1, rows[RANK].to_numpy() if order == "rank" else -rows[SCORE].to_numpy())
    rows = rows.iloc[np.lexsort(keys)]
    scores = rows[SCORE].to_numpy(np.float64) if SCORE in rows else np.full(len(rows), np.nan)
    frame = pd.DataFrame({USER: rows[USER].to_numpy(), ITEM: rows[ITEM].to_numpy(), SCORE: scores})
    if FOLD in rows:
        frame[FOLD] = rows[FOLD].to_numpy(np.int64)
    tied = 0 if order == "file" else int(rows.duplicated([*_owner(rows), order], keep=False).sum())
    return ListTable(frame, columns, order, unsplit, int((~named).sum()), unreadable, tied)


def _owner(rows: pd.DataFrame) -> list[str]:
    """Return the columns that name one list."""
    return [USER, FOLD] if FOLD in rows else [USER]


def _order(rows: pd.DataFrame) -> Order:
    """Return what the order of the lists is taken from: ranks, unless they are the same for several items of a user."""
    if RANK in rows and (SCORE not in rows or not rows[rows[RANK].notna()].duplicated([*_owner(rows), RANK]).any()):
        return "rank"
    return "score" if SCORE in rows else "file"


def _counts_up(rows: pd.DataFrame) -> bool:
    """Return whether the numbers of each user are n, n + 1, n + 2, ... in the order of the file, with n 0 or 1."""
    groups = rows.groupby(_owner(rows), sort=False)[SCORE]
    places = groups.cumcount()
    first = rows[SCORE] - places
    return bool((places > 0).any() and first.isin([0.0, 1.0]).all() and (groups.transform("first") == first).all())


def _are_places(rows: pd.DataFrame) -> bool:
    """Return whether the numbers of each user are n, n + 1, n + 2, ... with n 0 or 1, in any order but downwards.

    Numbers that count down are points for places, where the file has the best item first.
    """
    groups = rows.groupby(_owner(rows), sort=False)[SCORE]
    first = groups.transform("min")
    fit = first.isin([0.0, 1.0]) & (rows[SCORE] == first + groups.rank(method="first") - 1)
    steps = groups.diff().dropna()
    return bool(fit.all() and len(steps) and not (steps == -1).all())
