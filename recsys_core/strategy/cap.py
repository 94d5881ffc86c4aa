"""Cap: at most a number of items with the same value of a field, in the list or in any consecutive places.

The best candidate that keeps the cap is placed, place by place (`placement`), and a list gets shorter before it breaks
the cap. It holds from the card on, whatever later cards do.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from recsys_core.strategy.card import Card
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.rules import Bound


class Cap(Card):
    """At most a number of items with the same value of a field in any window of consecutive places."""

    kind: Literal["cap"] = "cap"
    field: str
    """Item field. Each entry of a list such as categories counts; items without a value are not capped."""
    most: Annotated[int, Field(ge=1, le=1000)] = 2
    window: Annotated[int, Field(ge=0, le=1000)] = 0
    """Consecutive places; 0: the whole list."""

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the pool with the rule."""
        facts.require_field(self.field)
        rule = Bound(pool.number, None, self.field, 0, self.most, self.window, self.window > 0)
        return replace(pool, rules=(*pool.rules, rule))
