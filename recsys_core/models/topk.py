"""The k best items of each row of scores, ties by smaller position."""

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged, TopK
from recsys_core.models.compiled import compiled


def top_k(scores: FloatArray, k: int, exclude: Ragged | None = None) -> TopK:
    """Return the `k` best items of each row.

    NaN and minus infinity mean 'cannot score' and are never chosen. Equal scores are ordered by smaller position.

    Args:
        scores: (B, I); not changed.
        k: Length of the lists, at least 1; rows with fewer candidates end in `PAD` with score NaN.
        exclude: B rows of items that must not be chosen.
    """
    rows = len(scores)
    excluded = exclude if exclude is not None else Ragged(np.empty(0, np.int64), np.zeros(rows + 1, np.int64))
    item = np.full((rows, k), PAD, dtype=np.int64)
    score = np.full((rows, k), np.nan, dtype=scores.dtype)
    _select(np.ascontiguousarray(scores), excluded.values.astype(np.int64), excluded.offsets, item, score)
    return TopK(item, score)


@compiled
def _select(scores: FloatArray, excluded: IntArray, offsets: IntArray, item: IntArray, score: FloatArray) -> None:
    """Fill each row of `item` and `score` by insertion: most items fail the one comparison with the k-th best."""
    rows, items = scores.shape
    k = item.shape[1]
    hidden = np.zeros(items, dtype=np.bool_)
    for row in range(rows):
        hidden_now = excluded[offsets[row] : offsets[row + 1]]
        for position in hidden_now:
            hidden[position] = True
        found = 0
        threshold = -np.inf
        for position in range(items):
            value = scores[row, position]
            if not value > threshold or hidden[position]:
                continue
            place = found if found < k else k - 1
            while place > 0 and score[row, place - 1] < value:
                score[row, place] = score[row, place - 1]
                item[row, place] = item[row, place - 1]
                place -= 1
            score[row, place] = value
            item[row, place] = position
            found = min(found + 1, k)
            if found == k:
                threshold = score[row, k - 1]
        for position in hidden_now:
            hidden[position] = False
