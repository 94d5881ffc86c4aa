"""What a view of a trained model is asked about, and what is seen there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD, IntArray, QueryBatch
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender


@dataclass(frozen=True, eq=False)
class ViewRequest:
    """A trained model, and the person and the item that it is looked at with.

    Args:
        model: As it was trained; asked with the histories that it was trained for.
        dataset: Where users and items are from.
        query: One person.
        item: Position of an item.
        curves: What training reported: `stage`, `step`, `fold` and a column a value; None if nothing was kept.
        choices: What else was chosen, by name: a group, a neighbour, the number of a taste.
    """

    model: Recommender[Any]
    dataset: Dataset
    query: QueryBatch
    item: int
    curves: pd.DataFrame | None = None
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def user(self) -> int:
        """Position of the person, `PAD` if the training data do not know them."""
        return int(self.query.user[0])

    @property
    def history(self) -> IntArray:
        """(n,) items of the person, each once, increasing."""
        return np.unique(self.query.history[0]).astype(np.int64)

    @property
    def is_unknown(self) -> bool:
        """Whether the model was trained without this person."""
        return self.user == PAD


@dataclass(frozen=True, eq=False)
class ViewData:
    """What a view shows.

    Args:
        table: The numbers of the picture, ready to be read and kept.
        facts: Single numbers and names that the picture and its sentence need.
    """

    table: pd.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)
