"""EASE: a linear item-item model with a closed-form solution.

Each item is predicted from all others by ridge regression with the diagonal forced to zero:

    B = argmin ||X - X B||^2 + lambda ||B||^2   with   B_jj = 0
    P = (X^T X + lambda I)^-1,   B_ij = -P_ij / P_jj  for i != j

X is 1 for each observed pair, whatever its rating. If interactions have weights, X is the confidence c_ui of
`weights.py`, in training and in the histories of queries.

The inverse is dense: I x I numbers of 8 bytes, and of 4 bytes for the weights, so 100,000 items would need 112 GiB.
With `max_items`, the regression is restricted to the most popular items. The others have no score, and no effect in a
history.

Source: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import Ability, FloatArray, IntArray, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.compiled import compiled
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.solvers import gram_matrix, inverse_of_positive_definite
from recsys_core.training.blocks import run_in_blocks


class EaseConfig(ModelConfig):
    """Settings of EASE."""

    added: ClassVar[Mapping[str, Any]] = {"max_items": None}
    regularization: Annotated[float, Field(gt=0, le=1e6), Knob(1, 1e4, scale="log", symbol=r"\lambda")] = 500.0
    """L2 regularization, added to the diagonal of the item-item Gram matrix, in interactions. Larger values give
    smoother weights and favor popular items."""
    max_items: (
        Annotated[int, Field(ge=2, le=100_000), Knob(100, 20_000, scale="log", advanced=True, searched=False)] | None
    ) = None
    """Number of most popular items that can be recommended; the others are left out, which saves memory and time. None:
    all items."""


class Ease(LinearItemModel[EaseConfig]):
    """Scores an item by the weighted sum of the items in a user's history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="ease",
        title="EASE",
        family="linear",
        idea="Predicts each item from all others by one ridge regression, solved in closed form.",
        formula=r"\hat{x}_{ui} = \sum_{j \in P(u)} B_{ji}",
        source="Steck 2019, eq. 8",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="The regression and the histories use log2(1 + weight / median weight) of each interaction.",
        views=("around", "items"),
    )
    config_type = EaseConfig

    @classmethod
    def formula_of(cls, config: EaseConfig, *, rated: bool, weighted: bool) -> str:
        """Return the weighted sum over the history, with confidences if interactions have weights."""
        return r"\hat{x}_{ui} = \sum_{j \in P(u)} c_{uj} B_{ji}" if weighted else cls.info.formula

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        confidence = self._training_confidence(train)
        most = self.config.max_items
        if most is None or most >= self.n_items:
            self.item_weights = self._weights(confidence, ctx)
            return
        kept = self._most_popular(confidence, most)
        weights = self._weights(confidence[:, kept], ctx)  # (N, N)
        length = np.zeros(self.n_items, dtype=np.int64)
        length[kept] = len(kept)
        starts = np.concatenate([[0], np.cumsum(length)])
        columns = np.tile(kept.astype(np.int32), len(kept))
        self.item_weights = csr_array((weights.ravel(), columns, starts), shape=(self.n_items, self.n_items))

    def _most_popular(self, confidence: csr_array, most: int) -> IntArray:
        """Return (N,) positions of the items with the most users, increasing; ties by the tie-breaking keys."""
        users = np.bincount(confidence.indices, minlength=self.n_items)
        chosen: IntArray = np.sort(np.lexsort((self.tie_keys, -users))[:most])
        return chosen

    def _weights(self, confidence: csr_array, ctx: RunContext) -> FloatArray:
        """Return (I, I) the weights B, float32."""
        gram = gram_matrix(confidence, ctx)  # (I, I)
        gram[np.diag_indices_from(gram)] += self.config.regularization
        for _ in ctx.track(range(1), stage="invert the Gram matrix"):
            precision = inverse_of_positive_definite(gram)
        weights = np.empty(gram.shape, dtype=np.float32)
        diagonal = np.diag(precision).copy()

        def divide(first: int, end: int) -> None:
            _divide_by_diagonal(precision, diagonal, weights, first, end)

        run_in_blocks(divide, len(gram), 256, ctx, stage="divide by the diagonal")
        return weights

    @classmethod
    def memory_estimate(cls, config: EaseConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the Gram matrix in float64, of the weights in float32, and of the data."""
        kept = min(n_items, config.max_items or n_items)
        return kept * kept * (8 + 4) + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def smaller(
        cls, config: EaseConfig, n_users: int, n_items: int, n_interactions: int, most: int
    ) -> Mapping[str, Any]:
        """Return the largest `max_items` that fits into `most` bytes."""
        free = most - super().memory_estimate(config, n_users, n_items, n_interactions)
        kept = min(100_000, math.isqrt(max(0, free) // (8 + 4)))
        return {"max_items": kept} if 100 <= kept < n_items else {}

    @classmethod
    def work_estimate(cls, config: EaseConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the inverse (n^3, LAPACK does about 30 of them per step) and of the Gram matrix."""
        kept = min(n_items, config.max_items or n_items)
        return float(kept) ** 3 / 30.0 + 3.0 * n_interactions * n_interactions / max(1, n_users)


@compiled
def _divide_by_diagonal(precision: FloatArray, diagonal: FloatArray, weights: FloatArray, first: int, end: int) -> None:
    """Fill rows first..end of B from the lower triangle of P, in square tiles that fit the cache."""
    tile = 64
    for top in range(first, end, tile):
        for left in range(0, len(diagonal), tile):
            for i in range(top, min(top + tile, end)):
                for j in range(left, min(left + tile, len(diagonal))):
                    value = precision[i, j] if j <= i else precision[j, i]
                    weights[i, j] = np.float32(-value / diagonal[j]) if i != j else np.float32(0.0)
