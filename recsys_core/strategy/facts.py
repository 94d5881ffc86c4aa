"""What the cards of a strategy know of items and users: attributes, popularity, age, categories, similarity."""

from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from recsys_core.columns import CATEGORIES, ITEM, LIST_SEPARATOR, TIMESTAMP
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset

DAY_MS = 86_400_000
POPULARITY, AGE = "popularity", "age_days"
"""Fields that every item has: number of interactions; days since its first interaction, at the end of the data."""
COMPONENTS = 32
"""Dimension of item vectors without categories."""


class Facts:
    """Facts of the items and users of a data set, computed when first asked for.

    Args:
        data: The training data.
    """

    def __init__(self, data: Dataset) -> None:
        self.data = data

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per item: its attributes, `popularity`, and `age_days` (NaN without timestamps)."""
        own = self.data.items
        table = pd.DataFrame(index=range(self.data.n_items)) if own is None else own.reset_index(drop=True).copy()
        frame = self.data.interactions
        table[POPULARITY] = np.bincount(frame[ITEM], minlength=self.data.n_items)
        age = np.full(self.data.n_items, np.nan)
        if self.data.has_timestamps:
            known = frame[frame[TIMESTAMP] != NO_TIMESTAMP]
            first = known.groupby(ITEM)[TIMESTAMP].min()
            age[first.index.to_numpy()] = (known[TIMESTAMP].max() - first.to_numpy()) / DAY_MS
        table[AGE] = age
        return table

    @cached_property
    def shares(self) -> FloatArray:
        """(I, G) each item's distribution over categories, equal shares; (I, 0) without categories."""
        own = self.data.items
        if own is None or CATEGORIES not in own:
            return np.zeros((self.data.n_items, 0))
        cells = [
            sorted({name for name in str(cell).split(LIST_SEPARATOR) if name}) if isinstance(cell, str) else []
            for cell in own[CATEGORIES]
        ]
        names = sorted({name for cell in cells for name in cell})
        place = {name: column for column, name in enumerate(names)}
        shares = np.zeros((self.data.n_items, len(names)))
        for item, cell in enumerate(cells):
            shares[item, [place[name] for name in cell]] = 1 / max(len(cell), 1)
        return shares

    @cached_property
    def vectors(self) -> FloatArray:
        """(I, D) item vectors of length 1, or 0 for an item without any: categories, else factors of the interactions.

        Factors are the right singular vectors of the binary interaction matrix times their singular values.
        """
        vectors = self.shares if self.shares.shape[1] else self._factors()
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: FloatArray = np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
        return unit

    @cached_property
    def _matrix(self) -> csr_array:
        """(U, I) whether a user has interacted with an item."""
        return csr_array(self.data.matrix("binary"), dtype=np.float64)

    def _factors(self) -> FloatArray:
        matrix = self._matrix
        rank = min(COMPONENTS, min(matrix.shape) - 1)
        if rank < 1:
            return np.ones((self.data.n_items, 1))
        _, sizes, right = svds(matrix, k=rank, v0=np.ones(min(matrix.shape)))
        factors: FloatArray = right.T * sizes
        return factors

    def interests(self, users: IntArray) -> FloatArray:
        """Return (B, G) the distribution of categories in each user's history; zeros without one."""
        total: FloatArray = self._matrix[users] @ self.shares
        sums = total.sum(axis=1, keepdims=True)
        interests: FloatArray = np.divide(total, sums, out=np.zeros(total.shape), where=sums > 0)
        return interests
