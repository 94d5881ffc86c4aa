"""Lists as a strategy shows them, for a user with an edited history."""

from functools import cached_property

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, RANK, SCORE
from recsys_core.contracts import PAD, FloatArray, IntArray, QueryBatch, TopK
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts


class FactsOfQuery(Facts):
    """Facts of a data set whose users are those of a query, in its order: interests follow the edited histories.

    Args:
        facts: Facts of the data.
        query: B users.
    """

    def __init__(self, facts: Facts, query: QueryBatch) -> None:
        super().__init__(facts.data)
        self._facts, self._query = facts, query

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item; see `Facts.table`."""
        return self._facts.table

    @cached_property
    def shares(self) -> FloatArray:
        """(I, G) distribution over categories; see `Facts.shares`."""
        return self._facts.shares

    @cached_property
    def vectors(self) -> FloatArray:
        """(I, D) item vectors; see `Facts.vectors`."""
        return self._facts.vectors

    def interests(self, users: IntArray) -> FloatArray:
        """Return (B, G) the distribution of categories in the history of each of these rows; zeros without one."""
        shares = self.shares
        total = np.array([shares[np.unique(self._query.history[row])].sum(axis=0) for row in users])
        total = total.reshape(len(users), shares.shape[1])
        sums = total.sum(axis=1, keepdims=True)
        interests: FloatArray = np.divide(total, sums, out=np.zeros(total.shape), where=sums > 0)
        return interests


def served(strategy: Strategy, frame: pd.DataFrame, query: QueryBatch, facts: Facts, k: int) -> pd.DataFrame:
    """Return the list of one user as a strategy shows it: `rank` from 1, `item`, `score`.

    Args:
        strategy: Cards that are applied to the list.
        frame: `item` and `score` of the best candidates of a model, best first; see `what_if.ranked`.
        query: The user.
        facts: Facts of the data.
        k: Length of the list, instead of that of the strategy.

    Raises:
        ConfigError: A card needs something that the data lack.
    """
    candidates = TopK(frame[ITEM].to_numpy(np.int64)[None], frame[SCORE].to_numpy(np.float64)[None])
    sized = strategy.model_copy(update={"k": k, "pool": max(k, strategy.pool)})
    top = apply(sized, candidates, np.array([0]), FactsOfQuery(facts, query)).lists
    filled = top.item[0] != PAD
    return pd.DataFrame({RANK: np.arange(1, filled.sum() + 1), ITEM: top.item[0][filled], SCORE: top.score[0][filled]})
