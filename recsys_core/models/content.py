"""Shared by the content-based models: comparable item vectors, and feature names stored as arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from recsys_core.contracts import FloatArray
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.profiles.features import CATEGORY_PART, TERM_PART, Features, item_features, unit_rows, user_attributes
from recsys_core.profiles.scaling import Block
from recsys_core.text import _


def item_vectors(train: Dataset, title: str, *, components: int = 0) -> Features:
    """Return (I, F) item feature vectors of norm 1 (0 if the item has no features).

    All groups of features (categories, words, numbers, ...) have equal weight, see `balanced`.

    Args:
        train: Data with an item table.
        title: Title of the model, for the error message.
        components: Number of topics that replace the words; 0 keeps the words.

    Raises:
        DataError: The item table has no features that distinguish items.
    """
    features = item_features(train, components=components)
    if features.matrix.shape[1] == 0:
        raise DataError(
            _(
                "{title} compares item features, but the item table of '{train_name}' has no "
                "categories, texts, numbers or dates in which items differ."
            ).format(title=title, train_name=train.name)
        )
    scaled = balanced(features)
    return Features(unit_rows(scaled.matrix), scaled.names, scaled.parts)


def balanced(features: Features) -> Features:
    """Return the features on a common scale, so that no group dominates by its number of columns or its magnitude.

    Rows of categories and words are normalized to length 1, as only their direction is informative. In other groups the
    magnitude matters, too, such as a high price: these are divided by the root mean square of the row norms, and longer
    rows are clipped to length 1.
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


TOPICS = 32
"""Number of topics that replace the words of items in dense inputs."""


def table_inputs(train: Dataset, *, wanted: bool) -> tuple[FloatArray, FloatArray]:
    """Return (U, A) centered user attributes and (I, F) item features of length 1, as dense float32 inputs.

    Args:
        train: Data with or without a user and an item table.
        wanted: If not, or without the table, the inputs have no columns.
    """
    attributes = np.zeros((train.n_users, 0), dtype=np.float32)
    features = np.zeros((train.n_items, 0), dtype=np.float32)
    if wanted and train.users is not None:
        dense = balanced(user_attributes(train)).matrix.toarray()
        attributes = (dense - dense.mean(axis=0)).astype(np.float32)
    if wanted and train.items is not None:
        described = balanced(item_features(train, components=TOPICS)).matrix
        features = unit_rows(described).toarray().astype(np.float32)
    return attributes, features


def as_bytes(names: Sequence[str]) -> NDArray[np.uint8]:
    """Return texts as one array of UTF-8 bytes, each followed by a line break, since models are stored as arrays."""
    text = "".join(name.replace("\n", " ") + "\n" for name in names)
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).copy()


def from_bytes(stored: NDArray[np.uint8]) -> list[str]:
    """Return the texts that `as_bytes` encoded."""
    return bytes(stored).decode("utf-8").split("\n")[:-1]


def rating_means(ratings: csr_array) -> tuple[FloatArray, FloatArray]:
    """Return (R,) the mean of each row of an (R, C) matrix of ratings, NaN if empty, and (R,) the number of ratings."""
    number = np.diff(ratings.indptr).astype(np.float64)
    row = np.repeat(np.arange(ratings.shape[0]), np.diff(ratings.indptr))
    sums = np.bincount(row, ratings.data, minlength=ratings.shape[0])
    return np.divide(sums, number, out=np.full(len(number), np.nan), where=number > 0), number
