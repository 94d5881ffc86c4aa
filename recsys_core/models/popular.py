"""Popularity: every user gets the most popular items. The baseline that a personalized model must beat.

    x_ui = sum_v w_vi

w_vi is the sum of the weights of the interactions of user v with item i; without weights, it is 1 for each user who
interacted with the item, however often.

Source: the usual non-personalized baseline.
"""

from typing import ClassVar

import numpy as np

from recsys_core.contracts import FloatArray, FoldIn, ModelConfig, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender


class PopularConfig(ModelConfig):
    """Popularity has no settings."""


class Popular(Recommender[PopularConfig]):
    """Scores an item by the number of users who interacted with it, or by the weight of their interactions."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="popular",
        title="Popularity",
        family="baselines",
        idea="Recommends the items with the most interactions, the same to every user.",
        formula=r"\hat{x}_{ui} = |R(i)|",
        source="The usual non-personalized baseline; R(i) are the users who interacted with item i.",
        personal=False,
        fold_in=FoldIn.NONE,
        weights="An item's popularity is the sum of the weights of its interactions.",
    )
    config_type = PopularConfig
    fitted = ("popularity",)

    @classmethod
    def formula_of(cls, config: PopularConfig, *, rated: bool, weighted: bool) -> str:
        """Return the number of users, or with weights the sum of the weights of their interactions."""
        return r"\hat{x}_{ui} = \sum_{v \in R(i)} w_{vi}" if weighted else cls.info.formula

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="count interactions"):
            matrix = train.matrix("count" if train.has_weights else "binary")  # (U, I)
            self.popularity = np.asarray(matrix.sum(axis=0), dtype=np.float64)  # (I,)

    @classmethod
    def memory_estimate(cls, config: PopularConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the matrix of interactions during its construction."""
        return 14 * n_interactions + 24 * (n_users + n_items)

    def _score(self, query: QueryBatch) -> FloatArray:
        return np.broadcast_to(self.popularity, (len(query), self.n_items))
