"""What is recommended, whoever likes it: how popular, how new, how varied, and how evenly spread over the catalogue."""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import CATEGORIES, LIST_SEPARATOR
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.compiled import compiled

DiversityBasis = Literal["co_occurrence", "categories"]
DIVERSITY_STEPS = 4e9
"""Additions that diversity may take; with more, co-occurrence is counted over a random part of the users."""


def head_items(counts: IntArray, share: float = 0.8) -> BoolArray:
    """Return (I,) whether an item belongs to the head.

    The head is the smallest set of most popular items that holds at least `share` of all training interactions; equally
    popular items enter by smaller position. All other items, also those without any interaction, are the tail.

    Args:
        counts: (I,) training interactions of each item.
        share: Cumulative share of the interactions, above 0, at most 1.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]  # interactions of the items in front of each
    head = np.zeros(len(counts), dtype=np.bool_)
    head[order[before < share * counts.sum()]] = True
    return head


def list_mean(item: IntArray, values: FloatArray, k: int, counted: BoolArray | None = None) -> FloatArray:
    """Return (U,) the mean of a number over the items in the first k places; NaN where no item is counted.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        values: (I,) the number of each item, such as its popularity.
        k: Places looked at, at most K.
        counted: (I,) only these items are looked at; None: all.
    """
    first = item[:, :k]
    present = first != PAD
    if counted is not None:
        present &= counted[first]
    size = present.sum(axis=1)
    total = np.where(present, values[first], 0.0).sum(axis=1)
    mean: FloatArray = np.divide(total, size, out=np.full(len(first), np.nan), where=size > 0)
    return mean


def information(users_of_item: IntArray, n_users: int) -> FloatArray:
    """Return (I,) bits: log2(|U| / n_i), where an item that nobody had counts as had by one user."""
    return np.log2(max(n_users, 1) / np.maximum(users_of_item, 1))


def exposure(item: IntArray, k: int, n_items: int) -> IntArray:
    """Return (I,) in how many of the lists each item stands among the first k."""
    first = item[:, :k]
    return np.bincount(first[first != PAD], minlength=n_items)


def coverage(shown: IntArray) -> float:
    """Return the share of items (I,) that are shown to anybody; NaN without items."""
    return float((shown > 0).mean()) if len(shown) else float("nan")


def gini(shown: IntArray) -> float:
    """Return how unequal I counts are: 0 if all are equal, (I - 1) / I if one item has everything; NaN if all are 0."""
    total = shown.sum()
    if total == 0:
        return float("nan")
    size = len(shown)
    return float((2 * np.arange(1, size + 1) - size - 1) @ np.sort(shown) / (size * total))


def item_vectors(
    train: Dataset, item: IntArray, basis: DiversityBasis, rng: np.random.Generator
) -> tuple[csr_array, int]:
    """Return (I, D) vectors of length 1 (or 0) by which items are compared, and over how many users they were counted.

    `co_occurrence`: D users, 1 where the user had the item in training; the cosine is that of item kNN. Where the lists
    are so many that this takes more than `DIVERSITY_STEPS` additions, a random part of the users stands for all.
    `categories`: D categories, 1 where the item is of it; the number of users is 0.

    Args:
        train: What models learned from.
        item: (U, K) the lists that will be looked at.
        basis: What makes two items alike.
        rng: Chooses the part of the users.

    Raises:
        DataError: Categories are asked for and the items have none.
    """
    if basis == "categories":
        return _unit_rows(_category_matrix(train)), 0
    matrix = train.matrix("binary")  # (U, I)
    users = np.flatnonzero(np.diff(matrix.indptr))
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1])
    steps = float(popularity @ exposure(item, item.shape[1], matrix.shape[1]))
    if steps > DIVERSITY_STEPS:
        users = np.sort(rng.choice(users, size=max(1, int(len(users) * DIVERSITY_STEPS / steps)), replace=False))
        matrix = matrix[users]
    return _unit_rows(csr_array(matrix.T.tocsr())), len(users)


def _category_matrix(train: Dataset) -> csr_array:
    if train.items is None or CATEGORIES not in train.items:
        raise DataError(f"'{train.name}' knows no categories of items; let diversity go by co-occurrence.")
    cells = [str(cell).split(LIST_SEPARATOR) if isinstance(cell, str) else [] for cell in train.items[CATEGORIES]]
    names = {name: column for column, name in enumerate(sorted({name for cell in cells for name in cell if name}))}
    pairs = [(row, names[name]) for row, cell in enumerate(cells) for name in dict.fromkeys(cell) if name]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    shape = (train.n_items, max(len(names), 1))
    return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)


def _unit_rows(matrix: csr_array) -> csr_array:
    """Divide each row of 0 and 1 by its length; an empty row stays empty."""
    lengths = np.diff(matrix.indptr)
    data = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def diversity(item: IntArray, vectors: csr_array, cutoffs: IntArray, counted: BoolArray | None = None) -> FloatArray:
    """Return (U, C) 1 minus the mean cosine similarity of the pairs of items in the first k places, for C cut-offs.

    An item without a vector is like nothing, not even like another one without. NaN for fewer than two items.

    Args:
        item: (U, K) recommended items, padded with `PAD`.
        vectors: (I, D) rows of length 1 or 0.
        cutoffs: (C,) increasing, at most K.
        counted: (I,) only these items are looked at; None: all.
    """
    looked_at = counted if counted is not None else np.ones(vectors.shape[0], dtype=np.bool_)
    result = np.full((len(item), len(cutoffs)), np.nan)
    _diversity(
        np.ascontiguousarray(item, dtype=np.int64),
        vectors.data,
        vectors.indices,
        vectors.indptr,
        np.zeros(vectors.shape[1]),
        np.asarray(cutoffs, dtype=np.int64),
        looked_at,
        result,
    )
    return result


@compiled
def _diversity(  # noqa: PLR0917
    item: IntArray,
    data: FloatArray,
    indices: IntArray,
    indptr: IntArray,
    total: FloatArray,
    cutoffs: IntArray,
    counted: BoolArray,
    result: FloatArray,
) -> None:
    """Keep the sum of the vectors so far: an item's similarity to all items before it is one product with that sum."""
    for row in range(len(item)):
        size = 0
        similar = 0.0
        column = 0
        for place in range(cutoffs[-1]):
            position = item[row, place]
            if position >= 0 and counted[position]:
                size += 1
                for entry in range(indptr[position], indptr[position + 1]):
                    similar += data[entry] * total[indices[entry]]
                    total[indices[entry]] += data[entry]
            while column < len(cutoffs) and cutoffs[column] == place + 1:
                if size > 1:
                    result[row, column] = 1.0 - similar / (0.5 * size * (size - 1))
                column += 1
        for place in range(cutoffs[-1]):
            position = item[row, place]
            if position >= 0 and counted[position]:
                for entry in range(indptr[position], indptr[position + 1]):
                    total[indices[entry]] = 0.0
