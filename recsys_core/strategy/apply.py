"""Apply a strategy to the lists of a model, with a trail of every item's place after each card."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, TopK
from recsys_core.errors import ConfigError
from recsys_core.strategy.cards import Card, Explore, Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.placement import placed
from recsys_core.strategy.pool import Pool, filled
from recsys_core.strategy.shortfalls import Shortfall, shortfalls_of
from recsys_core.text import _


@dataclass(frozen=True, eq=False)
class Outcome:
    """Lists of a strategy.

    Args:
        lists: (B, k) the final lists; scores are those of the model, or of the mix.
        trail: The card and the candidates (B, N) after it, first the raw lists under None. At places that a rule left
            empty, `PAD` stands within a row.
        propensity: (B, k) probability with which each item was drawn at its place, given the items before it; NaN for
            padding. None if nothing was drawn.
        strategy: The strategy.
        pool: The candidates after the last card.
        facts: Facts of the data.
    """

    lists: TopK
    trail: tuple[tuple[Card | None, IntArray], ...]
    propensity: FloatArray | None
    strategy: Strategy
    pool: Pool
    facts: Facts

    def places(self, user: int, item: int) -> list[int]:
        """Return the place of an item, from 1, in the list of one user after each step; 0 where it is not in it."""
        found = []
        for _unused, items in self.trail:
            columns = np.flatnonzero(items[user] == item)
            found.append(int(columns[0]) + 1 if len(columns) else 0)
        return found

    @cached_property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """What quotas, slots, pins and exposure could not have: the card, the users, and the rule that binds."""
        return shortfalls_of(self.strategy.cards, self.pool, self.lists, self.facts)


def apply(strategy: Strategy, lists: TopK | Mapping[str, TopK], users: IntArray, facts: Facts) -> Outcome:
    """Apply the cards of a strategy in their order.

    Caps, quotas, slots and pins hold from their card on: after each later card the lists are placed again under all of
    them, see `placement`.

    Args:
        strategy: The strategy.
        lists: (B, N) the best candidates of a model, at most `strategy.pool` of them are read. A mapping from keys of
            models to their lists for a strategy with a mix; its first entry is the list without the mix.
        users: (B,) positions of the users; all of them at once if the strategy `is_global`.
        facts: Facts of the data.

    Raises:
        ConfigError: A card names a field, an item or a model that does not exist, or needs what the data lack.
    """
    pool = start(strategy, lists, users)
    trail: list[tuple[Card | None, IntArray]] = [(None, pool.item)]
    for number, card in enumerate(strategy.cards):
        if not card.on:
            continue
        pool = step(card, replace(pool, number=number), facts)
        trail.append((card, pool.item))
    return Outcome(finish(pool), tuple(trail), pool.propensity, strategy, pool, facts)


def step(card: Card, pool: Pool, facts: Facts) -> Pool:
    """Return the candidates after a card, whether it is on or not, placed again under the rules of all cards so far."""
    pool = card.step(pool, facts)
    return placed(pool, facts) if pool.rules and not isinstance(card, Explore) else pool


def finish(pool: Pool) -> TopK:
    """Return the final lists, padded to their length."""
    return TopK(filled(pool.item, pool.k, PAD), filled(pool.score, pool.k, np.nan).astype(np.float32))


def start(strategy: Strategy, lists: TopK | Mapping[str, TopK], users: IntArray) -> Pool:
    """Return the candidates before the first card."""
    if not isinstance(lists, TopK) and not lists:
        raise ConfigError(_("A strategy needs the lists of at least one model."))
    sources = {} if isinstance(lists, TopK) else {key: one.head(strategy.pool) for key, one in lists.items()}
    base = lists.head(strategy.pool) if isinstance(lists, TopK) else next(iter(sources.values()))
    return Pool(users, base.item, base.score.astype(np.float64), strategy.k, sources=sources)
