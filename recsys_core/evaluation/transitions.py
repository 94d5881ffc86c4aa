"""A Markov model of what follows what, counted and judged in one go: the quickest reader of order.

How often b follows a is counted over a few steps, nearer ones weighing more, and mixed with popularity:

    C_ab = sum over places t with item a, d = 1..W, of decay^(d - 1) [item at t + d is b]
    P(b | a) = (C_ab + mu p_b) / (sum_b C_ab + mu)
    score(b) = sum over the last W items a_1 (latest), a_2, ... of decay^(j - 1) P(b | a_j)

where p_b is the share of b in all histories. No matrix of items by items is made: the places of an item are looked up
and what follows is added, so that large catalogues take little memory. Of an item at more than `MOST_PLACES` places
only every n-th is read.

Source: Rendle, Freudenthaler and Schmidt-Thieme 2010, "Factorizing Personalized Markov Chains", section 4.1, whose
baskets are single items here; the decay and the mixing with popularity are ours.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray, Ragged
from recsys_core.models.compiled import compiled

WINDOW = 5
"""Steps ahead that are counted, and last items that are looked at."""
DECAY = 0.7
"""Weight of each step further away, relative to the one before."""
BACK_OFF = 5.0
"""mu: popularity counts like so many followers."""
MOST_PLACES = 1000
STEPS = DECAY ** np.arange(WINDOW)
"""(W,) weight of the next item, the one after it, ..."""


def ranks_of_next(histories: Ragged, target: IntArray, n_items: int, asked: IntArray) -> IntArray:
    """Return (A,) the place, from 1, of the target of each row asked for, among all items that are not in the row.

    The model learns from the histories and is asked with some of them. Equal scores stand by smaller position.

    Args:
        histories: R rows of item positions, oldest first, none of them empty.
        target: (R,) the item to be found, not in its row.
        n_items: Number of items.
        asked: (A,) numbers of the rows asked for.
    """
    items = histories.values.astype(np.int64)
    ends = np.repeat(histories.offsets[1:], histories.lengths)
    places = np.argsort(items, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
    every = np.maximum(1, -(-np.diff(starts) // MOST_PLACES))
    totals = _totals(ends, places, starts, every, STEPS)
    popularity = np.diff(starts) / max(1, len(items))
    found = np.empty(len(asked), dtype=np.int64)
    _rank(
        items, histories.offsets, ends, places, starts, every, totals, popularity, target, asked, STEPS, BACK_OFF, found
    )
    return found


@compiled
def _totals(ends: IntArray, places: IntArray, starts: IntArray, every: IntArray, steps: FloatArray) -> FloatArray:
    """Return (I,) the weight of all that follows each item, over the places that are read."""
    totals = np.zeros(len(every))
    for item in range(len(every)):
        for number in range(starts[item], starts[item + 1], every[item]):
            place = places[number]
            for ahead in range(min(len(steps), ends[place] - 1 - place)):
                totals[item] += steps[ahead]
    return totals


@compiled
def _rank(
    items: IntArray,
    offsets: IntArray,
    ends: IntArray,
    places: IntArray,
    starts: IntArray,
    every: IntArray,
    totals: FloatArray,
    popularity: FloatArray,
    target: IntArray,
    asked: IntArray,
    steps: FloatArray,
    back_off: float,
    found: IntArray,
) -> None:
    is_seen = np.zeros(len(every), dtype=np.bool_)
    for number, row in enumerate(asked):
        first, last = offsets[row], offsets[row + 1]
        scores = np.zeros(len(every))
        of_popularity = 0.0
        for back in range(min(len(steps), last - first)):
            item = items[last - 1 - back]
            share = steps[back] / (totals[item] + back_off)
            of_popularity += share * back_off
            for at in range(starts[item], starts[item + 1], every[item]):
                place = places[at]
                for ahead in range(min(len(steps), ends[place] - 1 - place)):
                    scores[items[place + 1 + ahead]] += share * steps[ahead]
        scores += of_popularity * popularity
        for place in range(first, last):
            is_seen[items[place]] = True
        found[number] = _place_among(scores, is_seen, target[row])
        for place in range(first, last):
            is_seen[items[place]] = False


@compiled
def _place_among(scores: FloatArray, is_seen: BoolArray, target: int) -> int:
    """Return the place, from 1, of the target among the items not seen."""
    before = 0
    for item in range(len(scores)):
        if not is_seen[item]:
            before += scores[item] > scores[target] or (scores[item] == scores[target] and item < target)
    return before + 1
