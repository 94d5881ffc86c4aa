"""Side tables: user attributes, item attributes, and social links."""

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
    WEIGHT,
)
from recsys_core.contracts import IntArray
from recsys_core.data.ingest.identifiers import NO_IDENTIFIERS, ROUNDED, ROUNDED_REASON, as_known, cleaned
from recsys_core.data.ingest.number_formats import read_number
from recsys_core.data.ingest.reading import Source
from recsys_core.data.ingest.rejection_buffer import Rejections, skip_missing
from recsys_core.data.ingest.schema import TableGuess

_LINE = "line"
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
class TableRead:
    """Result of reading a side table.

    Args:
        source: The file.
        frame: Accepted rows: attributes with a column `position` for users and items; `source`, `target`, `weight`
            for links.
        rows: Number of rows that could be split into cells.
        rejections: All rejected lines.
        matched: Number of rows whose user or item (for links: both users) has interactions.
        examples: Some of its identifiers.
    """

    source: Source
    frame: pd.DataFrame
    rows: int
    rejections: Rejections
    matched: int = 0
    examples: tuple[str, ...] = ()


def read_attributes(connection: duckdb.DuckDBPyConnection, source: Source, members: Members) -> TableRead:
    """Read a user or item table; the first row of an identifier is kept, later ones are rejected."""
    cells = _cells(connection, source)
    guess, rejections = source.guess, source.rejections
    role = ITEM_ID if guess.table == ITEMS else USER_ID
    ids = _known_ids(cells[f"c{guess.roles[role]}"], members)
    empty = ids.isin(["", *NO_IDENTIFIERS])
    rounded = ids.str.contains(ROUNDED, regex=True)
    twice = ids.duplicated() & ~empty & ~rounded
    taken = ~empty & ~twice & ~rounded
    matched = int(ids[taken].isin(members.met).sum())
    positions = members.admit(ids[taken].tolist())
    name = guess.column_of(role)
    _reject(rejections, cells, empty, name, "empty")
    _reject(rejections, cells, rounded, name, ROUNDED_REASON)
    _reject(rejections, cells, twice, name, "duplicate identifier")
    frame = cells[taken]
    unknown = positions < 0
    rejections.add(frame.loc[unknown, _LINE].to_numpy(), name, _REMOVED)
    attributes = _attributes(frame[~unknown], source, role)
    attributes.insert(0, "position", positions[~unknown])
    return TableRead(source, attributes, len(cells), rejections, matched, tuple(ids[taken].head(3)))


_REMOVED = "removed by the minimum number of interactions"


def read_links(connection: duckdb.DuckDBPyConnection, source: Source, members: Members) -> TableRead:
    """Read the user-user links in a file; self-links and duplicates are rejected."""
    cells = _cells(connection, source)
    guess, rejections = source.guess, source.rejections
    ends = {
        name: _known_ids(cells[f"c{guess.roles[role]}"], members)
        for name, role in ((SOURCE, SOURCE_ID), (TARGET, TARGET_ID))
    }
    weight = _weights(cells, guess)
    taken = pd.Series(False, index=cells.index)
    both = pd.DataFrame(ends)
    checks = (
        (both[SOURCE].isin(["", *NO_IDENTIFIERS]), guess.column_of(SOURCE_ID), "empty"),
        (both[TARGET].isin(["", *NO_IDENTIFIERS]), guess.column_of(TARGET_ID), "empty"),
        (weight.isna() | (weight.abs() > _LARGEST), guess.column_of(WEIGHT), "not a number"),
        (both[SOURCE] == both[TARGET], "", "self-link"),
    )
    for at_fault, column, reason in checks:
        _reject(rejections, cells, at_fault & ~taken, column, reason)
        taken |= at_fault
    repeated = ~taken & both[~taken].duplicated().reindex(cells.index, fill_value=False)
    _reject(rejections, cells, repeated, "", "duplicate link")
    taken |= repeated
    links = pd.DataFrame(
        {name: members.admit(both.loc[~taken, name].tolist()) for name in (SOURCE, TARGET)}, index=cells.index[~taken]
    )
    matched = int((both.loc[~taken, SOURCE].isin(members.met) & both.loc[~taken, TARGET].isin(members.met)).sum())
    links[WEIGHT] = weight[~taken].astype(np.float32)
    unknown = (links[SOURCE] < 0) | (links[TARGET] < 0)
    rejections.add(cells.loc[links.index[unknown], _LINE].to_numpy(), "", _REMOVED)
    links = links[~unknown].astype({SOURCE: np.int32, TARGET: np.int32}).reset_index(drop=True)
    return TableRead(source, links, len(cells), rejections, matched, tuple(both.loc[~taken, SOURCE].head(3)))


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
        frame[_LINE] = skip_missing(np.arange(len(frame)), source.structural - source.skip - 1) + source.skip + 1
    return frame


def _reject(rejections: Rejections, cells: pd.DataFrame, at_fault: pd.Series, column: str, reason: str) -> None:
    rejections.add(cells.loc[at_fault, _LINE].to_numpy(), column, reason)


def _attributes(cells: pd.DataFrame, source: Source, role: str) -> pd.DataFrame:
    """Return attributes by name: numeric if all values are numbers, else text."""
    guess = source.guess
    renamed = {guess.roles[known]: known for known in (TITLE, CATEGORIES, PRICE) if known in guess.roles}
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
        numbers = _numbers(given)
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


def _numbers(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text, errors="coerce")
