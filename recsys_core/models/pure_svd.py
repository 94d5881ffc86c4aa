"""PureSVD: truncated singular value decomposition of the user-item matrix with zeros for missing entries.

    X ~ U S V^T,   x_ui = x_u V v_i^T

where U (U, D) and V (I, D) hold the singular vectors of the D largest singular values S. Since X V = U S, the
factors of a user are the projection of their history on V, for training users and unknown users alike: scores are
x_u V V^T, and each item j of the history contributes x_uj v_j . v_i.

Singular vectors are determined up to their sign: the entry of V of largest magnitude is positive in each column.
Directions whose singular value is 0 up to rounding are arbitrary and are left out.

The default entries are 1 for each observed pair; the paper uses ratings (`values="ratings"`). On ML-1M, with a random
fifth of each user's ratings held out, NDCG@10 was 0.406 with the former and 0.395 with the latter at D = 32, and 0.346
and 0.331 at D = 128.

Source: Cremonesi, Koren and Turrin 2010, "Performance of Recommender Algorithms on Top-N Recommendation Tasks". The
decomposition is that of scipy (ARPACK, an implicitly restarted Lanczos method).
"""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds

from recsys_core.contracts import Ability, Explanation, FloatArray, Knob, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.models.zero_filled import ZeroFilledConfig, ZeroFilledModel

SMALL = 256
"""Number of users or items up to which the decomposition is that of a dense matrix."""


class PureSVDConfig(ZeroFilledConfig):
    """Settings of PureSVD."""

    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 256, scale="log", symbol="D")] = 32
    """Number of singular vectors. Fewer give smoother scores."""


class PureSVD(ZeroFilledModel[PureSVDConfig]):
    """Projects a history on the main directions of the user-item matrix."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="pure_svd",
        title="PureSVD",
        family="matrix factorization",
        idea="Projects the history on the singular vectors of the user-item matrix, with zeros for missing entries.",
        formula=r"\hat{x}_{ui} = \sum_{j \in P(u)} v_j^\top v_i, \quad X \approx U S V^\top",
        source="Cremonesi, Koren and Turrin 2010",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="Without ratings as values, the matrix and the histories use log2(1 + weight / median weight) of each "
        "interaction.",
        views=("space", "tastes"),
    )
    config_type = PureSVDConfig

    @classmethod
    def formula_of(cls, config: PureSVDConfig, *, rated: bool, weighted: bool) -> str:
        """Return the sum over the history, with the values of its entries."""
        value = cls.entry(config, rated=rated, weighted=weighted)
        return cls.info.formula.replace("v_j", rf"{value} \, v_j", 1) if value else cls.info.formula

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        matrix = self._matrix(train)
        for _ in ctx.track(range(1), stage="singular value decomposition"):
            vectors = right_singular_vectors(matrix, self.config.factors, ctx)[0]
        self.item_factors = vectors.astype(np.float32)  # (I, D)
        self.user_factors = self._folded_in(matrix).astype(np.float32)  # (U, D)

    def _folded_in(self, histories: csr_array) -> FloatArray:
        return np.asarray(histories @ self.item_factors.astype(np.float64))

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into contributions of the history items.

        Raises:
            CannotScore: No item of the history has factors.
        """
        score = self._score_to_explain(query, item)
        inputs = self.inputs(query)
        sources = inputs.indices.astype(np.int64)
        factors = self.item_factors.astype(np.float64)
        shares = inputs.data * (factors[sources] @ factors[item])
        nonzero = shares != 0.0
        return Explanation(item, score, "history", sources[nonzero], shares[nonzero], 0.0)

    @classmethod
    def memory_estimate(cls, config: PureSVDConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the Lanczos vectors, of the factors in float64 and float32, and of three matrices."""
        smaller = min(n_users, n_items)
        factors = min(config.factors, smaller)
        lanczos = 8 * smaller * (3 * factors + 20)
        if smaller <= SMALL:
            lanczos = 8 * smaller * (2 * max(n_users, n_items) + 4 * smaller)
        return lanczos + 20 * factors * (n_users + n_items) + 40 * n_interactions

    @classmethod
    def work_estimate(cls, config: PureSVDConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of about five products with the matrix per factor, and of the orthogonalization."""
        smaller = min(n_users, n_items)
        return 50.0 * n_interactions + 5.0 * config.factors * (2.0 * n_interactions + 2.0 * config.factors * smaller)


def right_singular_vectors(matrix: csr_array, factors: int, ctx: RunContext) -> tuple[FloatArray, FloatArray]:
    """Return V (I, D) and S (D,), largest first, of a sparse (U, I) matrix; D <= `factors` is at most its rank.

    Raises:
        Cancelled: The run was cancelled; checked at each product with the matrix.
    """
    smaller = min(matrix.shape)
    if smaller <= SMALL:
        _, values, rows = np.linalg.svd(matrix.toarray(), full_matrices=False)
    else:
        # a fixed start, since the vectors do not depend on it: the same result for all seeds
        start = np.random.default_rng(0).standard_normal(smaller)
        _, values, rows = svds(
            _cancellable(matrix, ctx), k=min(factors, smaller - 1), v0=start, return_singular_vectors="vh"
        )
    order = np.argsort(-values, kind="stable")[:factors]
    order = order[values[order] > values.max() * max(matrix.shape) * np.finfo(np.float64).eps]
    vectors = rows[order].T
    largest = np.argmax(np.abs(vectors), axis=0)
    return vectors * np.sign(vectors[largest, np.arange(len(order))]), values[order]


def _cancellable(matrix: csr_array, ctx: RunContext) -> LinearOperator:
    """Return the matrix as an operator that stops when the run is cancelled."""
    turned = csr_array(matrix.T.tocsr())

    def product(vector: FloatArray) -> FloatArray:
        ctx.stop_if_requested("during the singular value decomposition")
        return np.asarray(matrix @ vector)

    return LinearOperator(
        matrix.shape, matvec=product, rmatvec=lambda vector: turned @ vector, matmat=product, dtype=np.float64
    )
