"""Slots: places that only items meeting a condition fill, such as the third and fourth for sponsored items.

Where a user has no such candidate left, the best other one takes the place, and `shortfalls` counts the users; or the
list ends there. How candidates are placed is described in `placement`.
"""

from dataclasses import replace
from typing import Literal

from pydantic import model_validator

from recsys_core.strategy.card import Card, Place
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.rules import Slot
from recsys_core.text import _


class Slots(Card):
    """Places for items that meet a condition."""

    kind: Literal["slots"] = "slots"
    when: Condition
    first: Place = 1
    """First place."""
    last: Place = 1
    """Last place."""
    otherwise: Literal["others", "end"] = "others"
    """Where no such item is left: other items take the place, or the list ends."""

    @model_validator(mode="after")
    def _in_order(self) -> "Slots":
        if self.last < self.first:
            raise ValueError(
                _("places {first} to {last} are empty; the last is before the first").format(
                    first=self.first, last=self.last
                )
            )
        return self

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the pool with the rule."""
        rule = Slot(pool.number, self.when, self.first - 1, self.last - 1, self.otherwise == "end")
        return replace(pool, rules=(*pool.rules, rule))
