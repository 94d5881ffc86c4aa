"""Fusion of rankings: the gain of a place, and places on complete score rows.

Source: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods".
"""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray, Ragged
from recsys_core.models.compiled import compiled


def reciprocal_rank(place: FloatArray | IntArray, constant: float, weight: float = 1.0) -> FloatArray:
    """Return w / (c + place), what a ranking adds to an item in reciprocal rank fusion.

    Args:
        place: Any shape; places from 1, NaN where there is none.
        constant: c, at least 0; 60 in the paper. The larger, the less the first places count.
        weight: w of the ranking.
    """
    gain: FloatArray = weight / (constant + place)
    return gain


def places_among_unseen(scores: FloatArray, seen: Ragged) -> FloatArray:
    """Return (B, I) the place of each item, from 1, if the unseen items of the user are ranked by score.

    Equal scores share the mean of their places. A seen item has the place that it would have. Items without a finite
    score have no place (NaN).

    Args:
        scores: (B, I).
        seen: B rows of items.
    """
    places: FloatArray = np.full(scores.shape, np.nan)
    _fill_places(np.ascontiguousarray(scores, dtype=np.float64), seen.values.astype(np.int64), seen.offsets, places)
    return places


@compiled
def _fill_places(scores: FloatArray, seen: IntArray, offsets: IntArray, places: FloatArray) -> None:
    """Fill (B, I) places; see `places_among_unseen`."""
    counted = np.empty(scores.shape[1], dtype=np.bool_)
    for row in range(len(scores)):
        own = scores[row]
        for item in range(len(own)):
            counted[item] = np.isfinite(own[item])
        for item in seen[offsets[row] : offsets[row + 1]]:
            counted[item] = False
        ordered = np.sort(own[counted])
        for item in range(len(own)):
            if np.isfinite(own[item]):
                below = np.searchsorted(ordered, own[item], side="left")
                up_to = np.searchsorted(ordered, own[item], side="right")
                others = up_to - below - (1 if counted[item] else 0)  # with the same score
                places[row, item] = 1.0 + (len(ordered) - up_to) + others / 2.0
