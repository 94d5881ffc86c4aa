"""Boost and bury: moves the items that meet a condition, by places or by a factor on their relevance.

- places: an item at place p gets p - n - 1/2, the others keep p, and the list is sorted. A boosted item passes the n
  items before it that are not boosted themselves.
- factor: rel(i) f for the items concerned, and the list is sorted.

Both are monotone: items that move up never fall, since only items concerned change their value and all by the same
shift or factor, which keeps their order among each other.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recsys_core.strategy.card import Card, concerned
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool


class Boost(Card):
    """Moves the items that meet a condition up or down."""

    kind: Literal["boost"] = "boost"
    when: Condition
    by: Literal["places", "factor"] = "places"
    """Whether `places` or `factor` counts."""
    places: Annotated[int, Field(ge=-1000, le=1000)] = 3
    """Places upwards; negative: downwards. Items that move to the same place keep their order."""
    factor: Annotated[float, Field(gt=0, le=1000)] = 2.0
    """Multiplies the relevance; below 1: downwards."""
    scaling: Literal["rank", "minmax"] = "rank"
    """Scale of the relevance that the factor multiplies."""

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates in their new order."""
        met = concerned(self, pool, facts)
        if self.by == "places":
            step = np.sign(self.places) * 0.5
            return pool.sorted_by(np.arange(pool.item.shape[1]) - np.where(met, self.places + step, 0.0))
        return pool.sorted_by(-pool.relevance(self.scaling) * np.where(met, self.factor, 1.0))
