"""How far a card moves the items that it concerns."""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.strategy.apply import Outcome
from recsys_core.strategy.cards import Boost, FairRatio, Filter, Pin, Quota, Slots
from recsys_core.strategy.facts import Facts


@dataclass(frozen=True)
class RankChange:
    """Places gained at one card by the items that it concerns.

    Args:
        median: Median over items and users of the place before minus the place after; above 0: upwards. NaN if there
            are none.
        items: Number of moved or unmoved candidates that count, over all users.
        users: Number of users who have one.
    """

    median: float
    items: int
    users: int


def median_rank_change(outcome: Outcome, step: int, facts: Facts) -> RankChange:
    """Return the median rank change of the items that a card concerns.

    These are the items that meet its condition, or the pinned one; for cards without either, all items. Items that are
    not candidates both before and after the card do not count.

    Args:
        outcome: Outcome of the strategy.
        step: Number of the card in the trail, from 1.
        facts: Facts of the data.
    """
    card, after = outcome.trail[step]
    before = outcome.trail[step - 1][1]
    gained = rank_changes(before, after)
    counted = np.isfinite(gained)
    if isinstance(card, Boost | FairRatio | Filter | Slots | Quota) and card.when is not None:
        counted &= card.when.holds(facts, outcome.pool.users, before)
    elif isinstance(card, Pin):
        counted &= before == facts.item_position[card.item]
    values = gained[counted]
    median = float(np.median(values)) if len(values) else float("nan")
    return RankChange(median, len(values), int(counted.any(axis=1).sum()))


def rank_changes(before: IntArray, after: IntArray) -> FloatArray:
    """Return (B, N) places gained by each item of `before`; NaN for padding and items that are not in `after`.

    Args:
        before: (B, N) items, padded with `PAD`.
        after: (B, M) items, padded with `PAD`.
    """
    users, width = before.shape
    rows, columns = np.nonzero(after != PAD)
    size = int(max(before.max(initial=0), after.max(initial=0))) + 1
    keys = rows * size + after[rows, columns]
    order = np.argsort(keys)
    wanted = np.arange(users)[:, None] * size + np.maximum(before, 0)
    if not len(keys):
        return np.full(before.shape, np.nan)
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    known: BoolArray = (keys[order][at] == wanted) & (before != PAD)
    return np.where(known, np.arange(width)[None] - columns[order][at], np.nan)
