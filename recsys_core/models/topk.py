"""Top-k selection per row of scores; ties are broken by keys that do not depend on the order of a file."""

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged, TopK
from recsys_core.data.random_keys import Keys
from recsys_core.models.compiled import compiled

SCORE_BLOCK_BYTES = 64 * 2**20
"""Maximum bytes of scores in memory while lists are computed."""
BLOCKS_PER_THREAD = 4
"""Fewest blocks of each thread, so that all threads end at about the same time."""
STEP = 64
"""Number of scores that are compared with the k-th best at a time."""


def top_k(scores: FloatArray, k: int, exclude: Ragged | None = None, ties: Keys | None = None) -> TopK:
    """Return the top `k` items of each row.

    NaN and minus infinity mean 'cannot score' and are never selected.

    Args:
        scores: (B, I); not changed.
        k: Length of the lists, at least 1; rows with fewer candidates end in `PAD` with score NaN.
        exclude: B rows of items that must not be selected.
        ties: (I,) distinct keys; equal scores are ordered by increasing key. None: by position.
    """
    rows = len(scores)
    excluded = exclude if exclude is not None else Ragged(np.empty(0, np.int64), np.zeros(rows + 1, np.int64))
    item = np.full((rows, k), PAD, dtype=np.int64)
    score = np.full((rows, k), np.nan, dtype=scores.dtype)
    keys = by_position(scores.shape[1]) if ties is None else ties
    _select(np.ascontiguousarray(scores), excluded.values.astype(np.int64), excluded.offsets, keys, item, score)
    return TopK(item, score)


def score_blocks(users: int, items: int, threads: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of blocks of users; the scores of `threads` blocks fit into `SCORE_BLOCK_BYTES`."""
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, items) * threads))
    if threads > 1:
        size = min(size, max(1, -(-users // (BLOCKS_PER_THREAD * threads))))
    return [(first, min(first + size, users)) for first in range(0, users, size)]


def by_position(items: int) -> Keys:
    """Return (I,) keys that break ties by position."""
    return np.arange(items, dtype=np.uint64)


@compiled
def _select(
    scores: FloatArray, excluded: IntArray, offsets: IntArray, ties: Keys, item: IntArray, score: FloatArray
) -> None:
    """Fill each row of `item` and `score` by insertion: most items fail the single comparison with the k-th best."""
    rows, items = scores.shape
    k = item.shape[1]
    hidden = np.zeros(items, dtype=np.bool_)
    for row in range(rows):
        hidden_now = excluded[offsets[row] : offsets[row + 1]]
        for position in hidden_now:
            hidden[position] = True
        found = 0
        threshold = -np.inf
        for first in range(0, items, STEP):
            chunk = scores[row, first : first + STEP]
            if not _reaches(chunk, threshold):
                continue
            for place in range(len(chunk)):
                position, value = first + place, chunk[place]
                if not value >= threshold or hidden[position] or value == -np.inf:
                    continue
                found = insert(item[row], score[row], ties, found, position, value)
                if found == k:
                    threshold = score[row, k - 1]
        for position in hidden_now:
            hidden[position] = False


@compiled
def _reaches(values: FloatArray, threshold: float) -> bool:
    """Return whether any value is at least the threshold; NaN is not. Counting is vectorized by the compiler."""
    count = 0
    for place in range(len(values)):
        count += values[place] >= threshold
    return count > 0


@compiled
def insert(item: IntArray, score: FloatArray, ties: Keys, length: int, position: int, value: float) -> int:
    """Insert an item into a sorted list of `length` items, and return the new length.

    Args:
        item: (K,) the best items so far.
        score: (K,) their scores.
        ties: (I,) keys of all items; equal scores are ordered by increasing key.
        length: Current length.
        position: The item.
        value: Its score, at least the smallest score of a full list.
    """
    k = len(item)
    key = ties[position]
    if length == k and score[k - 1] == value and ties[item[k - 1]] < key:
        return length
    place = length if length < k else k - 1
    while place > 0 and (score[place - 1] < value or (score[place - 1] == value and ties[item[place - 1]] > key)):
        score[place] = score[place - 1]
        item[place] = item[place - 1]
        place -= 1
    score[place] = value
    item[place] = position
    return min(length + 1, k)
