"""EASE: a linear item-item model with a closed-form solution.

Each item is predicted from all others by ridge regression with the diagonal forced to zero:

    B = argmin ||X - X B||^2 + lambda ||B||^2   with   B_jj = 0
    P = (X^T X + lambda I)^-1,   B_ij = -P_ij / P_jj  for i != j

X is 1 for each observed pair, whatever its rating. If interactions have weights, X is the confidence c_ui of
`weights.py`, in training and in the histories of queries.

Source: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8.
"""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from recsys_core.contracts import Ability, FloatArray, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.compiled import compiled
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.solvers import gram_matrix, inverse_of_positive_definite
from recsys_core.training.blocks import run_in_blocks


class EaseConfig(ModelConfig):
    """Settings of EASE."""

    regularization: Annotated[float, Field(gt=0, le=1e6), Knob(1, 1e4, scale="log", symbol=r"\lambda")] = 500.0
    """L2 regularization, added to the diagonal of the item-item Gram matrix, in interactions. Larger values give
    smoother weights and favor popular items."""


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
        gram = gram_matrix(self._training_confidence(train), ctx)  # (I, I)
        gram[np.diag_indices_from(gram)] += self.config.regularization
        for _ in ctx.track(range(1), stage="invert the Gram matrix"):
            precision = inverse_of_positive_definite(gram)
        self.item_weights = np.empty(gram.shape, dtype=np.float32)  # (I, I)
        diagonal = np.diag(precision).copy()

        def divide(first: int, end: int) -> None:
            _divide_by_diagonal(precision, diagonal, self.item_weights, first, end)

        run_in_blocks(divide, len(gram), 256, ctx, stage="divide by the diagonal")

    @classmethod
    def memory_estimate(cls, config: EaseConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the Gram matrix in float64, of the weights in float32, and of the data."""
        return n_items * n_items * (8 + 4) + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: EaseConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the inverse (n^3, LAPACK does about 30 of them per step) and of the Gram matrix."""
        return float(n_items) ** 3 / 30.0 + 3.0 * n_interactions * n_interactions / max(1, n_users)


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
