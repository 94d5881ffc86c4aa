"""The most similar of some candidates, and the mean of their votes."""

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled


@compiled
def top_similar(similarity: FloatArray, best: IntArray, strength: FloatArray) -> int:
    """Fill `best` and `strength` (K,) with the rows of largest positive similarity, and return their number.

    Most similar first; ties by smaller position.
    """
    found = 0
    threshold = 0.0
    for row in range(len(similarity)):
        value = similarity[row]
        if not value > threshold:
            continue
        place = found if found < len(best) else len(best) - 1
        while place > 0 and strength[place - 1] < value:
            strength[place], best[place] = strength[place - 1], best[place - 1]
            place -= 1
        strength[place], best[place] = value, row
        found = min(found + 1, len(best))
        if found == len(best):
            threshold = strength[found - 1]
    return found


@compiled
def mean_of_most_similar(similarity: FloatArray, who: IntArray, vote: FloatArray, neighbors: int) -> float:
    """Return the similarity-weighted mean vote of the most similar candidates; NaN if none is similar.

    Args:
        similarity: (R,) similarity of all rows; only rows above 0 vote.
        who: (n,) positions of the candidates, increasing.
        vote: (n,) their votes.
        neighbors: Maximum number of votes.
    """
    among = np.empty(len(who))
    for place in range(len(who)):
        among[place] = similarity[who[place]]
    size = min(neighbors, len(who))
    best, strength = np.empty(size, np.int64), np.empty(size)
    weighted, weight = 0.0, 0.0
    for place in range(top_similar(among, best, strength)):
        weighted += strength[place] * vote[best[place]]
        weight += strength[place]
    return weighted / weight if weight > 0.0 else np.nan
