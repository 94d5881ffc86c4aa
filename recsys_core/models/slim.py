"""SLIM: a sparse linear item-item model.

Each item is predicted from all others by an elastic net, without itself and, by default, with weights >= 0:

    W = argmin 1/2 ||X - X W||^2 + lambda_2 / 2 ||W||^2 + lambda_1 ||W||_1   with   W_jj = 0   (and W >= 0)

X is 1 for each observed pair, whatever its rating. If interactions have weights, X is the confidence c_ui of
`weights.py`, in training and in the histories of queries.

The columns of W are independent. The column w of item j depends on the data through the Gram matrix G = X^T X alone,
and its solution is where no weight can improve the objective (the KKT conditions): with the gradient
g = G_j - G w - lambda_2 w,

    g_i = lambda_1 where w_i > 0,   g_i = -lambda_1 where w_i < 0,   |g_i| <= lambda_1 where w_i = 0

(only g_i <= lambda_1 in the last case, if W >= 0). Coordinate descent gives one weight after the other its optimal
value while the others are fixed, until no weight changes by more than `TOLERANCE`. Most weights are 0, so it runs on a
small set of active items, to which the items that violate their condition most are added until there are none; see
`slim_descent.py`. With negative weights, many more differ from 0, and training takes many times as long.

Source: Ning and Karypis 2011, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", whose objective has the
factors of 1/2, too. The descent with products of columns follows Friedman, Hastie and Tibshirani 2010, "Regularization
Paths for Generalized Linear Models via Coordinate Descent", section 2.2; W may have negative weights as an option.
"""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, vstack

from recsys_core.contracts import Ability, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.slim_descent import DENSE_FROM, Penalty, descend_columns, gram_of
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Number of items whose weights a thread computes at a time."""
TOLERANCE = 1e-6
"""Coordinate descent stops when no weight changes by more than this."""


class SlimConfig(ModelConfig):
    """Settings of SLIM."""

    l1_regularization: Annotated[float, Field(ge=0, le=1e6), Knob(0.1, 100, scale="log", symbol=r"\lambda_1")] = 1.0
    """L1 regularization, in interactions. Two items with at most this many common users get no weight, if weights are
    nonnegative. Larger values give fewer weights."""
    l2_regularization: Annotated[float, Field(gt=0, le=1e6), Knob(1, 1e4, scale="log", symbol=r"\lambda_2")] = 200.0
    """L2 regularization, added to the diagonal of the item-item Gram matrix, in interactions. Larger values spread the
    weight over similar items and favor popular items."""
    nonnegative: Annotated[bool, Knob(advanced=True)] = True
    """Whether weights are >= 0, so that an item of the history can only raise scores."""


class Slim(LinearItemModel[SlimConfig]):
    """Scores an item by the weighted sum of the few items in a user's history that predict it."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="slim",
        title="SLIM",
        family="linear",
        idea="Predicts each item from few others by an elastic net with nonnegative weights.",
        formula=r"\hat{x}_{ui} = \sum_{j \in P(u)} W_{ji}, \quad W = \arg\min_{W \ge 0,\, W_{jj} = 0} \tfrac{1}{2} "
        r"\|X - XW\|^2 + \tfrac{\lambda_2}{2} \|W\|^2 + \lambda_1 \|W\|_1",
        source="Ning and Karypis 2011",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="The regressions and the histories use log2(1 + weight / median weight) of each interaction.",
        views=("around", "items"),
    )
    config_type = SlimConfig
    item_weights: csr_array

    @classmethod
    def formula_of(cls, config: SlimConfig, *, rated: bool, weighted: bool) -> str:
        """Return the weighted sum over the history and the objective, with confidences if interactions have weights."""
        text = cls.info.formula if config.nonnegative else cls.info.formula.replace(r"W \ge 0,\, ", "")
        return text.replace("W_{ji}, ", "c_{uj} W_{ji}, ") if weighted else text

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        gram = gram_of(self._training_confidence(train), ctx)
        config = self.config
        penalty = Penalty(config.l1_regularization, config.l2_regularization, config.nonnegative, TOLERANCE)
        columns: dict[int, csr_array] = {}

        def descend(first: int, end: int) -> None:
            weights = np.zeros((end - first, self.n_items), dtype=np.float32)  # a row of `weights` is a column of W
            descend_columns(gram, penalty, first, weights)
            columns[first] = csr_array(weights)

        run_in_blocks(descend, self.n_items, BLOCK, ctx, stage="coordinate descent")
        by_target = vstack([columns[first] for first in sorted(columns)], format="csr")
        self.item_weights = csr_array(by_target.T.tocsr())  # (I, I), row j: weights of history item j

    @classmethod
    def memory_estimate(cls, config: SlimConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the Gram matrix, dense in float32 or sparse, of the weights, and of the data."""
        pairs, cells = 3.0 * n_interactions * n_interactions / max(1, n_users), float(n_items) ** 2
        gram = 4.0 * cells if pairs >= DENSE_FROM * cells else 16.0 * pairs  # few users have most pairs of items
        weights = 2.0 * 12.0 * min(200.0, 0.3 * n_items) * n_items
        return int(gram + weights) + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: SlimConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the Gram matrix, and per item those of about 500 updates of the gradient."""
        pairs = n_interactions * n_interactions / max(1, n_users)
        return 50.0 * n_interactions + 6.0 * pairs + 500.0 * min(float(n_items) ** 2, 12.0 * pairs) / 4.0
