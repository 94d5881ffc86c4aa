"""Base class of linear item models: the score of an item is a weighted sum over the items of the history."""

from typing import ClassVar, TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import Explanation, FloatArray, ModelConfig, QueryBatch
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import Sparse, compiled, sparse

C = TypeVar("C", bound=ModelConfig)
TILE = 512
"""Number of columns of dense weights per tile, chosen to fit the processor's cache."""


class LinearItemModel(Recommender[C]):
    """Scores x_ui = sum over j in the history of h_uj W_ji; `_fit` must set `item_weights`, W.

    W is dense (I, I), or CSR where row j holds the weights of history item j. An item without any weight from the
    history has no score (NaN); with dense weights this holds for empty histories alone.

    Scores depend on the history alone, so unknown users are scored exactly like training users.
    """

    fitted: ClassVar[tuple[str, ...]] = ("item_weights",)
    scores_in_threads = True
    item_weights: FloatArray | csr_array

    def _score(self, query: QueryBatch) -> FloatArray:
        return weighted_sums(self.inputs(query), self.item_weights)

    def inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) the input h of each history: by default the confidence of each item, 1 without weights."""
        return self._history_confidence(query)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into contributions of the history items.

        Raises:
            CannotScore: No item of the history has a weight for the item.
        """
        score = self._score_to_explain(query, item)
        inputs = self.inputs(query)
        sources = inputs.indices.astype(np.int64)
        weights = self.item_weights[:, [item]]
        column = weights.toarray()[:, 0] if isinstance(weights, csr_array) else weights[:, 0]
        shares = inputs.data * column[sources].astype(np.float64)
        nonzero = shares != 0.0
        return Explanation(item, score, "history", sources[nonzero], shares[nonzero], 0.0)


def weighted_sums(inputs: csr_array, weights: FloatArray | csr_array) -> FloatArray:
    """Return (B, I) inputs @ weights, NaN for empty sums; every row is summed in the order of its entries.

    Args:
        inputs: (B, I), one row per user.
        weights: (I, I) dense or CSR.
    """
    if isinstance(weights, csr_array):
        sums = np.full(inputs.shape, np.nan)
        _add_sparse(sparse(inputs), _without_copy(weights), sums)
    else:
        sums = np.zeros(inputs.shape)
        _add_dense(sparse(inputs), weights, sums)
        sums[np.diff(inputs.indptr) == 0] = np.nan
    return sums


def _without_copy(weights: csr_array) -> Sparse:
    """Return weights for compiled code; their values keep their dtype, since the arrays may be large."""
    ordered = weights if weights.has_sorted_indices else weights.sorted_indices()
    narrow = ordered.indices.dtype == np.int32
    column = ordered.indices.view(np.uint32) if narrow else ordered.indices.astype(np.uint32)
    return Sparse(ordered.indptr.astype(np.int64), column, ordered.data)


@compiled
def _add_sparse(inputs: Sparse, weights: Sparse, sums: FloatArray) -> None:
    """Add inputs @ weights to `sums` (B, I), which is NaN before the first addition."""
    for user in range(len(sums)):
        row = sums[user]
        for entry in range(inputs.start[user], inputs.start[user + 1]):
            source = inputs.column[entry]
            for place in range(weights.start[source], weights.start[source + 1]):
                item = weights.column[place]
                before = 0.0 if np.isnan(row[item]) else row[item]
                row[item] = before + inputs.value[entry] * weights.value[place]


@compiled
def _add_dense(inputs: Sparse, weights: FloatArray, sums: FloatArray) -> None:
    """Add inputs @ weights to `sums` (B, I), a tile of columns at a time."""
    for left in range(0, sums.shape[1], TILE):
        right = min(left + TILE, sums.shape[1])
        for user in range(len(sums)):
            row = sums[user, left:right]
            for entry in range(inputs.start[user], inputs.start[user + 1]):
                value = inputs.value[entry]
                source = weights[inputs.column[entry], left:right]
                for column in range(right - left):
                    row[column] += value * source[column]
