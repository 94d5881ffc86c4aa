r"""Implicit alternating least squares (iALS): matrix factorization of all pairs, observed or not.

    x_ui = p_u . q_i

minimizes, over all users and items,

    sum_{(u,i) observed} c_ui (1 - x_ui)^2 + a0 sum_{u,i} x_ui^2
        + lambda (sum_u (n_u + a0 I)^nu |p_u|^2 + sum_i (n_i + a0 U)^nu |q_i|^2)

Every pair, observed or not, is pulled towards 0 with the weight a0, and observed ones to 1 with the weight 1, or c_ui,
the confidence of `weights.py`, if interactions have weights; a pair of negative confidence is pulled to 0 with |c_ui|.
n_u is the number of the user's items (the sum of |c_ui|). Each row is regularized in proportion to the weight of its
terms in the loss (nu = 1), so that popular items are not under-regularized; nu = 0 is the constant regularization of
Hu et al. With nu = 0, a0 = 1 / (C - 1) and lambda = l / C the model is that of `implicit`, whose observed pairs have
confidence C and regularization l, up to one factor of all scores.

With the items fixed, each user is a ridge regression, and the other way round, so training alternates between both
sides. A row is solved by conjugate gradient from its last value until its predictions are within `TOLERANCE` of the
exact ones, or directly by Cholesky decomposition; see `ials_solvers.py`. On ML-1M with 64 factors conjugate gradient
takes two steps per row on average. Before each half, the factors of both sides are rotated to the principal axes of the
fixed side, which changes no score.

A user is the exact solution for their history, so an unknown user is scored like a known one with the same history. The
score is then a weighted sum over the history (`explain`):

    x_ui = sum_{j in P(u)} c_uj q_i^T A_u^-1 q_j,     A_u = a0 Q^T Q + penalty_u 1 + sum_{j in P(u)} |c_uj| q_j q_j^T

Sources: Hu, Koren and Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets", eq. 3 to 7; Rendle,
Krichene, Zhang and Koren 2021, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", for the loss,
the regularization by frequency and the initial values.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.batches import PAD, FloatArray, QueryBatch
from recsys_core.contracts import Ability, Explanation, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.data.random_keys import Keys
from recsys_core.models.base import Recommender
from recsys_core.models.biased_mf import add_products
from recsys_core.models.ials_solvers import Fixed, Side, cholesky, conjugate_gradient
from recsys_core.models.observed import Rows, observed, row_keys, rows_of, total_confidence, turned
from recsys_core.training.blocks import run_in_blocks, silent
from recsys_core.training.epochs import run_epochs

BLOCK = 256
"""Number of rows that a thread solves at a time; fixed, so that results do not depend on the number of threads."""
TOLERANCE = 1e-4
"""Accepted root mean square error of predictions in training; predictions of observed pairs are between 0 and 1."""
EXACT = 1e-6
"""The same for the users of queries: the precision of single floats."""


class IalsConfig(ModelConfig):
    """Settings of iALS."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 512, scale="log", symbol="D")] = 64
    """Number of latent factors per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 50, scale="log")] = 15
    """Number of times that all users and then all items are solved."""
    regularization: Annotated[float, Field(gt=0, le=1e4), Knob(1e-4, 0.1, scale="log", symbol=r"\lambda")] = 0.003
    """L2 regularization of the factors, per unit of weight in the loss (see the frequency exponent)."""
    unobserved_weight: Annotated[float, Field(gt=0, le=1e3), Knob(0.01, 2.0, scale="log", symbol=r"\alpha_0")] = 1.0
    """Weight of each user-item pair in the loss, observed or not, as a pair with target 0; an observed interaction has
    weight 1 with target 1. Smaller values suit larger catalogs."""
    frequency_exponent: Annotated[float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol=r"\nu")] = 1.0
    """1 regularizes users and items in proportion to their weight in the loss (Rendle et al. 2021), 0 regularizes all
    alike (Hu et al. 2008), with a suitably larger regularization."""
    init_std: Annotated[float, Field(gt=0, le=100), Knob(0.01, 1.0, scale="log", symbol=r"\sigma")] = 0.1
    """Standard deviation of the norm of the initial item factors."""
    solver: Annotated[Literal["conjugate_gradient", "cholesky"], Knob()] = "conjugate_gradient"
    """Solver of the ridge regressions: conjugate gradient, to a tolerance of 0.0001 in the predictions, or the slower
    Cholesky decomposition, which is exact."""


class Ials(Recommender[IalsConfig]):
    """Scores an item by the dot product of user and item factors, learned by alternating least squares."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="ials",
        title="iALS (implicit MF)",
        family="matrix factorization",
        idea="Learns latent factors from all user-item pairs, with a small weight on unobserved ones.",
        formula=r"\hat{x}_{ui} = p_u^\top q_i, \quad p_u = A_u^{-1} \sum_{j \in P(u)} q_j",
        source="Hu, Koren and Volinsky 2008, eq. 3 to 7; Rendle et al. 2021 (Revisiting iALS)",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        weights="Weight of an observed pair in the loss, and of a history item: log2(1 + weight / median weight).",
        views=("space", "tastes"),
    )
    config_type = IalsConfig
    fitted = ("user_factors", "item_factors", "base", "user_keys")
    scores_in_threads = True

    user_factors: FloatArray
    """(U, D) float32; 0 for users without interactions."""
    item_factors: FloatArray
    """(I, D) float32, on their principal axes."""
    base: FloatArray
    """(D,) float32 diagonal of a0 Q^T Q."""
    user_keys: Keys
    """(U,) keys of the histories that the user factors are the solutions for."""

    @classmethod
    def formula_of(cls, config: IalsConfig, *, rated: bool, weighted: bool) -> str:
        """Return the score of a user, who is the solution for the history, with confidences if there are weights."""
        return cls.info.formula.replace(" q_j", r" c_{uj} q_j") if weighted else cls.info.formula

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        by_user = observed(train, self.weight_unit)
        by_item = turned(by_user, self.n_items)
        sides = self._side(by_user, self.n_items), self._side(by_item, self.n_users)
        size, rng = self.config.factors, ctx.rng("ials", "start")
        users = np.zeros((self.n_users, size), dtype=np.float32)
        items = rng.standard_normal((self.n_items, size), dtype=np.float32)
        items *= np.float32(self.config.init_std / np.sqrt(size))
        self.user_keys = row_keys(by_user)

        def one_epoch(number: int) -> Mapping[str, float]:
            self._improve(sides[0], users, items, ctx)
            loss = self._improve(sides[1], items, users, ctx)
            loss += float(sides[0].penalty @ np.square(users).sum(axis=1, dtype=np.float64))
            measured = {}
            if ctx.validate is not None:
                self._take(sides[0], items.copy(), ctx)
                measured = dict(self._measured(ctx))
            return {"loss": loss / max(1, len(by_user.column))} | measured

        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # the blocks are what runs in parallel
            run_epochs(one_epoch, self.config.epochs, ctx)
            self._take(sides[0], items, ctx)

    def _side(self, rows: Rows, others: int) -> Side:
        """Return the systems of users or items, `others` being the size of the other side."""
        weight = total_confidence(rows) + self.config.unobserved_weight * others
        return Side(rows, (self.config.regularization * weight**self.config.frequency_exponent).astype(np.float32))

    def _improve(self, side: Side, moving: FloatArray, fixed: FloatArray, ctx: RunContext) -> float:
        """Solve all rows of `moving` and return the loss before that, without the regularization of `fixed`."""
        base = self._rotate(fixed, moving)
        other, losses = Fixed(fixed, base), np.zeros(-(-len(moving) // BLOCK))

        def solve(first: int, end: int) -> None:
            if self.config.solver == "cholesky":
                losses[first // BLOCK] = cholesky(side, other, moving, first, end)
            else:
                steps = 2 * self.config.factors
                losses[first // BLOCK] = conjugate_gradient(side, other, moving, first, end, TOLERANCE, steps)

        run_in_blocks(solve, len(moving), BLOCK, silent(ctx), stage="solve")
        return float(losses.sum())

    def _rotate(self, fixed: FloatArray, moving: FloatArray) -> FloatArray:
        """Rotate both sides to the principal axes of `fixed`, and return (D,) the diagonal of a0 Z^T Z, float32.

        All sums run over blocks of constant size, whatever the number of threads.
        """
        gram = np.zeros((fixed.shape[1],) * 2)
        for first in range(0, len(fixed), 16 * BLOCK):
            part = fixed[first : first + 16 * BLOCK]
            gram += part.T @ part
        values, axes = np.linalg.eigh(gram)
        axes = axes[:, ::-1].astype(np.float32)  # strongest axis first
        for factors in (fixed, moving):
            for first in range(0, len(factors), 16 * BLOCK):
                factors[first : first + 16 * BLOCK] = factors[first : first + 16 * BLOCK] @ axes
        base: FloatArray = (self.config.unobserved_weight * np.maximum(values[::-1], 0.0)).astype(np.float32)
        return base

    def _take(self, side: Side, items: FloatArray, ctx: RunContext) -> None:
        """Store the item factors, rotated in place, and the exact factors of all training users."""
        self.user_factors = np.zeros((self.n_users, self.config.factors), dtype=np.float32)
        self.base = self._rotate(items, self.user_factors[:0])
        self.item_factors = items

        def solve(first: int, end: int) -> None:
            self._solve_exactly(side, self.user_factors, first, end)

        run_in_blocks(solve, self.n_users, BLOCK, silent(ctx), stage="solve")

    def _solve_exactly(self, side: Side, factors: FloatArray, first: int, end: int) -> None:
        """Fill rows first..end of `factors`, which are 0, with the factors of users; depends on their rows alone."""
        fixed = Fixed(self.item_factors, self.base)
        conjugate_gradient(side, fixed, factors, first, end, EXACT, 4 * self.config.factors)

    def _score(self, query: QueryBatch) -> FloatArray:
        factors = self.factors_of(query)[1]
        scores: FloatArray = np.zeros((len(query), self.n_items))
        add_products(factors, np.ascontiguousarray(self.item_factors.T, dtype=np.float64), scores)
        scores[query.history.lengths == 0] = np.nan
        return scores

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) biases, which are 0, and (B, D) factors: the solution for each history, 0 without one.

        Training users whose history is that of the training data have stored factors, which equal the solution.
        """
        rows = rows_of(self._history_confidence(query))
        known = query.user != PAD
        known[known] = self.user_keys[query.user[known]] == row_keys(rows)[known]
        factors = np.zeros((len(query), self.config.factors), dtype=np.float32)
        factors[known] = self.user_factors[query.user[known]]
        side = self._side(rows, self.n_items)
        for row in np.flatnonzero(~known).tolist():
            self._solve_exactly(side, factors, row, row + 1)
        return np.zeros(len(query)), factors.astype(np.float64)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the contributions c_uj q_i^T A_u^-1 q_j of the history items.

        Raises:
            CannotScore: The history is empty.
        """
        score = self._score_to_explain(query, item)
        history = self._history_confidence(query)
        factors = self.item_factors[history.indices].astype(np.float64)  # (n, D)
        penalty = self._side(rows_of(history), self.n_items).penalty[0]
        matrix = (factors.T * np.abs(history.data)) @ factors + np.diag(self.base.astype(np.float64) + penalty)
        direction = np.linalg.solve(matrix, self.item_factors[item].astype(np.float64))
        weights = np.maximum(history.data, 0.0) * (factors @ direction)
        sizes = np.abs(weights)
        weights += (score - weights.sum()) * sizes / max(sizes.sum(), 1e-300)  # rounding of single-precision factors
        return Explanation(item, score, "history", history.indices.astype(np.int64), weights, 0.0)

    @classmethod
    def memory_estimate(cls, config: IalsConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors, once more those of the users, and of both tables of pairs while made."""
        factors = 4 * config.factors * (2 * n_users + n_items)
        return factors + 16 * n_interactions + 40 * (n_users + n_items) + 2**20

    @classmethod
    def work_estimate(cls, config: IalsConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of three passes per pair and side, or of the matrices and their decompositions."""
        size = float(config.factors)
        per_row = size**2 / 10.0
        per_pair = size / 2.0
        if config.solver == "cholesky":
            per_row, per_pair = size**3 / 10.0, size**2 / 10.0
        return config.epochs * (2.0 * per_pair * n_interactions + per_row * (n_users + n_items))
