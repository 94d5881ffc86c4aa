"""Input and output of the views of a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD, FloatArray, IntArray, QueryBatch
from recsys_core.data import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.models.base import Recommender


@dataclass(frozen=True, eq=False)
class ViewRequest:
    """A trained model with the user and the item to explain.

    Args:
        model: A fitted model.
        dataset: The data set with the users and items.
        query: One user.
        item: Position of an item.
        curves: Reported training progress: `stage`, `step`, `fold` and one column per quantity; None if not stored.
        choices: Further choices by name: a group, a neighbor, the number of a factor.
    """

    model: Recommender[Any]
    dataset: Dataset
    query: QueryBatch
    item: int
    curves: pd.DataFrame | None = None
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def user(self) -> int:
        """Position of the user, `PAD` if they are not in the training data."""
        return int(self.query.user[0])

    @property
    def history(self) -> IntArray:
        """(n,) distinct items of the user's history, increasing."""
        return np.unique(self.query.history[0]).astype(np.int64)

    @property
    def item_title(self) -> str:
        """Title of the item."""
        return titles_of(self.dataset, np.array([self.item]))[0]

    @property
    def is_unknown(self) -> bool:
        """Whether the user is not in the training data."""
        return self.user == PAD


@dataclass(frozen=True, eq=False)
class ViewData:
    """The data of a view.

    Args:
        table: The numbers of the figure, in a form suitable for download.
        facts: Single numbers and names that the figure and its sentence need.
    """

    table: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)


def dense(values: Any) -> FloatArray:
    """Return a sparse or dense array as a dense one of float64; a single row or column as a vector."""
    array = np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)
    return array.ravel() if 1 in array.shape else array
