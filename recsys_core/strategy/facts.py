"""What the cards of a strategy know of items and users: attributes, popularity, age, categories, similarity.

Items have the computed fields `id`, `popularity` and `age_days`; users `id`, `interactions` and `inactive_days`. A
column of the data with one of these names is the field `<name> (data)`, such as `popularity (data)`.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from recsys_core.columns import CATEGORIES, EVENT, ITEM, LIST_SEPARATOR, RATING, TIMESTAMP, USER
from recsys_core.contracts import BoolArray, FloatArray, IntArray
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.errors import ConfigError
from recsys_core.text import _

DAY_MS = 86_400_000
ID, POPULARITY, AGE = "id", "popularity", "age_days"
"""Fields that every item has: identifier; number of interactions; days since its first interaction."""
ACTIVITY, INACTIVE = "interactions", "inactive_days"
"""Fields that every user has, besides the identifier: number of interactions; days since the last one."""
DAYS, TIMES = "interacted_days", "interacted_times"
RELATIONS = (DAYS, TIMES)
"""Fields of a user with an item: days since the last interaction, NaN without one; number of interactions."""
COMPONENTS = 32
"""Dimension of item vectors without categories."""
HEAD = 0.8
"""Share of the interactions that the head of the catalog has."""
KEPT = 256
"""Results about items, such as which of them meet a condition, that are kept."""
MOST_CELLS = 50_000_000
"""Largest number of shares of categories that are held at once, 400 MB."""
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Values:
    """Values of a field.

    Args:
        values: Numbers, or codes of texts.
        missing: Where there is no value; same shape.
        names: Texts by code; None for numbers.
    """

    values: FloatArray | IntArray
    missing: BoolArray
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, column: pd.Series) -> "Values":
        """Return the values of a column: numbers, or text."""
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(np.float64)
            return cls(numbers, np.isnan(numbers))
        codes, names = pd.factorize(column, use_na_sentinel=True)
        return cls(np.maximum(codes, 0), codes < 0, tuple(map(str, names)))

    @property
    def numeric(self) -> bool:
        """Whether the field holds numbers."""
        return self.names is None

    def taking(self, positions: IntArray) -> "Values":
        """Return the values at positions."""
        return Values(self.values[positions], self.missing[positions], self.names)

    def mapped(self, test: Callable[[Any], Any]) -> BoolArray:
        """Return the test of all numbers at once, or of each distinct text."""
        if self.names is None:
            return np.asarray(test(self.values), dtype=bool)
        tested: BoolArray = np.array([bool(test(name)) for name in self.names] or [False])
        found: BoolArray = tested[self.values]
        return found

    def among(self, wanted: tuple[float | str, ...]) -> BoolArray:
        """Return where the value is one of several."""
        if self.names is None:
            return np.isin(self.values, np.array(wanted, dtype=np.float64))
        return self.mapped(frozenset(wanted).__contains__)

    def filled(self) -> np.ndarray:
        """Return numbers, or texts, with any text where it is missing."""
        return self.values if self.names is None else np.array(self.names or ("",), dtype=object)[self.values]


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of a field per item: one, or those of a list cell such as categories.

    Args:
        start: (I + 1,) where the entries of each item begin.
        entry: Codes of the entries, item by item.
        names: Names by code.
    """

    start: IntArray
    entry: IntArray
    names: tuple[str, ...]


class Facts:
    """Facts of the items and users of a data set, computed when first needed.

    Args:
        data: The training data.
        at: When the strategy is applied, Unix milliseconds; by default the time of the last interaction. Ages and days
            count back from there. Cards with dates need it.
    """

    def __init__(self, data: Dataset, at: int | None = None) -> None:
        self.data = data
        self.at = at
        self._kept: dict[Hashable, Any] = {}
        self._values: dict[tuple[bool, str], Values] = {}
        self._entries: dict[str, Entries] = {}

    def kept(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for a key, or make and keep it: what depends on the items alone."""
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            known = self._kept[key] = make()
        made: Made = known
        return made

    @cached_property
    def now(self) -> float:
        """When the strategy is applied, Unix milliseconds; NaN without timestamps."""
        if self.at is not None:
            return float(self.at)
        times = self._known[TIMESTAMP] if self.data.has_timestamps else None
        return float("nan") if times is None or times.empty else float(times.max())

    @cached_property
    def _known(self) -> pd.DataFrame:
        """Interactions whose time is known."""
        frame = self.data.interactions
        return frame[frame[TIMESTAMP] != NO_TIMESTAMP]

    def _days_since(self, key: str, size: int, how: str) -> FloatArray:
        """Return days since the first or last interaction of each user or item; NaN where there is none."""
        days = np.full(size, np.nan)
        if self.data.has_timestamps:
            times = self._known.groupby(key)[TIMESTAMP].agg(how)
            days[times.index.to_numpy()] = (self.now - times.to_numpy()) / DAY_MS
        return days

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item: its attributes (numbers or text), `id`, `popularity`, and `age_days`."""
        table = _plain(self.data.items, self.data.n_items, {ID, POPULARITY, AGE})
        table[ID] = pd.Series(list(self.data.item_vocabulary.ids), dtype=object)
        table[POPULARITY] = np.bincount(self.data.interactions[ITEM], minlength=self.data.n_items)
        table[AGE] = self._days_since(ITEM, self.data.n_items, "min")
        return table

    @cached_property
    def user_table(self) -> pd.DataFrame:
        """One row per user: attributes (numbers or text), `id`, `interactions`, and `inactive_days`."""
        table = _plain(self.data.users, self.data.n_users, {ID, ACTIVITY, INACTIVE})
        table[ID] = pd.Series(list(self.data.user_vocabulary.ids), dtype=object)
        table[ACTIVITY] = np.bincount(self.data.interactions[USER], minlength=self.data.n_users)
        table[INACTIVE] = self._days_since(USER, self.data.n_users, "max")
        return table

    def values(self, field: str, *, of_users: bool = False) -> Values:
        """Return the values of an item or user field, by position; the field must exist."""
        found = self._values.get((of_users, field))
        if found is None:
            table = self.user_table if of_users else self.table
            found = self._values.setdefault((of_users, field), Values.of(table[field]))
        return found

    @cached_property
    def item_position(self) -> dict[str, int]:
        """Position of each item by identifier."""
        return {identifier: position for position, identifier in enumerate(self.data.item_vocabulary.ids)}

    def require_field(self, field: str) -> None:
        """Raise ConfigError unless the items have a field."""
        if field not in self.table:
            known = ", ".join(map(str, self.table.columns))
            raise ConfigError(_("There is no item field '{field}'. Known: {known}.").format(field=field, known=known))

    def entries(self, field: str) -> Entries:
        """Return the entries of an item field: of a list cell each, else its value.

        Raises:
            ConfigError: There is no such field.
        """
        if field not in self._entries:
            self.require_field(field)
            values = self.values(field)
            if values.names is None:
                levels, codes = np.unique(values.values, return_inverse=True)
                cells: list[list[str]] = [[repr(float(level)).removesuffix(".0")] for level in levels]
            else:
                codes = values.values.astype(np.int64)
                cells = [sorted({one for one in name.split(LIST_SEPARATOR) if one}) for name in values.names] or [[]]
            names = tuple(sorted({one for cell in cells for one in cell}))
            place = {name: code for code, name in enumerate(names)}
            coded = [[place[one] for one in cell] for cell in cells]
            rows = [() if gone else coded[code] for code, gone in zip(codes, values.missing, strict=True)]
            start = np.cumsum([0, *map(len, rows)], dtype=np.int64)
            entry = np.fromiter((one for row in rows for one in row), np.int64, int(start[-1]))
            self._entries[field] = Entries(start, entry, names)
        return self._entries[field]

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """One row per user and item with interactions: `user`, `item`, `interacted_days`, `interacted_times`."""
        frame = self.data.interactions
        found = frame.groupby([USER, ITEM], as_index=False).size().rename(columns={"size": TIMES})
        found[DAYS] = np.nan
        if self.data.has_timestamps:
            last = self._known.groupby([USER, ITEM])[TIMESTAMP].max()
            times = last.reindex(pd.MultiIndex.from_frame(found[[USER, ITEM]])).to_numpy(np.float64)
            found[DAYS] = (self.now - times) / DAY_MS
        return found

    @cached_property
    def _pair_keys(self) -> IntArray:
        """Increasing keys of the pairs."""
        keys: IntArray = self.pairs[USER].to_numpy(np.int64) * self.data.n_items + self.pairs[ITEM].to_numpy(np.int64)
        return keys

    @cached_property
    def _pair_values(self) -> dict[str, FloatArray]:
        """Fields of the pairs, in the order of their keys."""
        return {field: self.pairs[field].to_numpy(np.float64) for field in RELATIONS}

    def relation(self, field: str, users: IntArray, items: IntArray) -> FloatArray:
        """Return a field of pairs of users and items.

        Args:
            field: `interacted_times` (0 without an interaction) or `interacted_days` (NaN without one).
            users: Positions.
            items: Positions, same shape.
        """
        none = 0.0 if field == TIMES else np.nan
        if not len(self._pair_keys):
            return np.full(users.shape, none)
        keys = users.astype(np.int64) * self.data.n_items + items
        place = np.minimum(np.searchsorted(self._pair_keys, keys), len(self._pair_keys) - 1)
        values = self._pair_values[field]
        found: FloatArray = np.where(self._pair_keys[place] == keys, values[place], none)
        return found

    def outcomes(self, event: str, relevant_from: float | None) -> tuple[FloatArray, FloatArray]:
        """Return (I,) successes and (I,) failures of each item among its interactions.

        Args:
            event: Interactions of this event are successes, those of all other events failures; or empty.
            relevant_from: Ratings from here on are successes, lower ones failures.

        Raises:
            ConfigError: The data have no events, no such event, or no ratings.
        """
        frame, size, name = self.data.interactions, self.data.n_items, self.data.name
        if event:
            if not self.data.has_events or event not in set(frame[EVENT]):
                raise ConfigError(
                    _("Thompson sampling counts event '{event}', which '{name}' does not have.").format(
                        event=event, name=name
                    )
                )
            success = (frame[EVENT] == event).to_numpy()
            counted = np.ones(len(frame), dtype=bool)
        else:
            if not self.data.has_ratings:
                raise ConfigError(
                    _("Thompson sampling needs ratings or an event that counts; '{name}' has no ratings.").format(
                        name=name
                    )
                )
            success = (frame[RATING] >= relevant_from).to_numpy()
            counted = frame[RATING].notna().to_numpy()
        items = frame[ITEM].to_numpy()
        won = np.bincount(items[success & counted], minlength=size).astype(np.float64)
        lost = np.bincount(items[~success & counted], minlength=size).astype(np.float64)
        return won, lost

    @cached_property
    def shares(self) -> FloatArray:
        """(I, G) each item's distribution over categories, equal shares; (I, 0) without categories.

        Raises:
            ConfigError: There are too many items and categories, above `MOST_CELLS` numbers.
        """
        own = self.data.items
        if own is None or CATEGORIES not in own:
            return np.zeros((self.data.n_items, 0))
        cells = [
            sorted({name for name in str(cell).split(LIST_SEPARATOR) if name}) if isinstance(cell, str) else []
            for cell in own[CATEGORIES]
        ]
        names = sorted({name for cell in cells for name in cell})
        place = {name: column for column, name in enumerate(names)}
        advice = f"Merge rare categories, or leave out the column '{CATEGORIES}'"
        self._require_cells(self.data.n_items, "items", len(names), advice)
        shares = np.zeros((self.data.n_items, len(names)))
        for item, cell in enumerate(cells):
            shares[item, [place[name] for name in cell]] = 1 / max(len(cell), 1)
        return shares

    @cached_property
    def vectors(self) -> FloatArray:
        """(I, D) item vectors of length 1, or 0 for an item without any: categories, else factors of the interactions.

        Factors are the right singular vectors of the binary interaction matrix times their singular values.

        Raises:
            ConfigError: There are too many items and categories; see `shares`.
        """
        vectors = self.shares if self.shares.shape[1] else self._factors()
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: FloatArray = np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
        return unit

    @cached_property
    def _matrix(self) -> csr_array:
        """(U, I) whether a user has interacted with an item."""
        return csr_array(self.data.matrix("binary"), dtype=np.float64)

    def _factors(self) -> FloatArray:
        matrix = self._matrix
        rank = min(COMPONENTS, min(matrix.shape) - 1)
        if rank < 1:
            return np.ones((self.data.n_items, 1))
        _, sizes, right = svds(matrix, k=rank, v0=np.ones(min(matrix.shape)))
        factors: FloatArray = right.T * sizes
        return factors

    def interests(self, users: IntArray) -> FloatArray:
        """Return (B, G) the distribution of categories in each user's history; zeros without one.

        Raises:
            ConfigError: There are too many items, or users, and categories, above `MOST_CELLS` numbers.
        """
        return self.shares_of_history(users, self.shares)

    def shares_of_history(self, users: IntArray, groups: FloatArray) -> FloatArray:
        """Return (B, G) the distribution of each user's items over (I, G) groups; zeros without one.

        Raises:
            ConfigError: There are too many users and groups, above `MOST_CELLS` numbers.
        """
        self._require_cells(len(users), "users", groups.shape[1], "Merge rare categories, or use fewer users at once")
        total: FloatArray = self._matrix[users] @ groups
        sums = total.sum(axis=1, keepdims=True)
        found: FloatArray = np.divide(total, sums, out=np.zeros(total.shape), where=sums > 0)
        return found

    def _require_cells(self, rows: int, what: str, categories: int, advice: str) -> None:
        cells = rows * categories
        if cells > MOST_CELLS:
            raise ConfigError(
                _(
                    "'{data_name}' has {categories:,} categories, too many for {rows:,} {what}: "
                    "{cells:,} shares, but at most {most_cells:,} are possible. {advice}."
                ).format(
                    data_name=self.data.name,
                    categories=categories,
                    rows=rows,
                    what=what,
                    cells=cells,
                    most_cells=MOST_CELLS,
                    advice=advice,
                )
            )

    @cached_property
    def head_tail(self) -> FloatArray:
        """(I, 2) whether an item is in the head, the fewest items with 80 % of the interactions, or in the tail."""
        counts = self.table[POPULARITY].to_numpy(np.float64)
        order = np.argsort(-counts, kind="stable")
        before = np.cumsum(counts[order]) - counts[order]
        head = np.zeros(len(counts))
        head[order[(before < HEAD * counts.sum()) & (counts[order] > 0)]] = 1.0
        return np.stack([head, 1.0 - head], axis=1)


def _plain(own: pd.DataFrame | None, size: int, computed: set[str]) -> pd.DataFrame:
    """Return attributes as numbers (float64) or text (None where missing), in position order.

    A column with the name of a computed field is renamed, to `popularity (data)`, so that both are kept.
    """
    table = pd.DataFrame(index=range(size))
    given = set() if own is None else set(own.columns)
    for original in [] if own is None else own.columns:
        column = own[original].reset_index(drop=True)  # type: ignore[index]
        name = original
        while name in computed or (name != original and name in given):
            name = f"{name} (data)"
        if pd.api.types.is_numeric_dtype(column):
            table[name] = column.to_numpy(np.float64, na_value=np.nan)
        else:
            table[name] = column.astype(object).where(column.notna(), None).map(str, na_action="ignore")
    return table
