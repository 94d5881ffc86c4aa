"""The observed user-item pairs as two compact tables: the items of each user, and the users of each item.

A table has 4 bytes per pair (8 with weights) instead of the 8 to 16 of a CSR matrix with its values, and both are made
by counting sorts in linear time, so factor models of implicit feedback fit 25 million rows in little memory.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import ITEM, USER
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data import Dataset
from recsys_core.data.random_keys import Keys
from recsys_core.models.compiled import compiled
from recsys_core.models.weights import training_confidence


class Rows(NamedTuple):
    """Distinct pairs by row: row r has `column[start[r]:start[r + 1]]`, increasing.

    Args:
        start: (R + 1,) int64.
        column: (N,) uint32.
        weight: (N,) float32 confidence of each pair; (0,) if all are 1.
    """

    start: IntArray
    column: IntArray
    weight: FloatArray


def observed(train: Dataset, unit: float) -> Rows:
    """Return the items of each user, with the confidence of each pair if the data have weights; see `weights.py`.

    Args:
        train: The training data.
        unit: `Recommender.weight_unit`; NaN without weights.
    """
    if not np.isnan(unit):
        return rows_of(training_confidence(train, unit))
    frame = train.interactions
    users, items = frame[USER].to_numpy(np.int32), frame[ITEM].to_numpy(np.int32)
    start = _starts(items, train.n_items)
    by_item = Rows(start, _scattered(items, users, start), np.empty(0, np.float32))
    start, column = _without_repeats(*turned(by_item, train.n_users)[:2])
    return Rows(start, column, by_item.weight)


def rows_of(confidence: csr_array) -> Rows:
    """Return a CSR matrix of confidences as rows; the weights are omitted if all are 1."""
    ordered = confidence.sorted_indices()
    weight = ordered.data.astype(np.float32)
    if (weight == 1.0).all():
        weight = weight[:0]
    return Rows(ordered.indptr.astype(np.int64), ordered.indices.astype(np.uint32), weight)


def turned(rows: Rows, columns: int) -> Rows:
    """Return the same pairs by column: the row numbers of each of `columns` columns, increasing."""
    start = _starts(rows.column, columns)
    column, weight = _transposed(rows, start)
    return Rows(start, column, weight)


def total_confidence(rows: Rows) -> FloatArray:
    """(R,) sum of the absolute confidences of each row, float64: the number of pairs without weights."""
    if not len(rows.weight):
        return np.diff(rows.start).astype(np.float64)
    row = np.repeat(np.arange(len(rows.start) - 1), np.diff(rows.start))
    sums: FloatArray = np.bincount(row, np.abs(rows.weight), minlength=len(rows.start) - 1).astype(np.float64)
    return sums


def row_keys(rows: Rows) -> Keys:
    """(R,) a key of each row, from its columns and weights; equal rows have equal keys."""
    weight = rows.weight if len(rows.weight) else np.ones(1, dtype=np.float32)
    return _summed_keys(rows.start, rows.column, weight.view(np.uint32))


@compiled
def _summed_keys(start: IntArray, column: IntArray, bits: IntArray) -> Keys:
    """Return (R,) the sum of the keys of all entries of a row, each mixed from its column and the bits of its weight.

    The mixing function is that of `random_keys.py`.
    """
    keys = np.zeros(len(start) - 1, np.uint64)
    for row in range(len(keys)):
        for entry in range(start[row], start[row + 1]):
            weight = bits[entry] if len(bits) > 1 else bits[0]
            state = (np.uint64(column[entry]) << np.uint64(32)) ^ np.uint64(weight)
            state = (state + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            keys[row] += state ^ (state >> np.uint64(31))
    return keys


@compiled
def _starts(keys: IntArray, rows: int) -> IntArray:
    """Return (rows + 1,) the start of each row once the keys (N,) are sorted."""
    start = np.zeros(rows + 1, np.int64)
    for key in keys:  # numpy's bincount would copy the keys as int64
        start[key + 1] += 1
    for row in range(rows):
        start[row + 1] += start[row]
    return start


@compiled
def _scattered(keys: IntArray, values: IntArray, start: IntArray) -> IntArray:
    """Return (N,) the values sorted by their keys, in the given order within a key."""
    place = start[:-1].copy()
    found = np.empty(len(keys), np.uint32)
    for entry in range(len(keys)):
        key = keys[entry]
        found[place[key]] = values[entry]
        place[key] += 1
    return found


@compiled
def _transposed(rows: Rows, start: IntArray) -> tuple[IntArray, FloatArray]:
    """Return (N,) the row numbers and the weights of all pairs, sorted by column."""
    place = start[:-1].copy()
    found, weight = np.empty(len(rows.column), np.uint32), np.empty(len(rows.weight), np.float32)
    weighted = len(weight) > 0
    for row in range(len(rows.start) - 1):
        for entry in range(rows.start[row], rows.start[row + 1]):
            column = rows.column[entry]
            found[place[column]] = row
            if weighted:
                weight[place[column]] = rows.weight[entry]
            place[column] += 1
    return found, weight


@compiled
def _without_repeats(start: IntArray, column: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows, whose columns do not decrease, without repeated columns; `column` is overwritten."""
    kept, shorter = 0, np.zeros(len(start), np.int64)
    for row in range(len(start) - 1):
        for entry in range(start[row], start[row + 1]):
            if entry == start[row] or column[entry] != column[entry - 1]:
                column[kept] = column[entry]
                kept += 1
        shorter[row + 1] = kept
    return shorter, column[:kept]
