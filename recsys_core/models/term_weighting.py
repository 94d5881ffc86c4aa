"""TF-IDF and BM25: entries of a matrix weighted as the terms of documents, before rows are compared.

The rows that are compared are the documents, and the columns are the terms: items and their users in Item kNN, users
and their items in User kNN. For an entry x of column c in a row with sum L, among N training rows of mean sum L_mean,
df_c of which have an entry in c,

    idf_c = log(N / (1 + df_c))
    tfidf   sqrt(x) idf_c
    bm25    x (k1 + 1) / (k1 (1 - b + b L / L_mean) + x) idf_c

so columns with many entries count less; BM25 also saturates large entries and reduces those of long rows. Entries are
the ratings, or the confidence of `weights.py` without ratings; they must not be negative. Rows that are not in the
training data are weighted by the N, df and L_mean of the training data.

Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15, with the idf of
implicit (0.7.3, `tfidf_weight` and `bm25_weight`), whose numbers are in `tests/golden`.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray

WeightingName = Literal["none", "tfidf", "bm25"]


class TermWeighting(NamedTuple):
    """A weighting with the statistics of the training rows.

    Args:
        name: "none", "tfidf" or "bm25".
        k1: Saturation of BM25.
        b: Length normalization of BM25, 0 to 1.
        idf: (C,) inverse document frequency of each column.
        mean_sum: Mean sum of a training row.
    """

    name: WeightingName
    k1: float
    b: float
    idf: FloatArray
    mean_sum: float

    @classmethod
    def of(cls, rows: csr_array, name: WeightingName, k1: float, b: float) -> "TermWeighting":
        """Return the weighting with the statistics of training rows (R, C)."""
        frequency = np.bincount(rows.indices, minlength=rows.shape[1])
        idf = np.log(rows.shape[0]) - np.log1p(frequency)
        return cls(name, k1, b, idf, float(rows.data.sum(dtype=np.float64)) / max(1, rows.shape[0]))

    def weighted(self, rows: csr_array) -> csr_array:
        """Return the weighted rows (R, C), float64; the same entries, also where a weight is 0.

        Args:
            rows: Entries >= 0; any number of rows.
        """
        if self.name == "none":
            return rows
        values = rows.data.astype(np.float64)
        if self.name == "tfidf":
            saturated = np.sqrt(values)
        else:
            row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
            sums = np.bincount(row, values, minlength=rows.shape[0])
            length = 1.0 - self.b + self.b * sums / (self.mean_sum or 1.0)
            total = self.k1 * length[row] + values
            saturated = np.divide(values * (self.k1 + 1.0), total, out=np.zeros(len(values)), where=total > 0)
        return csr_array((saturated * self.idf[rows.indices], rows.indices, rows.indptr), shape=rows.shape)
