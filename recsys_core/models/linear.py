"""What linear item models share: the score of an item is a weighted sum of the items in the history."""

from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import Explanation, FloatArray, IntArray, ModelConfig, QueryBatch
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled
from recsys_core.models.histories import history_matrix

C = TypeVar("C", bound=ModelConfig)
TILE = 512
"""Columns of dense weights that are worked on together, so that they stay in the processor's cache."""


class LinearItemModel(Recommender[C]):
    """Scores x_ui = sum over j in the history of h_uj W_ji; `_fit` has to make `item_weights`, W.

    W is dense (I, I), or CSR with row j holding the items that j speaks for. An item that nothing in the history speaks
    for has no score (NaN); with dense weights everything speaks for everything, and only an empty history has no scores.

    Scores depend on the history alone, so unknown people are served exactly like training users.
    """

    fitted = ("item_weights",)
    item_weights: FloatArray | csr_array

    def _score(self, query: QueryBatch) -> FloatArray:
        return weighted_sums(self._inputs(query), self.item_weights)

    def _inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) what each history holds, h: by default 1 for each item."""
        return history_matrix(query, self.n_items, "binary")

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the one person in `query` into the shares of the items in their history."""
        score = float(self.score(query)[0, item])
        inputs = self._inputs(query)
        sources = inputs.indices.astype(np.int64)
        weights = self.item_weights[:, [item]]
        column = weights.toarray()[:, 0] if isinstance(weights, csr_array) else weights[:, 0]
        shares = inputs.data * column[sources].astype(np.float64)
        spoke = shares != 0.0
        return Explanation(item, score, "history", sources[spoke], shares[spoke], 0.0)


def weighted_sums(inputs: csr_array, weights: FloatArray | csr_array) -> FloatArray:
    """Return (B, I) inputs @ weights, NaN where nothing was added; every row is summed in the order of its entries.

    Args:
        inputs: (B, I), one row a person.
        weights: (I, I) dense or CSR.
    """
    sums = np.full(inputs.shape, np.nan, dtype=np.float32 if not isinstance(weights, csr_array) else np.float64)
    if isinstance(weights, csr_array):
        parts = (weights.indptr, weights.indices, weights.data)
        _add_sparse(inputs.indptr, inputs.indices, inputs.data, *parts, sums)
    else:
        sums[np.diff(inputs.indptr) > 0] = 0.0
        _add_dense(inputs.indptr, inputs.indices, inputs.data.astype(weights.dtype), weights, sums)
    return sums


@compiled
def _add_sparse(
    start: IntArray,
    items: IntArray,
    values: FloatArray,
    weights_start: IntArray,
    weights_items: IntArray,
    weights: FloatArray,
    sums: FloatArray,
) -> None:
    for person in range(len(sums)):
        row = sums[person]
        for entry in range(start[person], start[person + 1]):
            source = items[entry]
            for place in range(weights_start[source], weights_start[source + 1]):
                item = weights_items[place]
                before = 0.0 if np.isnan(row[item]) else row[item]
                row[item] = before + values[entry] * weights[place]


@compiled
def _add_dense(start: IntArray, items: IntArray, values: FloatArray, weights: FloatArray, sums: FloatArray) -> None:
    for left in range(0, sums.shape[1], TILE):
        right = min(left + TILE, sums.shape[1])
        for person in range(len(sums)):
            row = sums[person, left:right]
            for entry in range(start[person], start[person + 1]):
                value = values[entry]
                source = weights[items[entry], left:right]
                for column in range(right - left):
                    row[column] += value * source[column]
