"""Pseudorandom order that depends on content, not on row order.

Each identifier has a 64-bit key. Rows to be split, or items with equal scores, are sorted by keys mixed with a seed, so
the result does not depend on the order of the input.

Source: the mixing function is the finalizer of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
number generators").
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.columns import EVENT, ITEM, RATING, TIMESTAMP, USER, WEIGHT

Keys = NDArray[np.uint64]
ROWS_AT_A_TIME = 1_000_000
_STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def keys_of(ids: Sequence[str]) -> Keys:
    """Return (n,) keys of identifiers."""
    found: Keys = pd.util.hash_array(np.asarray(ids, dtype=object), categorize=False)
    return found


def mixed(keys: Keys, seed: int = 0) -> Keys:
    """Return (n,) mixed keys: each bit depends on every bit of the input key and of the seed."""
    state = keys + np.uint64(_STEP * (seed + 1) % 2**64)
    state = (state ^ (state >> _SHIFTS[0])) * _FIRST
    state = (state ^ (state >> _SHIFTS[1])) * _SECOND
    done: Keys = state ^ (state >> _SHIFTS[2])
    return done


def row_keys(frame: pd.DataFrame, users: Keys, items: Keys, seed: int = 0) -> Keys:
    """Return (N,) keys of interactions from user, item, timestamp, rating, weight and event, mixed with a seed.

    Args:
        frame: Interactions, as described in `Dataset`.
        users: (U,) keys of the users.
        items: (I,) keys of the items.
        seed: Any integer.
    """
    found = np.empty(len(frame), dtype=np.uint64)
    columns = [frame[name].to_numpy() for name in (TIMESTAMP, RATING, WEIGHT) if name in frame]
    user, item = frame[USER].to_numpy(), frame[ITEM].to_numpy()
    for start in range(0, len(frame), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        keys = mixed(mixed(users[user[rows]], seed) ^ items[item[rows]])
        for column in columns:
            part = column[rows]
            bits = part.astype(np.int64 if part.dtype.kind in "iu" else np.float64).view(np.uint64)
            keys = mixed(keys ^ bits)
        found[rows] = keys
    if EVENT in frame:
        _tell_apart(found, frame[EVENT])
    return found


def _tell_apart(keys: Keys, events: "pd.Series[str]") -> None:
    """Add 0, 1, ... to equal keys (N,): those of rows that differ in their event alone, in pseudorandom order.

    All other keys stay, and with them the splits of data whose rows differ in something else.
    """
    ordered = np.sort(keys)
    rows = np.flatnonzero(np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]]))
    own = keys[rows]
    order = np.lexsort((mixed(keys_of(events.iloc[rows].astype(str).tolist()) ^ own), own))
    grouped = own[order]
    keys[rows[order]] += (np.arange(len(rows)) - np.searchsorted(grouped, grouped)).astype(np.uint64)
