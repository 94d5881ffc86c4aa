"""Lists as a strategy shows them, for a user with an edited history."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, RANK, RATING, SCORE, TIMESTAMP, USER
from recsys_core.contracts import PAD, FloatArray, QueryBatch, TopK
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import ACTIVITY, INACTIVE, Facts

OF_HISTORY = (ACTIVITY, INACTIVE)
"""Fields of a user that follow from the history, so a new user has them."""


class FactsOfQuery(Facts):
    """Facts of a data set in which one user has the history of a query, and no other user has any.

    Facts of items are those of the whole data.

    Args:
        facts: Facts of the whole data.
        query: One user.
        user: Position of the user in the data; `PAD` for a new user, who then has position 0; identifier and
            attributes are missing.
    """

    def __init__(self, facts: Facts, query: QueryBatch, user: int = PAD) -> None:
        super().__init__(_data_of(facts.data, query, max(user, 0)), facts.at)
        self._facts = facts
        self._known_user = user != PAD

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item; see `Facts.table`."""
        return self._facts.table

    @cached_property
    def user_table(self) -> pd.DataFrame:
        """One row per user, all columns of the data; see `Facts.user_table`."""
        table = super().user_table
        if self._known_user:
            return table
        other = table.index != 0
        own = {name: table[name] if name in OF_HISTORY else table[name].where(other, None) for name in table}
        return pd.DataFrame(own)

    @cached_property
    def shares(self) -> FloatArray:
        """(I, G) distribution over categories; see `Facts.shares`."""
        return self._facts.shares

    @cached_property
    def now(self) -> float:
        """When the strategy is applied; see `Facts.now`."""
        return self._facts.now

    def outcomes(self, event: str, relevant_from: float | None) -> tuple[FloatArray, FloatArray]:
        """Return (I,) successes and (I,) failures of each item; see `Facts.outcomes`."""
        return self._facts.outcomes(event, relevant_from)

    @cached_property
    def vectors(self) -> FloatArray:
        """(I, D) item vectors; see `Facts.vectors`."""
        return self._facts.vectors


def _data_of(data: Dataset, query: QueryBatch, user: int) -> Dataset:
    """Return the data with the interactions of one query alone, as those of one user."""
    frame = pd.DataFrame({USER: np.int32(user), ITEM: query.history.values.astype(np.int32)})
    if data.has_ratings:
        frame[RATING] = query.values
    if data.has_timestamps:
        frame[TIMESTAMP] = NO_TIMESTAMP if query.timestamps is None else query.timestamps
    return replace(data.with_interactions(frame), columns=frozenset(frame.columns))


def served(
    strategy: Strategy, frame: pd.DataFrame, query: QueryBatch, facts: Facts, k: int, *, user: int = PAD
) -> pd.DataFrame:
    """Return the list of one user as a strategy shows it: `rank` from 1, `item`, `score`.

    Args:
        strategy: Cards that are applied to the list.
        frame: `item` and `score` of the best candidates of a model, best first; see `what_if.ranked`.
        query: The user with their history.
        facts: Facts of the data.
        k: Length of the list, instead of that of the strategy.
        user: Position of the user in the data; `PAD` for a new user.

    Raises:
        ConfigError: A card needs something that the data lack.
    """
    items, scores = frame[ITEM].to_numpy(np.int64), frame[SCORE].to_numpy(np.float64)
    if not len(items):  # a pin needs a place in an empty list, too
        items, scores = np.array([PAD]), np.array([np.nan])
    candidates = TopK(items[None], scores[None])
    sized = strategy.model_copy(update={"k": k, "pool": max(k, strategy.pool)})
    top = apply(sized, candidates, np.array([max(user, 0)]), FactsOfQuery(facts, query, user)).lists
    filled = top.item[0] != PAD
    return pd.DataFrame({RANK: np.arange(1, filled.sum() + 1), ITEM: top.item[0][filled], SCORE: top.score[0][filled]})
