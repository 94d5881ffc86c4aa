"""NMF: nonnegative matrix factorization of the user-item matrix with zeros for missing entries.

    min 1/2 ||X - P Q^T||^2 + lambda / 2 (||P||^2 + ||Q||^2)   with   P >= 0 (U, D),   Q >= 0 (I, D)
    x_ui = p_u . q_i

Since factors can only add, each is a part: a group of items that often occur together and of which a user has more or
less.

One epoch is one pass of coordinate descent over all p_u, with Q fixed, and one over all q_i, with P fixed (hierarchical
alternating least squares). With A = Q^T Q + lambda I and b = Q^T x_u, the optimal value of one factor of a user is

    p_ud = max(0, (b_d - sum_{e != d} A_de p_ue) / A_dd)

The descent starts from nonnegative parts of the singular vectors (NNDSVD), so the result does not depend on the seed.

A user's factors for scoring solve the same problem with Q fixed until convergence (nonnegative least squares), for
training users and unknown users alike.

Source: Lee and Seung 1999, "Learning the Parts of Objects by Non-Negative Matrix Factorization"; the updates as in
Cichocki and Phan 2009, "Fast Local Algorithms for Large Scale Nonnegative Matrix and Tensor Factorizations"; the start:
Boutsidis and Gallopoulos 2008, "SVD Based Initialization". scikit-learn has the same algorithm; it neither reports
epochs nor solves a user's factors to convergence.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import Ability, Explanation, FloatArray, Knob, ModelInfo, Progress, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.pure_svd import right_singular_vectors
from recsys_core.models.zero_filled import ZeroFilledConfig, ZeroFilledModel
from recsys_core.text import _
from recsys_core.training.blocks import run_in_blocks
from recsys_core.training.epochs import run_epochs

BLOCK = 256
"""Number of rows that a thread updates at a time."""
TOLERANCE, MAX_SWEEPS = 1e-9, 10_000
"""Nonnegative least squares stops when no factor changes by more than this share of the largest one."""


class NMFConfig(ZeroFilledConfig):
    """Settings of NMF."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 32
    """Number of factors (parts) per user and item."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 100, scale="log")] = 30
    """Number of passes over all users and all items."""
    regularization: Annotated[float, Field(ge=0, le=1e4), Knob(0.1, 1000, scale="log", symbol=r"\lambda")] = 10.0
    """L2 regularization of all factors, in interactions. Factors that explain less than this become 0."""


class NMF(ZeroFilledModel[NMFConfig]):
    """Learns nonnegative factors of users and items by coordinate descent."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="nmf",
        title="NMF",
        family="matrix factorization",
        idea="Explains each history as a sum of nonnegative parts, which are groups of items.",
        formula=r"\hat{x}_{ui} = p_u^\top q_i, \quad p_u = \arg\min_{p \ge 0} \|x_u - Q p\|^2 + \lambda \|p\|^2, \quad "
        r"x_{uj} = 1",
        source="Lee and Seung 1999; Cichocki and Phan 2009",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="Without ratings as values, the matrix and the histories use log2(1 + weight / median weight) of each "
        "interaction; negative weights count as 0.",
        views=("space", "tastes"),
    )
    config_type = NMFConfig

    @classmethod
    def formula_of(cls, config: NMFConfig, *, rated: bool, weighted: bool) -> str:
        """Return the product and the regression of the history, with the values of its entries."""
        value = cls.entry(config, rated=rated, weighted=weighted)
        return cls.info.formula.replace("x_{uj} = 1", f"x_{{uj}} = {value}") if value else cls.info.formula

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        matrix = self._nonnegative(train)
        silent = replace(ctx, report=_ignore)
        users, items = sparse(matrix), sparse(csr_array(matrix.T.tocsr()))
        user_factors, item_factors = self._start(matrix, ctx)
        squares = float(np.square(matrix.data).sum())

        def one_epoch(number: int) -> Mapping[str, float]:
            self._pass(users, user_factors, item_factors, silent)
            self._pass(items, item_factors, user_factors, silent)
            self.item_factors = item_factors.copy()
            products = np.asarray(matrix.T @ user_factors)
            overlap = (user_factors.T @ user_factors) * (item_factors.T @ item_factors)
            squared = squares - 2.0 * float((products * item_factors).sum()) + float(overlap.sum())
            return {"rmse": float(np.sqrt(max(squared, 0.0) / np.prod(matrix.shape)))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)
        self.user_factors = self._folded_in(matrix).astype(np.float32)

    def _nonnegative(self, train: Dataset) -> csr_array:
        """Return the matrix to factorize.

        Raises:
            DataError: There are negative ratings.
        """
        matrix = self._matrix(train)
        if self.rated and (matrix.data < 0).any():
            raise DataError(
                _(
                    "NMF with ratings as values needs ratings of at least 0, but '{train_name}' has "
                    "negative ones; choose values = interactions."
                ).format(train_name=train.name)
            )
        matrix.data[matrix.data < 0] = 0.0
        return matrix

    def _start(self, matrix: csr_array, ctx: RunContext) -> tuple[FloatArray, FloatArray]:
        """Return initial (U, D) and (I, D) factors: the larger of the positive and negative parts of each pair."""
        for _step in ctx.track(range(1), stage="initialize by singular vectors"):
            right, values = right_singular_vectors(matrix, self.config.factors, ctx)
        left = (matrix @ right) / values
        sides = []
        for sign in (1.0, -1.0):
            parts = np.maximum(sign * left, 0.0), np.maximum(sign * right, 0.0)
            sides.append((*parts, np.linalg.norm(parts[0], axis=0) * np.linalg.norm(parts[1], axis=0)))
        first = sides[0][2] >= sides[1][2]
        users, items, size = (np.where(first, one, other) for one, other in zip(*sides, strict=True))
        scale = np.sqrt(values * size)
        users = users * (scale / np.maximum(np.linalg.norm(users, axis=0), 1e-300))
        items = items * (scale / np.maximum(np.linalg.norm(items, axis=0), 1e-300))
        return np.ascontiguousarray(users), np.ascontiguousarray(items)

    def _pass(self, rows: Sparse, factors: FloatArray, others: FloatArray, ctx: RunContext, sweeps: int = 1) -> None:
        """Improve `factors` (R, D) of all rows by coordinate descent with `others` (C, D) fixed."""
        gram = others.T @ others + self.config.regularization * np.eye(others.shape[1])

        def improve(first: int, end: int) -> None:
            descend_rows(rows, others, gram, factors, first, end, sweeps)

        run_in_blocks(improve, len(factors), BLOCK, ctx, stage="update factors")

    def _folded_in(self, histories: csr_array) -> FloatArray:
        items = self.item_factors
        factors = np.zeros((histories.shape[0], items.shape[1]))
        nonnegative = csr_array(
            (np.maximum(histories.data, 0.0), histories.indices, histories.indptr), shape=histories.shape
        )
        gram = items.T @ items + self.config.regularization * np.eye(items.shape[1])
        descend_rows(sparse(nonnegative), items, gram, factors, 0, len(factors), MAX_SWEEPS)
        return factors

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into the products of the factors.

        Source d is factor d + 1; factors that contribute nothing are left out.

        Raises:
            CannotScore: The user has no factors.
        """
        score = self._score_to_explain(query, item)
        products = self.factors_of(query)[1][0] * self.item_factors[item]
        used = np.flatnonzero(products)
        factor = _("factor {number}")
        labels = tuple(factor.format(number=number + 1) for number in used)
        return Explanation(item, score, "factors", used, products[used], 0.0, labels)

    @classmethod
    def memory_estimate(cls, config: NMFConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the factors with copies, and of the matrix by user and by item."""
        return 60 * min(config.factors, n_users, n_items) * (n_users + n_items) + 70 * n_interactions

    @classmethod
    def work_estimate(cls, config: NMFConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the epochs: two products per rating and factor, and D^2 per user and item."""
        rows = config.factors * config.factors * (n_users + n_items)
        return config.epochs * (3.0 * config.factors * n_interactions + rows) + 100.0 * n_interactions


def _ignore(progress: Progress) -> None:
    """Discard the progress of parts of an epoch."""


@compiled
def descend_rows(
    rows: Sparse, others: FloatArray, gram: FloatArray, factors: FloatArray, first: int, end: int, sweeps: int
) -> None:
    """Improve the factors of rows first..end by coordinate descent: nonnegative least squares if `sweeps` is large.

    Args:
        rows: (R, C) the matrix; a row without entries gets zeros.
        others: (C, D) the fixed factors.
        gram: (D, D) their products, with the regularization on the diagonal.
        factors: (R, D) updated in place.
        first: First row.
        end: One past the last row.
        sweeps: Maximum number of passes over the factors of a row.
    """
    target = np.empty(len(gram))
    for row in range(first, end):
        own = factors[row]
        target[:] = 0.0
        for entry in range(rows.start[row], rows.start[row + 1]):
            value, other = rows.value[entry], others[rows.column[entry]]
            for d in range(len(target)):
                target[d] += value * other[d]
        for _sweep in range(sweeps):
            largest, changed = 0.0, 0.0
            for d in range(len(own)):
                rest = target[d] + gram[d, d] * own[d]
                for e in range(len(own)):
                    rest -= gram[d, e] * own[e]
                best = max(rest / gram[d, d], 0.0) if gram[d, d] > 0.0 else 0.0
                changed = max(changed, abs(best - own[d]))
                largest = max(largest, best)
                own[d] = best
            if changed <= TOLERANCE * largest:
                break
