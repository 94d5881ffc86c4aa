"""Filter: keeps or drops the candidates that meet a condition, as the SQL that it prints does."""

from typing import Literal

import numpy as np

from recsys_core.contracts import PAD
from recsys_core.strategy.card import Card, concerned
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.pool import Pool
from recsys_core.strategy.relevance import NONE


class Filter(Card):
    """Keeps or drops the items that meet a condition."""

    kind: Literal["filter"] = "filter"
    when: Condition
    action: Literal["keep", "drop"] = "keep"

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates that stay, in their order."""
        met = concerned(self, pool, facts)
        stays = (met if self.action == "keep" else ~met) & (pool.item != PAD)
        order = np.argsort(~stays, axis=1, kind="stable")
        return pool.taking(np.where(np.take_along_axis(stays, order, axis=1), order, NONE))

    def sql(self) -> str:
        """Return the filter as a DuckDB query.

        It reads the tables `candidates` (user, item: positions), `items` and `users` (`Facts.table` and
        `Facts.user_table` with their `position`), and `pairs` (`Facts.pairs`).
        """
        met = self.when.sql()
        return (
            "SELECT candidate.user, candidate.item FROM candidates AS candidate\n"
            "JOIN items AS item ON item.position = candidate.item\n"
            'JOIN users AS "user" ON "user".position = candidate.user\n'
            "LEFT JOIN pairs AS pair ON pair.user = candidate.user AND pair.item = candidate.item\n"
            f"WHERE {met if self.action == 'keep' else f'({met}) IS NOT TRUE'}"
        )
