"""Explore: the last card draws the list, and the probability of each drawn item is logged.

How a place is drawn is described in `exploration`. Rules of earlier cards hold: a place draws among the candidates that
fit, and pinned items have probability 1. The product of a list's propensities is the probability of the list.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from recsys_core.contracts import FloatArray
from recsys_core.data.random_keys import mixed
from recsys_core.strategy.card import Card, Share
from recsys_core.strategy.exploration import EPSILON, SOFTMAX, THOMPSON, Draw, posteriors
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.placement import placed
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import Scaling


class Explore(Card):
    """Draws the list, so that what the model does not favor is tried as well; the last card of a strategy."""

    kind: Literal["explore"] = "explore"
    method: Literal["epsilon", "softmax", "thompson"] = "epsilon"
    epsilon: Share = 0.1
    """Epsilon: probability that a place is drawn among all candidates."""
    temperature: Annotated[float, Field(gt=0, le=1000)] = 0.1
    """Softmax: relevance is divided by it; small: close to the order, large: close to uniform."""
    scaling: Scaling = "rank"
    """Softmax: scale of the relevance."""
    event: str = ""
    """Thompson: the event that counts as success, all others as failures; empty: ratings count."""
    relevant_from: float = 4.0
    """Thompson: smallest rating that counts as success."""
    prior_successes: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    prior_failures: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    seed: Annotated[int, Field(ge=0, le=2**31)] = 42

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with the first k drawn, and their propensities."""
        return placed(pool, facts, self._draw(pool, facts))

    def _draw(self, pool: Pool, facts: Facts) -> Draw:
        users, items = facts.data.user_vocabulary.keys[pool.users], facts.data.item_vocabulary.keys
        item = np.maximum(pool.item, 0).astype(np.int64)
        key = mixed(mixed(users, self.seed)[:, None] ^ items[item])
        value: FloatArray = np.zeros((1, 1))
        grid: FloatArray = np.zeros(1)
        posterior: FloatArray = np.zeros((1, 1))
        method = {"epsilon": EPSILON, "softmax": SOFTMAX, "thompson": THOMPSON}[self.method]
        if method == SOFTMAX:
            value = pool.relevance(self.scaling) / self.temperature
        if method == EPSILON:
            key = np.ascontiguousarray(mixed(users, self.seed)[:, None])
        if method == THOMPSON:
            won, lost = facts.outcomes(self.event, self.relevant_from)
            listed, places = np.unique(item, return_inverse=True)
            item = places.reshape(item.shape).astype(np.int64)
            grid, posterior = posteriors(won[listed] + self.prior_successes, lost[listed] + self.prior_failures)
        return Draw(method, self.epsilon, bool(pool.rules), value, key, item, grid, posterior)
