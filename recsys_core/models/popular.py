"""Popularity: everybody gets the items that most people chose. The floor that every personal model must beat."""

from typing import ClassVar

import numpy as np

from recsys_core.contracts import FloatArray, ModelConfig, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender


class PopularConfig(ModelConfig):
    """Popularity has no settings."""


class Popular(Recommender[PopularConfig]):
    """Scores an item by the number of users who interacted with it."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="popular",
        title="Popularity",
        family="floor",
        idea="Recommends to everybody what most people chose.",
        formula=r"\hat{x}_{ui} = |R(i)|",
        source="The usual non-personal baseline; R(i) are the users who interacted with item i.",
        personal=False,
        folds_in=False,
    )
    config_type = PopularConfig
    fitted = ("popularity",)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="count interactions"):
            self.popularity = np.asarray(train.matrix("binary").sum(axis=0), dtype=np.float64)  # (I,)

    def _score(self, query: QueryBatch) -> FloatArray:
        return np.broadcast_to(self.popularity, (len(query), self.n_items))
