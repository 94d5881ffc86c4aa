"""Quota: a smallest and a largest number of items of a group in the first places, or in any consecutive ones.

The items that meet a condition form the group, or there is one group per value of a field. The maximum is never
exceeded; a minimum that some lists cannot have is reported with the users and the rule that binds (`shortfalls`). How
candidates are placed is described in `placement`.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from recsys_core.strategy.card import Card
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.rules import NO_LIMIT, Bound
from recsys_core.text import _


class Quota(Card):
    """A smallest and a largest number of items of a group in some places."""

    kind: Literal["quota"] = "quota"
    when: Condition | None = None
    """The group: items that meet a condition."""
    each: str = ""
    """Item field, instead of a condition: a group per value, or per entry of a list such as categories."""
    least: Annotated[int, Field(ge=0, le=1000)] = 0
    most: Annotated[int, Field(ge=0, le=1000)] | None = None
    """None: no maximum."""
    places: Annotated[int, Field(ge=0, le=1000)] = 0
    """Number of places; 0: the whole list."""
    sliding: bool = False
    """Whether the quota holds in any `places` consecutive places, else in the first `places`."""

    @model_validator(mode="after")
    def _consistent(self) -> "Quota":
        if (self.when is None) == (not self.each):
            raise ValueError(_("a quota is about either a condition ('when') or each value of a field ('each')"))
        if self.most is not None and self.most < self.least:
            raise ValueError(
                _("at least {least} and at most {most} cannot both hold").format(least=self.least, most=self.most)
            )
        if self.places and self.least > self.places:
            raise ValueError(
                _("{least} items do not fit in {places} places").format(least=self.least, places=self.places)
            )
        return self

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the pool with the rule."""
        if self.each:
            facts.require_field(self.each)
        most = NO_LIMIT if self.most is None else self.most
        rule = Bound(pool.number, self.when, self.each, self.least, most, self.places, self.sliding and self.places > 0)
        return replace(pool, rules=(*pool.rules, rule))
