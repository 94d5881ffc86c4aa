"""The history of one user with edits: items added, dropped, rated again, moved, or cut at a day.

An edited history is a list of entries, oldest first. An entry is an interaction of the base, the history before any
edit, or an added item. `code` writes it in characters that need no escaping in a URL, and `decoded` reads it back:

    code    = base "." entry "_" entry ...      nothing at all for an unedited history of the data
    base    = number of interactions of the base, or "new" for a user who is not in the data
    entry   = place | place "-" place | place "~" value | "x" item | "x" item "~" value

Places count from 0, and `a-b` are the interactions from a to b of the base without changes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from recsys_core.columns import RATING, TIMESTAMP
from recsys_core.contracts import PAD, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import ConfigError
from recsys_core.experiments.held_out_users import described_items
from recsys_core.text import _

NEW = "new"
PLACE, EDIT, ADDED, RATED = "place", "edit", "added", "rated"
LONGEST_CODE = 1500
"""Characters; browsers and servers accept URLs of at least 2,000."""
LARGEST_VALUE = 1e9
"""Largest rating or strength that a link may hold."""
MINUTE_MS = 60_000
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?"
_ENTRY = re.compile(rf"(?:(?P<first>[0-9]+)-(?P<last>[0-9]+)|(?P<added>x?)(?P<at>[0-9]+)(?:~(?P<value>{_NUMBER}))?)")


@dataclass(frozen=True)
class Entry:
    """An interaction of an edited history.

    Args:
        item: Item position.
        place: Place in the base, from 0; None for an added item.
        value: Rating or strength where it differs from that of the base; for an added item, None is 1.
    """

    item: int
    place: int | None = None
    value: float | None = None


@dataclass(frozen=True, eq=False)
class BaseHistory:
    """A history before any edit.

    Args:
        query: One user with the history, oldest first.
        is_new: Whether the user is not in the data: the history is empty.
    """

    query: QueryBatch
    is_new: bool = False

    @classmethod
    def empty(cls) -> "BaseHistory":
        """Return the base of a new user."""
        nothing = np.empty(0, np.float32)
        return cls(QueryBatch(np.array([PAD]), Ragged.from_rows([[]]), nothing), is_new=True)

    def __len__(self) -> int:
        return len(self.query.values)

    @property
    def name(self) -> str:
        """First part of every code of this base."""
        return NEW if self.is_new else str(len(self))

    def entries(self) -> tuple[Entry, ...]:
        """Return the entries without edits."""
        return tuple(Entry(int(item), place) for place, item in enumerate(self.query.history.values))


@dataclass(frozen=True)
class EditedHistory:
    """A history with edits; every edit returns a new one.

    Args:
        base: The history before any edit.
        entries: Oldest first.
    """

    base: BaseHistory = field(compare=False)
    entries: tuple[Entry, ...]

    @classmethod
    def unedited(cls, base: BaseHistory) -> "EditedHistory":
        """Return the history without edits."""
        return cls(base, base.entries())

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def is_edited(self) -> bool:
        """Whether it differs from the base."""
        return self.entries != self.base.entries()

    @property
    def items(self) -> tuple[int, ...]:
        """Item of each entry."""
        return tuple(entry.item for entry in self.entries)

    @property
    def values(self) -> tuple[float, ...]:
        """Rating or strength of each entry; an added item without one has the weight of a typical entry."""
        usual = _typical(self.base.query.values) if self._weights_are_values else 1.0
        return tuple(self._value(entry, usual) for entry in self.entries)

    def _value(self, entry: Entry, usual: float) -> float:
        if entry.value is not None:
            return entry.value
        return usual if entry.place is None else float(self.base.query.values[entry.place])

    @property
    def _weights_are_values(self) -> bool:
        """Whether the data have weights and no ratings, as far as the base shows."""
        base = self.base.query
        return base.weights is not None and np.array_equal(base.weights, base.values, equal_nan=True)

    def added(self, item: int, value: float | None = None, place: int | None = None) -> "EditedHistory":
        """Return the history with one more item, the latest by default.

        Args:
            item: Item position.
            value: Rating, in data with ratings.
            place: Number of entries before it.

        Raises:
            ConfigError: The code of the result would be too long for a link.
        """
        where = len(self) if place is None else place
        entry = Entry(item, value=None if value is None else _rounded(value))
        return self._with((*self.entries[:where], entry, *self.entries[where:]))

    def dropped(self, place: int) -> "EditedHistory":
        """Return the history without the entry at a place."""
        return self._with((*self.entries[:place], *self.entries[place + 1 :]))

    def rated(self, place: int, value: float) -> "EditedHistory":
        """Return the history with another rating or strength of the entry at a place."""
        entry, value = self.entries[place], _rounded(value)
        same = entry.place is not None and value == float(self.base.query.values[entry.place])
        changed = replace(entry, value=None if same else value)
        return self._with((*self.entries[:place], changed, *self.entries[place + 1 :]))

    def moved(self, place: int, to: int) -> "EditedHistory":
        """Return the history with the entry at a place moved to another place."""
        others = (*self.entries[:place], *self.entries[place + 1 :])
        return self._with((*others[:to], self.entries[place], *others[to:]))

    def until(self, moment: int) -> "EditedHistory":
        """Return the history without the interactions of the base after a moment; added items stay.

        Args:
            moment: Unix milliseconds. Interactions without timestamp stay, too.

        Raises:
            ConfigError: The base has no timestamps.
        """
        times = self.base.query.timestamps
        if times is None:
            raise ConfigError(_("This history has no timestamps, so there is no state of it at an earlier day."))
        return self._with(entry for entry in self.entries if entry.place is None or times[entry.place] <= moment)

    def first(self, n: int) -> "EditedHistory":
        """Return the history of the first `n` entries."""
        return replace(self, entries=self.entries[:n])

    def _with(self, entries: Iterable[Entry]) -> "EditedHistory":
        edited = replace(self, entries=tuple(entries))
        if len(edited.code) > LONGEST_CODE:
            raise ConfigError(
                _(
                    "These edits do not fit into a link of {longest_code:,} characters. Undo some of "
                    "them, or start from an empty history."
                ).format(longest_code=LONGEST_CODE)
            )
        return edited

    @property
    def code(self) -> str:
        """The history as text for a URL; empty for an unedited history of the data."""
        if not self.is_edited and not self.base.is_new:
            return ""
        return f"{self.base.name}." + "_".join(_written(self.entries))

    def query(self) -> QueryBatch:
        """Return the query of an unknown user with this history.

        The seen items are those of the base without the dropped ones, and the added ones. Added items are a minute
        apart after the latest interaction; if the order was changed, the timestamps keep theirs, so that items move
        between them. An added item has the median weight of the base; if the base is empty, there are no weights, so
        that each added item has the confidence of a typical interaction of the training data.
        """
        base, places = self.base.query, [entry.place for entry in self.entries]
        weights = None
        if base.weights is not None and len(base.weights):
            weights = _taken(base.weights, places, _typical(base.weights))
            if self._weights_are_values:
                weights = np.asarray(self.values, np.float32)
        return QueryBatch(
            np.array([PAD]),
            Ragged.from_rows([self.items]),
            np.asarray(self.values, np.float32),
            self._timestamps(),
            known=None if base.known is None else Ragged.from_rows([self._seen()]),
            weights=weights,
        )

    def _seen(self) -> list[int]:
        """Return the items that are not recommended, if they differ from the history."""
        history, kept = set(self.base.query.history.values.tolist()), set(self.items)
        seen = [item for item in self.base.query.seen[0].tolist() if item not in history or item in kept]
        return seen + [entry.item for entry in self.entries if entry.place is None]

    def _timestamps(self) -> IntArray | None:
        times = self.base.query.timestamps
        if times is None:
            return None
        kept = [entry.place for entry in self.entries if entry.place is not None]
        found, latest = [], int((times[kept] if kept else times).max(initial=NO_TIMESTAMP))
        for entry in self.entries:
            if entry.place is None and latest != NO_TIMESTAMP:
                latest += MINUTE_MS
            found.append(latest if entry.place is None else int(times[entry.place]))
        order = [entry.place if entry.place is not None else len(times) for entry in self.entries]
        in_order = all(one <= other for one, other in pairwise(order))
        return np.array(found if in_order else sorted(found), dtype=np.int64)


def is_of_new_user(code: str) -> bool:
    """Return whether a code is that of a user who is not in the data."""
    return code.startswith(f"{NEW}.")


def decoded(base: BaseHistory, code: str, n_items: int) -> EditedHistory:
    """Return the history that `code` describes.

    Args:
        base: The history before any edit.
        code: From `EditedHistory.code`, or untrusted text.
        n_items: Number of items of the data.

    Raises:
        ConfigError: It is not a code, or one of another base.
    """
    if not code:
        return EditedHistory.unedited(base)
    name, _unused, rest = code.partition(".")
    if len(code) > LONGEST_CODE or name != base.name:
        raise ConfigError(_("The edited history in this link belongs to another user or experiment; it is ignored."))
    entries = tuple(entry for part in rest.split("_") if part for entry in _read(base, part, n_items))
    places = [entry.place for entry in entries if entry.place is not None]
    if len(set(places)) != len(places):
        raise ConfigError(_("The edited history in this link contains an interaction twice; it is ignored."))
    return EditedHistory(base, entries)


def _read(base: BaseHistory, part: str, n_items: int) -> Iterator[Entry]:
    """Yield the entries of one part of a code."""
    items = base.query.history.values
    found = _ENTRY.fullmatch(part)
    value = None if found is None or found["value"] is None else float(found["value"])
    if found is not None and abs(value or 0.0) <= LARGEST_VALUE:
        if found["first"] is not None and int(found["first"]) < int(found["last"]) < len(base):
            yield from (Entry(int(items[place]), place) for place in range(int(found["first"]), int(found["last"]) + 1))
            return
        if found["added"] and int(found["at"]) < n_items:
            yield Entry(int(found["at"]), value=value)
            return
        if found["added"] == "" and int(found["at"]) < len(base):
            yield Entry(int(items[int(found["at"])]), int(found["at"]), value)
            return
    raise ConfigError(
        _("The edited history in this link cannot be read at '{part}'; it is ignored.").format(part=part[:40])
    )


def _written(entries: tuple[Entry, ...]) -> Iterator[str]:
    """Yield the parts of a code: runs of unchanged interactions, and single entries."""
    at = 0
    while at < len(entries):
        entry, end = entries[at], at + 1
        while end < len(entries) and _goes_on(entries[end - 1], entries[end]):
            end += 1
        if end - at > 1:
            yield f"{entry.place}-{entries[end - 1].place}"
        else:
            where = f"x{entry.item}" if entry.place is None else str(entry.place)
            yield where if entry.value is None else f"{where}~{entry.value:g}".replace("+", "")
        at = end


def _goes_on(entry: Entry, after: Entry) -> bool:
    unchanged = entry.value is None and after.value is None
    return unchanged and entry.place is not None and after.place == entry.place + 1


def _rounded(value: float) -> float:
    """Return a value rounded to the digits that a code has."""
    return float(f"{value:g}")


def _taken(values: FloatArray, places: list[int | None], otherwise: float) -> FloatArray:
    return np.array([otherwise if place is None else values[place] for place in places], dtype=np.float32)


def _typical(weights: FloatArray) -> float:
    """Return the median absolute weight other than 0, 1 if there is none."""
    sizes = np.abs(weights[weights != 0])
    return float(np.median(sizes)) if len(sizes) else 1.0


def history_table(history: EditedHistory, dataset: Dataset) -> pd.DataFrame:
    """Return an edited history for display, latest first.

    Returns:
        Columns `place` (in the edited history, from 1), `item`, `item_id`, `title`, `categories` if available, `rating`
        in data with ratings, `timestamp` (UTC) with timestamps, and `edit` ("added", "rated" or empty).
    """
    frame = described_items(dataset, history.items)
    frame.insert(0, PLACE, np.arange(1, len(frame) + 1))
    if dataset.has_ratings:
        frame[RATING] = np.asarray(history.values, np.float64)
    times = history.query().timestamps
    if times is not None:
        known = pd.Series(times, dtype="int64").mask(times == NO_TIMESTAMP)
        frame[TIMESTAMP] = pd.to_datetime(known.to_numpy(), unit="ms", utc=True)
    frame[EDIT] = [
        ADDED if entry.place is None else RATED if entry.value is not None else "" for entry in history.entries
    ]
    return frame.iloc[::-1].reset_index(drop=True)
