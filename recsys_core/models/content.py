"""What the models that look at the content of items share: comparable vectors, and their names as arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys_core.contracts import FloatArray
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.profiles.features import CATEGORY_PART, TERM_PART, Features, item_features, unit_rows
from recsys_core.profiles.scaling import Block


def item_vectors(train: Dataset, title: str, *, components: int = 0) -> Features:
    """Return (I, F) what items are about, each row of length 1 (or 0, if nothing is known of the item).

    Every part of the item table (categories, words, numbers, ...) has an equal say, see `balanced`.

    Args:
        train: Data with an item table.
        title: Of the model that asks, for the refusal.
        components: Number of topics in place of the words themselves; 0 keeps the words.

    Raises:
        DataError: The item table holds nothing that two items could be compared by.
    """
    features = item_features(train, components=components)
    if features.matrix.shape[1] == 0:
        raise DataError(
            f"{title} compares what items are about, but the item table of '{train.name}' has no categories, texts, "
            "numbers or dates in which items differ."
        )
    whole = balanced(features)
    return Features(unit_rows(whole.matrix), whole.names, whole.parts)


def balanced(features: Features) -> Features:
    """Return the features on one scale, so that a part of many columns or large numbers does not outweigh others.

    Rows of categories and of words get length 1: there the direction tells what an item is about. In the other parts
    the size tells something too, such as a high price: they are divided by their usual length (the root of the mean
    square over rows), and rows longer than that are cut to length 1.
    """
    blocks = {}
    for name in features.parts:
        part = features.part(name)
        rows = unit_rows(part) if name in (CATEGORY_PART, TERM_PART) else _cut_to_one(part)
        blocks[name] = Block(rows, features.names_of(name))
    return Features.of(blocks, len(features))


def _cut_to_one(part: csr_array) -> csr_array:
    lengths = np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel())
    usual = float(np.sqrt(np.mean(lengths**2)))
    return csr_array(diags_array(1 / np.maximum(lengths, usual if usual > 0 else 1.0)) @ part)


def as_bytes(names: Sequence[str]) -> NDArray[np.uint8]:
    """Return texts as one array of UTF-8 bytes with a line break after each, as models are stored as arrays only."""
    text = "".join(name.replace("\n", " ") + "\n" for name in names)
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).copy()


def from_bytes(stored: NDArray[np.uint8]) -> list[str]:
    """Return the texts that `as_bytes` made an array of."""
    return bytes(stored).decode("utf-8").split("\n")[:-1]


def rating_means(ratings: csr_array) -> tuple[FloatArray, FloatArray]:
    """Return (R,) the mean of each row of an (R, C) matrix of ratings, NaN without any, and (R,) their number."""
    number = np.diff(ratings.indptr).astype(np.float64)
    row = np.repeat(np.arange(ratings.shape[0]), np.diff(ratings.indptr))
    sums = np.bincount(row, ratings.data, minlength=ratings.shape[0])
    return np.divide(sums, number, out=np.full(len(number), np.nan), where=number > 0), number
