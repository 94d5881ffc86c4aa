"""Base class of factor models of the whole user-item matrix, in which a missing entry is a 0.

Unlike a matrix factorization of the observed ratings, such a model is trained to tell observed from missing pairs: it
ranks items, and does not predict ratings.

The values of the matrix are 1 for each observed pair or, if interactions have weights, the confidence c_ui of
`weights.py`; with `values="ratings"` they are the ratings, of which any is more than a missing one.

A user's factors are computed from the history alone, for training users and unknown users alike, so that fold-in is
exact.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import BoolArray, FloatArray, Knob, ModelConfig, QueryBatch
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.biased_mf import add_products

Values = Literal["interactions", "ratings"]


class ZeroFilledConfig(ModelConfig):
    """Setting of all models of the zero-filled matrix."""

    values: Annotated[Values, Knob()] = "interactions"
    """Entries of the matrix: 'interactions' are 1 or the confidence of their weights, 'ratings' are the ratings, if the
    data have any. Missing entries are 0."""


C = TypeVar("C", bound=ZeroFilledConfig)


class ZeroFilledModel(Recommender[C]):
    """Scores x_ui = p_u . q_i; `_fit` must call `_matrix` and set `user_factors` and `item_factors`."""

    fitted: ClassVar[tuple[str, ...]] = ("rated", "user_factors", "item_factors")
    scores_in_threads = True
    rated: BoolArray
    """() whether the entries of the matrix were ratings."""
    user_factors: FloatArray
    """(U, D) factors of the training users, for views; scores use those of the history."""
    item_factors: FloatArray
    """(I, D)."""

    def _matrix(self, train: Dataset) -> csr_array:
        """Return the (U, I) matrix to factorize, float64, and remember whether its entries are ratings."""
        self.rated = np.array(self.config.values == "ratings" and train.has_ratings)
        values = train.matrix("rating") if self.rated else self._training_confidence(train)
        return csr_array(values, dtype=np.float64)

    def inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) the row of the matrix of each history, float64."""
        return csr_array(self._history_values(query, rated=bool(self.rated)), dtype=np.float64)

    def factors_of(self, query: QueryBatch) -> tuple[FloatArray, FloatArray]:
        """(B,) bias, which is 0, and (B, D) factors computed from the history."""
        return np.zeros(len(query)), self._folded_in(self.inputs(query))

    @abstractmethod
    def _folded_in(self, histories: csr_array) -> FloatArray:
        """Return (B, D) the user factors of the rows of a (B, I) matrix; each row is computed separately."""

    def _score(self, query: QueryBatch) -> FloatArray:
        factors = self.factors_of(query)[1]
        scores = np.zeros((len(query), self.n_items))
        add_products(factors, np.ascontiguousarray(self.item_factors.T, dtype=np.float64), scores)
        scores[~factors.any(axis=1)] = np.nan
        return scores

    @staticmethod
    def entry(config: ZeroFilledConfig, *, rated: bool, weighted: bool) -> str:
        """Return an entry of the matrix as LaTeX; empty if all observed entries are 1."""
        if config.values == "ratings" and rated:
            return "r_{uj}"
        return "c_{uj}" if weighted else ""
