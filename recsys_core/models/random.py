"""Random lists: the floor under every comparison. A model that does not beat it has learned nothing."""

from typing import ClassVar

import numpy as np

from recsys_core.contracts import (
    IGNORES_WEIGHTS,
    PAD,
    FloatArray,
    IntArray,
    ModelConfig,
    ModelInfo,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender

KNOWN, UNKNOWN = 0, 1
"""Two families of streams, so that a user's position is never taken for somebody's history."""


class RandomConfig(ModelConfig):
    """Random has no settings; its seed is that of the run."""


class Random(Recommender[RandomConfig]):
    """Scores every item by a number drawn uniformly from 0 to 1.

    Each user has a stream of their own, named by the seed and the user's position (an unknown person's by the seed and
    their history). So a user's list does not depend on who else is asked for, and is the same in every run of a seed.
    """

    info: ClassVar[ModelInfo] = ModelInfo(
        key="random",
        title="Random",
        family="floor",
        idea="Recommends by drawing lots, one draw for each person.",
        formula=r"\hat{x}_{ui} \sim U(0, 1)",
        source="The usual control of an experiment.",
        stochastic=True,
        weights=IGNORES_WEIGHTS,
    )
    config_type = RandomConfig
    fitted = ("seed",)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="draw the seed"):
            self.seed = np.array(ctx.rng("random").integers(2**63), dtype=np.int64)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.empty((len(query), self.n_items))
        for row, (user, history) in enumerate(zip(query.user, query.history, strict=True)):
            scores[row] = self._stream(int(user), history).random(self.n_items)
        return scores

    def _stream(self, user: int, history: IntArray) -> np.random.Generator:
        path = [UNKNOWN, *history.tolist()] if user == PAD else [KNOWN, user]
        return np.random.default_rng([int(self.seed), *path])
