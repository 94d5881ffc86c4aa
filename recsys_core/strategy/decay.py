"""Decay: relevance halves with popularity, age, or each earlier interaction of the user with the item.

    rel(i) 0.5^(amount(i) / half-life)

The amount is the number of interactions of the item, the days since its first one, or the number of interactions of
this user with it: repeat exposure, where the data record impressions or repeated events. A missing amount counts as 0.

Source: exponential decay as in Ding and Li 2005, "Time weight collaborative filtering", section 3.2, with the half-life
T0 = ln 2 / lambda; there it weighs ratings, here candidates.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recsys_core.contracts import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.card import Card
from recsys_core.strategy.facts import TIMES, Facts
from recsys_core.strategy.pool import Pool
from recsys_core.text import _


class Decay(Card):
    """Multiplies relevance by 0.5 per half-life, so that popular, old or repeated items fall."""

    kind: Literal["decay"] = "decay"
    by: Literal["popularity", "age_days", "interacted_times"] = "age_days"
    half_life: Annotated[float, Field(gt=0)] = 180.0
    """Interactions, or days, that halve the relevance."""
    scaling: Literal["rank", "minmax"] = "rank"
    """Scale of the relevance, which must not be negative: a factor below 1 would raise it."""

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates by decayed relevance."""
        return pool.sorted_by(-pool.relevance(self.scaling) * 0.5 ** (self._amount(pool, facts) / self.half_life))

    def _amount(self, pool: Pool, facts: Facts) -> FloatArray:
        """Return (B, N) what the relevance halves by."""
        items = np.maximum(pool.item, 0)
        if self.by == TIMES:
            return facts.relation(TIMES, *np.broadcast_arrays(pool.users[:, None], items))
        amounts = facts.values(self.by).values.astype(np.float64)
        if np.isnan(amounts).all():
            raise ConfigError(
                _("The card 'decay' by {by} needs timestamps, which '{data_name}' does not have.").format(
                    by=self.by, data_name=facts.data.name
                )
            )
        found: FloatArray = np.nan_to_num(amounts)[items]
        return found
