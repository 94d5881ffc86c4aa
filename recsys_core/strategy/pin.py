"""Pin: an item at a place of every list, always or between two dates.

The item becomes a candidate of every user, just before the one at its place. Caps, quotas and slots count it and
prevail over it; an earlier card's pin keeps its place. Where the item cannot stand at its place, it competes as that
candidate, and `shortfalls` counts the users. A later filter can take it out.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
from pydantic import model_validator

from recsys_core.contracts import PAD
from recsys_core.errors import ConfigError
from recsys_core.strategy.card import Card, Place
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE
from recsys_core.strategy.rules import PinnedItem
from recsys_core.text import _


class Pin(Card):
    """An item at a place of every list, whether or not the model recommends it."""

    kind: Literal["pin"] = "pin"
    item: str
    """Identifier of the item."""
    place: Place = 1
    start: date | None = None
    """First day of the campaign, UTC; None: always."""
    end: date | None = None
    """Last day of the campaign, UTC; None: always."""

    @model_validator(mode="after")
    def _in_order(self) -> "Pin":
        if self.start and self.end and self.end < self.start:
            raise ValueError(
                _("the campaign ends on {end}, before it starts on {start}").format(end=self.end, start=self.start)
            )
        return self

    def active(self, at: int | None) -> bool:
        """Return whether the campaign runs.

        Args:
            at: When the strategy is applied, Unix milliseconds.

        Raises:
            ConfigError: The card has dates, and the time is unknown.
        """
        if self.start is None and self.end is None:
            return True
        if at is None:
            raise ConfigError(
                _("The pin of item '{item}' has dates: say when the strategy is applied (--at).").format(item=self.item)
            )
        day = datetime.fromtimestamp(at / 1000, UTC).date()
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the pool with the item and the rule."""
        position = facts.item_position.get(self.item)
        if position is None:
            raise ConfigError(_("There is no item '{item}' to pin.").format(item=self.item))
        if not self.active(facts.at):
            return pool
        rule = PinnedItem(pool.number, position, self.place - 1)
        return replace(self._inserted(pool, position), rules=(*pool.rules, rule))

    def _inserted(self, pool: Pool, position: int) -> Pool:
        """Return the pool with the item before the candidate at its place, or after the last one."""
        where = pool.item == position
        known = np.take_along_axis(pool.score, where.argmax(axis=1)[:, None], axis=1)[:, 0]
        score = np.where(where.any(axis=1), known, np.nan)
        kept = np.argsort(where | (pool.item == PAD), axis=1, kind="stable")
        gone = np.take_along_axis(where, kept, axis=1)
        others = pool.taking(np.where(gone, NONE, kept))
        places = np.minimum(self.place - 1, (others.item != PAD).sum(axis=1))
        width = pool.item.shape[1]
        item, values = np.full((len(others.item), width + 1), PAD), np.full((len(others.item), width + 1), np.nan)
        columns = np.arange(width)[None] + (np.arange(width)[None] >= places[:, None])
        np.put_along_axis(item, columns, others.item, axis=1)
        np.put_along_axis(values, columns, others.score, axis=1)
        np.put_along_axis(item, places[:, None], position, axis=1)
        np.put_along_axis(values, places[:, None], score[:, None], axis=1)
        return replace(pool, item=item, score=values)
