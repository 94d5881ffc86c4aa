"""Side tables: user attributes, item attributes, and social links.

Files of interactions that repeat titles, categories, prices or attributes in each row, as shop exports do, give item
and user tables, too: the most frequent value per item (the median for prices) is kept, and items with several titles
are reported.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pandas as pd

from recsys_core.columns import (
    CATEGORIES,
    ITEM_ID,
    ITEMS,
    LIST_SEPARATOR,
    PRICE,
    SOURCE,
    SOURCE_ID,
    TARGET,
    TARGET_ID,
    TITLE,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.contracts import IntArray
from recsys_core.data.ingest.column_roles import ITEM_ATTRIBUTE_ROLES
from recsys_core.data.ingest.identifiers import NO_IDENTIFIERS, ROUNDED, ROUNDED_REASON, as_known, cleaned
from recsys_core.data.ingest.number_formats import guess_number_format, number_sql, read_number
from recsys_core.data.ingest.reading import Source
from recsys_core.data.ingest.rejected_rows import Book
from recsys_core.data.ingest.rejection_buffer import Rejections
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.report import DataWarning
from recsys_core.text import Template, later

_LINE = "line"
_NAMED = 3
"""Number of items with several titles that a report names."""
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Members:
    """User or item identifiers while tables are read: those of the interactions first, then those that tables add.

    Args:
        ids: Identifiers by position.
        closed: Whether a rule has removed some, so that tables must not add identifiers.
        met: Identifiers with interactions.
    """

    ids: list[str]
    closed: bool = False
    positions: dict[str, int] = field(init=False)
    met: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.met = frozenset(self.ids)
        self.positions = {name: position for position, name in enumerate(self.ids)}

    def admit(self, names: list[str]) -> IntArray:
        """Return (N,) positions, adding unknown identifiers; -1 for those that must not be added."""
        if not self.closed:
            for name in names:
                if name not in self.positions:
                    self.positions[name] = len(self.ids)
                    self.ids.append(name)
        return np.array([self.positions.get(name, -1) for name in names], dtype=np.int64)


@dataclass
class TableRead(Book):
    """Result of reading a side table.

    Args:
        frame: Accepted rows: attributes with a column `position` for users and items; `source`, `target`, `weight`
            for links.
        matched: Number of rows whose user or item (for links: both users) has interactions.
        examples: Some of its identifiers.
    """

    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    matched: int = 0
    examples: tuple[str, ...] = ()


def read_attributes(connection: duckdb.DuckDBPyConnection, source: Source, members: Members) -> TableRead:
    """Read a user or item table; the first row of an identifier is kept, later ones are rejected."""
    cells = _cells(connection, source)
    guess, rejections = source.guess, source.rejections
    role = ITEM_ID if guess.table == ITEMS else USER_ID
    ids = _known_ids(cells[f"c{guess.roles[role]}"], members)
    name = guess.column_of(role)
    checks = (
        (ids.isin(["", *NO_IDENTIFIERS]), name, later("empty")),
        (ids.str.contains(ROUNDED, regex=True), name, ROUNDED_REASON),
        (ids.duplicated(), name, later("duplicate identifier")),
    )
    taken = ~_refused(rejections, cells, checks)
    matched = int(ids[taken].isin(members.met).sum())
    positions = members.admit(ids[taken].tolist())
    frame = cells[taken]
    unknown = positions < 0
    rejections.add(frame.loc[unknown, _LINE].to_numpy(), name, _REMOVED)
    attributes = _attributes(frame[~unknown], source, role)
    attributes.insert(0, "position", positions[~unknown])
    return TableRead(source, len(cells), rejections, attributes, matched, tuple(ids[taken].head(3)))


_REMOVED = later("removed by the minimum number of interactions")


def read_links(connection: duckdb.DuckDBPyConnection, source: Source, members: Members) -> TableRead:
    """Read the user-user links in a file; self-links and duplicates are rejected."""
    cells = _cells(connection, source)
    guess, rejections = source.guess, source.rejections
    ends = {
        name: _known_ids(cells[f"c{guess.roles[role]}"], members)
        for name, role in ((SOURCE, SOURCE_ID), (TARGET, TARGET_ID))
    }
    weight = _weights(cells, guess)
    both = pd.DataFrame(ends)
    checks = (
        (both[SOURCE].isin(["", *NO_IDENTIFIERS]), guess.column_of(SOURCE_ID), later("empty")),
        (both[TARGET].isin(["", *NO_IDENTIFIERS]), guess.column_of(TARGET_ID), later("empty")),
        (weight.isna() | (weight.abs() > _LARGEST), guess.column_of(WEIGHT), later("not a number")),
        (both[SOURCE] == both[TARGET], "", later("self-link")),
    )
    both = both[~_refused(rejections, cells, checks)]
    repeated = both.duplicated()
    _refused(rejections, cells.loc[both.index], ((repeated, "", later("duplicate link")),))
    both = both[~repeated]
    links = pd.DataFrame({name: members.admit(both[name].tolist()) for name in (SOURCE, TARGET)}, index=both.index)
    matched = int(both.isin(members.met).all(axis=1).sum())
    links[WEIGHT] = weight[both.index].astype(np.float32)
    unknown = (links[SOURCE] < 0) | (links[TARGET] < 0)
    rejections.add(cells.loc[links.index[unknown], _LINE].to_numpy(), "", _REMOVED)
    links = links[~unknown].astype({SOURCE: np.int32, TARGET: np.int32}).reset_index(drop=True)
    return TableRead(source, len(cells), rejections, links, matched, tuple(both[SOURCE].head(3)))


def _known_ids(column: pd.Series, members: Members) -> pd.Series:
    """Return identifiers in the form used by the interactions."""
    return cleaned(column).map(lambda text: as_known(text, members.met))


def _weights(cells: pd.DataFrame, guess: TableGuess) -> pd.Series:
    """Return the weight of each link: 1 if empty, NaN if not a number."""
    if WEIGHT not in guess.roles:
        return pd.Series(1.0, index=cells.index)
    text, form = cells[f"c{guess.roles[WEIGHT]}"].str.strip(), guess.number_format(WEIGHT)
    numbers = text.map(lambda cell: read_number(cell, form)).astype(float)
    return numbers.mask(text.isin(["", *form.missing]), 1.0)


def complete(tables: list[pd.DataFrame], size: int) -> pd.DataFrame | None:
    """Return one row per position, merged from several tables; unknown values are missing."""
    if not tables:
        return None
    joined = pd.concat(tables, ignore_index=True)
    joined = joined.groupby("position", sort=True).first()
    frame = joined.reindex(pd.RangeIndex(size)).reset_index(drop=True)
    frame.columns.name = None
    return frame


def _cells(connection: duckdb.DuckDBPyConnection, source: Source) -> pd.DataFrame:
    """Return all cells of a file as text, with line numbers."""
    columns = [f"coalesce(c{column}, '') AS c{column}" for column in range(len(source.guess.column_names))]
    if source.has_lines:
        columns.append(_LINE)
    frame = connection.execute(f"SELECT {', '.join(columns)} FROM {source.relation}").df()
    if not source.has_lines:
        source.settle(connection, len(frame))
        frame[_LINE] = source.lines(np.arange(len(frame)))
    return frame


def _refused(rejections: Rejections, cells: pd.DataFrame, checks: Iterable[tuple[pd.Series, str, str]]) -> pd.Series:
    """Reject the rows that fail a check, each for the first one that it fails, and return which rows these are.

    Args:
        rejections: Where the rows are recorded.
        cells: The rows.
        checks: Rows at fault, column and reason.
    """
    refused = pd.Series(False, index=cells.index)
    for at_fault, column, reason in checks:
        rejections.add(cells.loc[at_fault & ~refused, _LINE].to_numpy(), column, reason)
        refused |= at_fault
    return refused


def _attributes(cells: pd.DataFrame, source: Source, role: str) -> pd.DataFrame:
    """Return attributes by name: numeric if all values are numbers, else text."""
    guess = source.guess
    renamed = {guess.roles[known]: known for known in ITEM_ATTRIBUTE_ROLES if known in guess.roles}
    flags = {guess.column_names.index(flag): flag for flag in guess.category_flags}
    columns: dict[str, pd.Series] = {}
    for column, name in enumerate(guess.column_names):
        if column == guess.roles[role] or column in flags:
            continue
        name = renamed.get(column, name)  # noqa: PLW2901
        text = cells[f"c{column}"].str.strip()
        columns[name] = listed(text) if name == CATEGORIES else text if name == TITLE else typed(text)
    if flags:
        columns[CATEGORIES] = _flagged(cells, flags)
    return pd.DataFrame(columns, index=cells.index).reset_index(drop=True)


def typed(text: pd.Series) -> pd.Series:
    """Return numbers if all non-empty values are numbers without leading zeros, else text; empty cells are missing."""
    given = text[text != ""]
    if len(given) and not given.str.match(r"^[+-]?0\d").any():
        numbers = pd.to_numeric(given, errors="coerce")
        if not numbers.isna().any():
            whole = bool((numbers % 1 == 0).all()) and bool((numbers.abs() < 2**53).all())
            return numbers.reindex(text.index).astype("Int64") if whole else numbers.reindex(text.index)
    return text.where(text != "")


def listed(text: pd.Series) -> pd.Series:
    """Return list cells with their entries separated by `|`, whatever separator the file uses."""
    if not text.str.contains("|", regex=False).any():
        text = text.str.strip("[]{}").str.replace(r"\s*[,;]\s*", LIST_SEPARATOR, regex=True)
    text = text.replace("(no genres listed)", "")
    return text.where(text != "")


def _flagged(cells: pd.DataFrame, flags: dict[int, str]) -> pd.Series:
    joined = pd.Series("", index=cells.index, dtype="str")
    for column, flag in flags.items():
        joined = joined.where(cells[f"c{column}"].str.strip() != "1", joined + LIST_SEPARATOR + flag)
    text = joined.str.removeprefix(LIST_SEPARATOR)
    return text.where(text != "")


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


def title_warnings(told: list[EventAttributes]) -> Iterator[DataWarning]:
    """Yield a warning about items with several titles, if there are any."""
    several = sum(part.several for part in told)
    if several:
        name, one, other = next(entry for part in told for entry in part.differing)
        yield DataWarning(
            "differing_titles",
            several,
            Template(
                "{count} item, '{item}', has more than one title: '{title}' and '{other}'.",
                "{count} items have more than one title, such as '{item}': '{title}' and '{other}'.",
            ).fill(several, item=name, title=one, other=other),
            Template("The most frequent title is kept. If these are different items, check the item column.").fill(),
        )


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
