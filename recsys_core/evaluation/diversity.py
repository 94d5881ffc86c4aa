"""Intra-list diversity: 1 minus the mean cosine similarity of the item pairs in a list.

Two equivalent computations, chosen by cost. With few distinct recommended items, the cosines of all their pairs are
computed first. With many, each list accumulates the sum of its item vectors, and an item's similarity to all items
before it is one dot product with that sum.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import CATEGORIES, LIST_SEPARATOR
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.compiled import compiled
from recsys_core.models.solvers import gram_matrix
from recsys_core.text import _

DiversityBasis = Literal["co_occurrence", "categories"]
PAIRED_ITEMS = 4000
"""Up to this number of distinct recommended items the cosines of all pairs are stored (128 MB)."""
MOST_STEPS = 2e9
"""Maximum additions of the vector sums; beyond it, co-occurrence is counted over a random sample of the users."""


@dataclass(frozen=True, eq=False)
class Diversity:
    """Diversity of the lists.

    Args:
        values: (P, U, C) for each part of the catalogue, list and cut-off; NaN for fewer than two items.
        users: Number of users over whom co-occurrence was counted; 0 if categories were used.
    """

    values: FloatArray
    users: int


def diversity(
    item: IntArray,
    train: Dataset,
    cutoffs: IntArray,
    parts: BoolArray,
    basis: DiversityBasis = "co_occurrence",
    *,
    ctx: RunContext,
) -> Diversity:
    """Return 1 minus the mean cosine similarity of the item pairs in the top k.

    `co_occurrence`: an item vector has one element per user, 1 if the user has the item in training; the cosine is that
    of item kNN. `categories`: one element per category, 1 if the item belongs to it. An item with a zero vector has
    similarity 0 to all items.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        train: Training data of the models.
        cutoffs: (C,) cut-offs k, increasing, at most K.
        parts: (P, I) item masks of the parts of the catalogue.
        basis: Item vectors used for the cosine.
        ctx: Progress, threads, and the random numbers of the user sample.

    Raises:
        DataError: Categories are requested but the items have none.
    """
    matrix = vectors_of(train, basis)
    listed = np.unique(item[item != PAD])
    if len(listed) <= PAIRED_ITEMS:
        values = ItemCosines.of(matrix, listed, ctx).diversity(item, cutoffs, parts)
        return Diversity(values, 0 if basis == "categories" else int((np.diff(matrix.indptr) > 0).sum()))
    rows = _affordable(matrix, np.flatnonzero(np.diff(matrix.indptr)), item, ctx.rng("diversity"))
    vectors = _unit_rows(csr_array(matrix[rows].T.tocsr()))  # (I, D)
    lists, lengths = np.ascontiguousarray(item, dtype=np.int64), np.asarray(cutoffs, dtype=np.int64)
    values = np.full((len(parts), len(item), len(cutoffs)), np.nan)
    for part, result in zip(parts, values, strict=True):
        in_part = np.where(item == PAD, False, part[item])
        total = np.zeros(len(rows))
        _from_sums(lists, lengths, in_part, vectors.data, vectors.indices, vectors.indptr, total, result)
    return Diversity(values, 0 if basis == "categories" else len(rows))


@dataclass(frozen=True, eq=False)
class ItemCosines:
    """Cosines of all pairs of M items, from which the diversity of any lists of these items follows.

    Args:
        place_of: (I,) row of each item, `PAD` for the others.
        cosine: (M, M) in the lower triangle.
    """

    place_of: IntArray
    cosine: FloatArray

    @classmethod
    def of(cls, matrix: csr_array, listed: IntArray, ctx: RunContext) -> "ItemCosines":
        """Return the cosines of the columns `listed` (M,) of a binary (D, I) matrix; see `vectors_of`."""
        place_of = np.full(matrix.shape[1], PAD, dtype=np.int64)
        place_of[listed] = np.arange(len(listed))
        return cls(place_of, _cosines(csr_array(matrix[:, listed]), ctx))

    def diversity(self, item: IntArray, cutoffs: IntArray, parts: BoolArray) -> FloatArray:
        """Return (P, U, C) the diversity of each list, see `diversity`; all listed items must be among the M."""
        values = np.full((len(parts), len(item), len(cutoffs)), np.nan)
        lists, lengths = np.ascontiguousarray(item, dtype=np.int64), np.asarray(cutoffs, dtype=np.int64)
        _from_pairs(lists, lengths, parts, self.place_of, self.cosine, values)
        return values


def vectors_of(train: Dataset, basis: DiversityBasis) -> csr_array:
    """Return (D, I) the binary item vectors of a basis, one per column.

    Raises:
        DataError: Categories are requested but the items have none.
    """
    return category_matrix(train) if basis == "categories" else train.matrix("binary")


def category_matrix(train: Dataset) -> csr_array:
    """Return (D, I) the indicator matrix of item categories."""
    if train.items is None or CATEGORIES not in train.items:
        raise DataError(
            _("'{train_name}' has no item categories; compute diversity by co-occurrence.").format(
                train_name=train.name
            )
        )
    cells = [str(cell).split(LIST_SEPARATOR) if isinstance(cell, str) else [] for cell in train.items[CATEGORIES]]
    names = {name: row for row, name in enumerate(sorted({name for cell in cells for name in cell if name}))}
    pairs = [(names[name], column) for column, cell in enumerate(cells) for name in dict.fromkeys(cell) if name]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(max(len(names), 1), train.n_items))


def _cosines(matrix: csr_array, ctx: RunContext) -> FloatArray:
    """Return (M, M) cosines of the columns of a binary (D, M) matrix, in the lower triangle."""
    matrix.sort_indices()
    gram = gram_matrix(matrix, ctx)
    length = np.sqrt(np.maximum(np.diag(gram), 1.0))
    gram /= length[:, None]
    gram /= length[None, :]
    return gram


def _affordable(matrix: csr_array, rows: IntArray, item: IntArray, rng: np.random.Generator) -> IntArray:
    """Return the rows (users) that item vectors are built from: all, or a sample as large as `MOST_STEPS` allows."""
    shown = np.bincount(item[item != PAD], minlength=matrix.shape[1])
    steps = float(np.bincount(matrix.indices, minlength=matrix.shape[1]) @ shown)
    if steps <= MOST_STEPS:
        return rows
    return np.sort(rng.choice(rows, size=max(1, int(len(rows) * MOST_STEPS / steps)), replace=False))


def _unit_rows(matrix: csr_array) -> csr_array:
    """Normalize each binary row to unit length; empty rows stay empty."""
    lengths = np.diff(matrix.indptr)
    data = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


@compiled
def _from_pairs(
    item: IntArray, cutoffs: IntArray, parts: BoolArray, place_of: IntArray, cosine: FloatArray, values: FloatArray
) -> None:
    """Sum the cosines of all pairs of each list, for all parts of the catalogue in one pass."""
    size = np.zeros(len(parts), dtype=np.int64)
    similar = np.zeros(len(parts))
    for row in range(len(item)):
        size[:] = 0
        similar[:] = 0.0
        column = 0
        for place in range(cutoffs[-1]):
            own = item[row, place]
            if own >= 0:
                for part in range(len(parts)):
                    size[part] += parts[part, own]
                for earlier in item[row, :place]:
                    if earlier >= 0:
                        first, second = place_of[own], place_of[earlier]
                        value = cosine[max(first, second), min(first, second)]
                        for part in range(len(parts)):
                            if parts[part, own] and parts[part, earlier]:
                                similar[part] += value
            while column < len(cutoffs) and cutoffs[column] == place + 1:
                for part in range(len(parts)):
                    if size[part] > 1:
                        values[part, row, column] = 1.0 - similar[part] / (0.5 * size[part] * (size[part] - 1))
                column += 1


@compiled
def _from_sums(
    item: IntArray,
    cutoffs: IntArray,
    counted: BoolArray,
    data: FloatArray,
    indices: IntArray,
    indptr: IntArray,
    total: FloatArray,
    values: FloatArray,
) -> None:
    """Accumulate item vectors along each list; `counted` (U, K) masks the ranks used, `total` (D,) must be zero."""
    for row in range(len(item)):
        size = 0
        similar = 0.0
        column = 0
        for place in range(cutoffs[-1]):
            if counted[row, place]:
                size += 1
                own = item[row, place]
                for entry in range(indptr[own], indptr[own + 1]):
                    similar += data[entry] * total[indices[entry]]
                    total[indices[entry]] += data[entry]
            while column < len(cutoffs) and cutoffs[column] == place + 1:
                if size > 1:
                    values[row, column] = 1.0 - similar / (0.5 * size * (size - 1))
                column += 1
        for place in range(cutoffs[-1]):
            if counted[row, place]:
                for entry in range(indptr[item[row, place]], indptr[item[row, place] + 1]):
                    total[indices[entry]] = 0.0
