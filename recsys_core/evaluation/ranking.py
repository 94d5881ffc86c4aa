"""One pass over the scores: the top items of each user, and the position of relevant items among all candidates."""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged, TopK
from recsys_core.data.random_keys import Keys
from recsys_core.models.compiled import compiled
from recsys_core.models.topk import by_position, insert


@dataclass(frozen=True, eq=False)
class Ranking:
    """Result of one pass over scores.

    Args:
        lists: The top k candidates of each of B users; a candidate is an item that the user has not seen.
        beaten: (N,) for each relevant item, aligned with the rows of relevant items: the share of the user's irrelevant
            candidates that are scored lower, ties counting one half. NaN without irrelevant candidates.
    """

    lists: TopK
    beaten: FloatArray


def rank(
    scores: FloatArray,
    seen: Ragged,
    relevant: Ragged,
    k: int,
    candidates: IntArray | None = None,
    ties: Keys | None = None,
) -> Ranking:
    """Rank all items that a user has not seen, or the candidates among them.

    NaN and minus infinity mean 'cannot score': such items are never recommended, and for `beaten` they rank below all
    others, tied with each other.

    Args:
        scores: (B, I); not changed.
        seen: B rows of items that are not candidates.
        relevant: B rows of distinct items, none of them seen.
        k: Length of the lists, at least 1.
        candidates: (C,) the candidate items, including all relevant ones; None for all.
        ties: (I,) distinct keys; among equal scores the smaller key comes first. None: the smaller position.
    """
    keys = by_position(scores.shape[1]) if ties is None else ties
    if candidates is not None:
        return _rank_among(candidates, scores, seen, relevant, k, keys)
    rows = len(scores)
    item = np.full((rows, k), PAD, dtype=np.int64)
    score = np.full((rows, k), np.nan, dtype=scores.dtype)
    beaten = np.full(len(relevant.values), np.nan)
    _rank(
        np.ascontiguousarray(scores),
        seen.values.astype(np.int64),
        seen.offsets,
        relevant.values.astype(np.int64),
        relevant.offsets - relevant.offsets[0],
        keys,
        item,
        score,
        beaten,
    )
    return Ranking(TopK(item, score), beaten)


def _rank_among(items: IntArray, scores: FloatArray, seen: Ragged, relevant: Ragged, k: int, ties: Keys) -> Ranking:
    """Rank only `items` (C,)."""
    place = np.full(scores.shape[1], PAD, dtype=np.int64)
    place[items] = np.arange(len(items))
    held = place[seen.values] != PAD
    seen_places = Ragged.from_keys(seen.row_numbers()[held], place[seen.values][held], len(seen))
    found = rank(scores[:, items], seen_places, Ragged(place[relevant.values], relevant.offsets), k, ties=ties[items])
    listed = found.lists.item
    named = np.where(listed == PAD, PAD, items[listed])
    return Ranking(TopK(named, found.lists.score), found.beaten)


@compiled
def _rank(
    scores: FloatArray,
    seen: IntArray,
    seen_offsets: IntArray,
    relevant: IntArray,
    relevant_offsets: IntArray,
    ties: Keys,
    item: IntArray,
    score: FloatArray,
    beaten: FloatArray,
) -> None:
    """Fill the lists by insertion, then compute the share of lower-scored candidates for each relevant item.

    Excluded items are NaN in `left`, which compares neither below nor equal to anything.
    """
    rows, items = scores.shape
    k = item.shape[1]
    left = np.empty(items, dtype=scores.dtype)
    lowest = left.dtype.type(-np.inf)
    for row in range(rows):
        for position in range(items):
            value = scores[row, position]
            left[position] = value if value > lowest else lowest
        for place in range(seen_offsets[row], seen_offsets[row + 1]):
            left[seen[place]] = np.nan
        found = 0
        threshold = lowest
        for position in range(items):
            value = left[position]
            if not value >= threshold or value == lowest:
                continue
            found = insert(item[row], score[row], ties, found, position, value)
            if found == k:
                threshold = score[row, k - 1]
        wanted = relevant[relevant_offsets[row] : relevant_offsets[row + 1]]
        own = left[wanted]
        left[wanted] = np.nan
        _fill_shares(own, left, beaten[relevant_offsets[row] : relevant_offsets[row + 1]])


@compiled
def _fill_shares(own: FloatArray, others: FloatArray, shares: FloatArray) -> None:
    """Fill in the share of `others` below each of `own`, ties counting one half; NaN in `others` is ignored."""
    n_others = len(others) - np.isnan(others).sum()
    if n_others == 0:
        return
    for place in range(len(own)):
        value = own[place]
        below = 0
        tied = 0
        for position in range(len(others)):  # vectorized by the compiler, unlike `for other in others`
            below += others[position] < value
            tied += others[position] == value
        shares[place] = (below + 0.5 * tied) / n_others
