"""The candidates of users on their way through the cards of a strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, TopK
from recsys_core.models.compiled import compiled
from recsys_core.strategy.relevance import NONE, Scaling, scaled
from recsys_core.strategy.rules import Rule

Values = TypeVar("Values", FloatArray, IntArray)


@dataclass(frozen=True)
class ExposureBound:
    """What an exposure card asked for, and what its global pass could reach.

    Args:
        number: Number of the card in the strategy.
        group: Name of the group of items.
        least: Smallest share.
        most: Largest share.
        lowest: Share with the group at the end of every list.
        highest: Share with the group at the top of every list.
    """

    number: int
    group: str
    least: float
    most: float
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates of users, best first.

    Args:
        users: (B,) user positions.
        item: (B, N) candidates, padded with `PAD`: at the end, and at places that a rule left empty.
        score: (B, N) scores of the model, NaN for padding and pinned items that the model did not recommend.
        k: Length of the final lists.
        number: Number of the card that is applied, from 0.
        sources: Lists of several models by key; empty if there is one model.
        rules: Rules that hold from their card on.
        bounds: What exposure cards asked for.
        propensity: (B, k) probability of each item at its place given the items before it; None without exploration.
    """

    users: IntArray
    item: IntArray
    score: FloatArray
    k: int
    number: int = 0
    sources: Mapping[str, TopK] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    bounds: tuple[ExposureBound, ...] = ()
    propensity: FloatArray | None = None

    def taking(self, columns: IntArray) -> "Pool":
        """Return the pool in a new order: (B, M) columns, `NONE` for nothing."""
        item, score = np.full(columns.shape, PAD, dtype=np.int64), np.full(columns.shape, np.nan)
        own = np.ascontiguousarray(self.item, dtype=np.int64), np.ascontiguousarray(self.score, dtype=np.float64)
        _take(*own, np.ascontiguousarray(columns, dtype=np.int64), item, score)
        return replace(self, item=item, score=score)

    def first(self, order: IntArray) -> "Pool":
        """Return the pool with the columns of (B, K) `order` first, and the others behind in their old order."""
        place = np.broadcast_to(np.arange(self.item.shape[1]) + order.shape[1], self.item.shape).copy()
        rows, columns = np.nonzero(order != NONE)
        place[rows, order[rows, columns]] = columns
        return self.sorted_by(place)

    def sorted_by(self, value: FloatArray | IntArray) -> "Pool":
        """Return the pool in increasing order of (B, N) values; equal ones keep their order, padding goes last."""
        return self.taking(np.argsort(np.where(self.item == PAD, np.inf, value), axis=1, kind="stable"))

    def relevance(self, how: Scaling) -> FloatArray:
        """Return (B, N) relevance on one scale, decreasing along each list as earlier cards ordered it; -inf: padding.

        By rank it depends on the order alone. Else the scores of a list count, but in decreasing order, whichever item
        each belongs to: an earlier card decides the order, the model how far relevance falls from place to place.
        """
        present = self.item != PAD
        if how == "rank":
            ranks = np.broadcast_to(-np.arange(self.item.shape[1], dtype=np.float64), self.item.shape)
            return scaled(np.where(present, ranks, np.nan), how)
        lowest = np.nanmin(np.where(np.isfinite(self.score), self.score, np.inf), axis=1, keepdims=True, initial=np.inf)
        known = np.where(np.isfinite(self.score), self.score, np.where(np.isfinite(lowest), lowest, 0.0))
        falling = -np.sort(np.where(present, -known, np.inf), axis=1)
        place = np.minimum(np.maximum(present.cumsum(axis=1) - 1, 0), self.item.shape[1] - 1)
        return scaled(np.where(present, np.take_along_axis(falling, place, axis=1), np.nan), how)


def filled(values: Values, k: int, padding: float) -> Values:
    """Return (B, k) the first columns of (B, N) values, with padding where there are fewer."""
    short = k - values.shape[1]
    return values[:, :k] if short <= 0 else np.pad(values, ((0, 0), (0, short)), constant_values=padding)


@compiled
def _take(item: IntArray, score: FloatArray, columns: IntArray, to_item: IntArray, to_score: FloatArray) -> None:
    """Fill (B, M) arrays with the entries at (B, M) columns; what is `NONE` leaves the entry unchanged."""
    for row in range(len(columns)):
        for place in range(columns.shape[1]):
            column = columns[row, place]
            if column >= 0:
                to_item[row, place] = item[row, column]
                to_score[row, place] = score[row, column]
