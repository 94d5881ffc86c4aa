"""Derive item and user tables from interaction files that repeat titles, categories, prices or attributes per row.

Shop exports often carry the item's title and price in each event. These cells become the item and user tables: the
most frequent value per item (the median for prices) is kept, and items with several titles are reported.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, ITEM_ID, ITEMS, PRICE, TITLE, USER_ID, USERS
from recsys_core.data.ingest.column_roles import ITEM_ATTRIBUTE_ROLES
from recsys_core.data.ingest.number_formats import guess_number_format, number_sql
from recsys_core.data.ingest.reading import Source
from recsys_core.data.ingest.side_tables import Members, listed, typed
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.report import DataWarning

_NAMED = 3
"""Number of items with several titles that a report names."""


@dataclass(frozen=True)
class EventAttributes:
    """Item or user attributes derived from one interactions file.

    Args:
        frame: The attributes with a column `position`.
        differing: Identifiers with several titles, each with two of them.
        several: Number of such identifiers.
    """

    frame: pd.DataFrame
    differing: tuple[tuple[str, str, str], ...] = ()
    several: int = 0


def has_event_attributes(guess: TableGuess, table: str) -> bool:
    """Return whether an interactions file has attributes of items, or of users."""
    return bool(_columns(guess, table))


def read_event_attributes(
    connection: duckdb.DuckDBPyConnection, source: Source, table: str, members: Members
) -> EventAttributes:
    """Return the attributes in an interactions file of those items or users that are in the data set.

    Args:
        connection: DuckDB connection that reads the file.
        source: The file, opened for this purpose only.
        table: `items` or `users`.
        members: Identifiers and their positions.
    """
    guess = source.guess
    key = f"trim(c{guess.roles[ITEM_ID if table == ITEMS else USER_ID]}::VARCHAR)"
    found: dict[str, pd.Series] = {}
    differing = pd.DataFrame()
    for column, name in _columns(guess, table):
        frame = connection.execute(_query(source, key, column, name)).df()
        connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        frame = frame[frame["id"].isin(members.positions)].set_index("id")
        found[name] = frame["value"]
        if name == TITLE:
            differing = frame[frame["values"] > 1]
    told = pd.DataFrame(found)
    positions = np.array([members.positions[name] for name in told.index], dtype=np.int64)
    typed_columns = {name: _converted(told[name], name) for name in told.columns}
    frame = pd.DataFrame(typed_columns).reset_index(drop=True)
    frame.insert(0, "position", positions)
    some = differing.head(_NAMED)
    named = tuple(zip(some.index, some["value"], some["other"], strict=True)) if len(some) else ()
    return EventAttributes(frame, named, len(differing))


def title_warnings(told: list[EventAttributes]) -> list[DataWarning]:
    """Return a warning about items with several titles, if there are any."""
    several = sum(part.several for part in told)
    if not several:
        return []
    name, one, other = next(entry for part in told for entry in part.differing)
    return [
        DataWarning(
            "differing_titles",
            several,
            f"{several:,} items have more than one title, such as '{name}': '{one}' and '{other}'.",
            "The most frequent title is kept. If these are different items, check the item column.",
        )
    ]


def _columns(guess: TableGuess, table: str) -> list[tuple[int, str]]:
    """Return the attribute columns of items or users, with attribute names."""
    own = [(guess.roles[role], role) for role in ITEM_ATTRIBUTE_ROLES if role in guess.roles] if table == ITEMS else []
    rest = guess.item_attributes if table == ITEMS else guess.user_attributes if table == USERS else ()
    return own + [(column, guess.column_names[column]) for column in rest]


def _query(source: Source, key: str, column: int, name: str) -> str:
    """Return the query for one value per identifier: the median price, else the most frequent value."""
    cell = f"c{column}"
    if name == PRICE:
        number = number_sql(f"{cell}::VARCHAR", guess_number_format(source.guess.sample[column]), "DOUBLE")
        return (
            f"SELECT id, median(value) AS value, 1 AS values FROM (SELECT {key} AS id, {number} AS value FROM "
            f"{source.relation}) WHERE value IS NOT NULL GROUP BY id ORDER BY id"
        )
    counted = (
        f"SELECT {key} AS id, trim({cell}::VARCHAR) AS value, count(*) AS n FROM {source.relation} "
        f"WHERE trim(coalesce({cell}::VARCHAR, '')) <> '' GROUP BY ALL"
    )
    return (
        f"SELECT id, arg_max(value, (n, value)) AS value, count(*) AS values, "
        f"arg_min(value, (n, value)) AS other FROM ({counted}) GROUP BY id ORDER BY id"
    )


def _converted(values: pd.Series, name: str) -> pd.Series:
    if name == PRICE:
        return values.astype(np.float64)
    text = values.fillna("")
    return listed(text) if name == CATEGORIES else text.where(text != "") if name == TITLE else typed(text)
