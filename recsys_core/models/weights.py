"""How the weight of an interaction enters models of implicit feedback: as confidence.

A purchase tells more than a view, and ten plays tell more than one, but not ten times as much. With w_ui the sum of the
weights of the interactions of user u with item i, and m the median weight of an interaction in the training data (those
of weight 0 left out),

    c_ui = log2(1 + |w_ui| / m), with the sign of w_ui

so an interaction of median weight counts 1, weights far below count in proportion, and weights far above by their
logarithm. Only ratios of weights matter: twice all weights give the same model. Where all weights are equal and no pair
is repeated, and where the data have no weights, c_ui = 1 for each pair that occurred. Each model's docstring says where
c_ui stands in its formula, and `ModelInfo.weights` says it on the page.

The logarithm is needed because weights may be counts: on lastfm-2k the weights are plays, from 1 to 352,698. There, a
random fifth held back, the NDCG@10 of `user_knn` was 0.210 and that of `item_knn` 0.150 (with the mean as m 0.204 and
0.134). Without weights it was 0.212 and 0.184: how often somebody was played tells these models less than who was.

Source: Hu, Koren and Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets", eq. 6: a confidence of
1 + alpha log(1 + r / epsilon). Here epsilon is the median, so that it needs no tuning for each data set, and the
constant is left out, so that an interaction of weight 0 tells nothing.
"""

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import WEIGHT
from recsys_core.contracts import FloatArray, QueryBatch
from recsys_core.data import Dataset
from recsys_core.models.histories import history_matrix


def typical_weight(train: Dataset) -> float:
    """Return the median size of the weights of the interactions that are not 0, NaN without weights; 1 if all are 0."""
    if not train.has_weights:
        return float("nan")
    sizes = np.abs(train.interactions[WEIGHT].to_numpy(np.float64))
    sizes = sizes[sizes > 0]
    return float(np.median(sizes)) if len(sizes) else 1.0


def confidence(weights: FloatArray, unit: float) -> FloatArray:
    """Return log2(1 + |w| / unit) with the sign of w, float32; 0 where all weights are 0.

    Args:
        weights: Any shape, sums of weights.
        unit: The weight that counts 1, from `typical_weight`.
    """
    size = np.abs(np.asarray(weights, dtype=np.float64)) / unit
    return (np.sign(weights) * np.log2(1.0 + size)).astype(np.float32)


def training_confidence(train: Dataset, unit: float) -> csr_array:
    """Return the (U, I) confidence of each pair that occurred, float32; 1 for each if `unit` is NaN."""
    if np.isnan(unit):
        return train.matrix("binary")
    matrix = train.matrix("count")
    return csr_array((confidence(matrix.data, unit), matrix.indices, matrix.indptr), shape=matrix.shape)


def history_confidence(query: QueryBatch, n_items: int, unit: float) -> csr_array:
    """Return the (B, I) confidence of histories by the same rule, float64; columns increase within a row.

    Args:
        query: B users; without weights each item of a history counts 1.
        n_items: I.
        unit: That of the training data; NaN if they had no weights: each item counts 1.
    """
    if np.isnan(unit) or query.weights is None:
        return history_matrix(query, n_items, "binary")
    items = query.history.values.astype(np.int32)
    sums = csr_array((query.weights.astype(np.float64), items, query.history.offsets), shape=(len(query), n_items))
    sums.sum_duplicates()
    values = confidence(sums.data, unit).astype(np.float64)
    return csr_array((values, sums.indices, sums.indptr), shape=sums.shape)
