"""A Markov model of item transitions that is counted and evaluated in one pass: a fast test of sequential signal.

How often b follows a is counted over W steps with decaying weights and smoothed with popularity:

    C_ab = sum over positions t with item a, d = 1..W, of decay^(d - 1) [item at t + d is b]
    P(b | a) = (C_ab + mu p_b) / (sum_b C_ab + mu)
    score(b) = sum over the last W items a_1 (latest), a_2, ... of decay^(j - 1) P(b | a_j)

where p_b is the share of b in all histories. No item-item matrix is built: the positions of an item are looked up and
the weights of its successors are added, so large catalogues take little memory. If an item occurs at more than
`MOST_PLACES` positions, only every n-th is read.

Source: Rendle, Freudenthaler and Schmidt-Thieme 2010, "Factorizing Personalized Markov Chains", section 4.1, whose
baskets are single items here; the decay and the smoothing with popularity are ours.
"""

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray, Ragged
from recsys_core.models.compiled import compiled

WINDOW = 5
"""Steps ahead that are counted, and number of last items used for prediction."""
DECAY = 0.7
"""Weight of each further step relative to the previous one."""
BACK_OFF = 5.0
"""mu: popularity counts like this number of observed successors."""
MOST_PLACES = 1000
STEPS = DECAY ** np.arange(WINDOW)
"""(W,) weight of the next item, the one after it, ..."""


def ranks_of_next(histories: Ragged, target: IntArray, n_items: int, sampled: IntArray) -> IntArray:
    """Return (A,) the rank, from 1, of the target of each sampled row among all items that are not in the row.

    The model is trained on all histories and evaluated on some of them. Ties are ranked by item position.

    Args:
        histories: R rows of item positions, oldest first, none of them empty.
        target: (R,) the held-out item, not in its row.
        n_items: Number of items.
        sampled: (A,) numbers of the rows to evaluate.
    """
    items = histories.values.astype(np.int64)
    ends = np.repeat(histories.offsets[1:], histories.lengths)
    places = np.argsort(items, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
    every = np.maximum(1, -(-np.diff(starts) // MOST_PLACES))
    totals = _totals(ends, places, starts, every, STEPS)
    popularity = np.diff(starts) / max(1, len(items))
    ranks = np.empty(len(sampled), dtype=np.int64)
    _rank(
        items,
        histories.offsets,
        ends,
        places,
        starts,
        every,
        totals,
        popularity,
        target,
        sampled,
        STEPS,
        BACK_OFF,
        ranks,
    )
    return ranks


@compiled
def _totals(ends: IntArray, places: IntArray, starts: IntArray, every: IntArray, steps: FloatArray) -> FloatArray:
    """Return (I,) the total weight of the successors of each item, over the positions that are read."""
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
    sampled: IntArray,
    steps: FloatArray,
    back_off: float,
    ranks: IntArray,
) -> None:
    is_seen = np.zeros(len(every), dtype=np.bool_)
    for number, row in enumerate(sampled):
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
        ranks[number] = _rank_among(scores, is_seen, target[row])
        for place in range(first, last):
            is_seen[items[place]] = False


@compiled
def _rank_among(scores: FloatArray, is_seen: BoolArray, target: int) -> int:
    """Return the rank, from 1, of the target among the unseen items."""
    before = 0
    for item in range(len(scores)):
        if not is_seen[item]:
            before += scores[item] > scores[target] or (scores[item] == scores[target] and item < target)
    return before + 1
