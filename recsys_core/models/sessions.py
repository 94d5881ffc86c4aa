"""Sessions: histories, or their parts without a long break."""

from typing import NamedTuple

import numpy as np

from recsys_core.batches import BoolArray, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.data.dataset import NO_TIMESTAMP

DAY = 86_400_000
"""In milliseconds."""


class Sessions(NamedTuple):
    """S sessions with N entries for compiled code, by session and by item.

    Args:
        start: (S + 1,) first entry of each session.
        item: (N,) distinct items of the sessions, in order.
        day: (S,) time of the last interaction in days.
        item_start: (I + 1,) first entry of each item.
        item_session: (N,) sessions of each item, increasing.
        item_position: (N,) position of the item in each of them, from 1.
    """

    start: IntArray
    item: IntArray
    day: FloatArray
    item_start: IntArray
    item_session: IntArray
    item_position: IntArray


def cut(query: QueryBatch, gap: float | None) -> tuple[Ragged, IntArray, IntArray]:
    """Return the sessions of all histories in the order of time, with their times and the rows of their users.

    Args:
        query: U users with their histories.
        gap: Milliseconds without an interaction that end a session; None: the history is one session.

    Returns:
        S rows of distinct items in the order of their last occurrence; (S,) time of the last interaction,
        `NO_TIMESTAMP` if it is unknown; (S,) row of the user.
    """
    rows, items = query.history.row_numbers(), query.history.values
    if not len(items):
        empty = np.empty(0, dtype=np.int64)
        return Ragged(empty, np.zeros(1, dtype=np.int64)), empty, empty
    begins = starts(query, gap)
    number = np.cumsum(begins) - 1
    lasts = np.flatnonzero(np.append(begins[1:], True))
    times = np.full(len(lasts), NO_TIMESTAMP) if query.timestamps is None else query.timestamps[lasts]
    order = np.argsort(times, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    kept = _last_occurrences(number, items)
    sessions = Ragged.from_keys(rank[number[kept]], items[kept], len(order))
    return sessions, times[order].astype(np.int64), rows[lasts][order]


def starts(query: QueryBatch, gap: float | None) -> BoolArray:
    """Return (N,) whether a session starts at each entry of the histories, of which there is at least one."""
    rows = query.history.row_numbers()
    begins = np.append(True, rows[1:] != rows[:-1])
    if gap is not None and query.timestamps is not None:
        times = query.timestamps
        known = times[:-1] != NO_TIMESTAMP
        begins[1:] |= known & (times[1:] - times[:-1] > gap)
    return begins


def last_sessions(query: QueryBatch, gap: float | None) -> tuple[Ragged, IntArray]:
    """Return the last session of each history, empty for an empty history, and (B,) its time or `NO_TIMESTAMP`.

    Args:
        query: B users with their histories.
        gap: See `cut`.
    """
    rows, items = query.history.row_numbers(), query.history.values
    times = np.full(len(query), NO_TIMESTAMP)
    if not len(items):
        return query.history, times
    number = np.cumsum(starts(query, gap)) - 1
    filled = query.history.lengths > 0
    last_entry = query.history.offsets[1:][filled] - 1
    final = np.full(len(query), -1)
    final[filled] = number[last_entry]
    if query.timestamps is not None:
        times[filled] = query.timestamps[last_entry]
    kept = (number == final[rows]) & _last_occurrences(number, items)
    return Ragged.from_keys(rows[kept], items[kept], len(query)), times


def _last_occurrences(number: IntArray, items: IntArray) -> BoolArray:
    """Return (N,) whether an entry is the last one of its item in its session."""
    pair = number.astype(np.int64) * (int(items.max()) + 1) + items
    order = np.argsort(pair, kind="stable")
    last = np.append(pair[order][1:] != pair[order][:-1], True)
    kept = np.zeros(len(items), dtype=np.bool_)
    kept[order[last]] = True
    return kept
