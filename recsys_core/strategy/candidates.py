"""The candidates of a model for the test users of a split, and the ground truth for lists made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys_core.contracts import PAD, IntArray, Ragged, TopK
from recsys_core.data import Dataset
from recsys_core.strategy.facts import Facts


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of B users, row by row with the ground truth.

    Args:
        users: (B,) user positions.
        lists: (B, N) the best candidates of the model, best first: the raw lists.
        relevant: B rows of relevant test items, ascending.
        history: B rows of items, the histories that the model was given.
        train: Training data of the model.
        test: Test data, used by `value` for events and by nothing else.
        facts: What cards know of the training data.
        name: The name of the model in a mix.
        others: Candidates (B, N) of further models by their names in a mix; empty without one.
    """

    users: IntArray
    lists: TopK
    relevant: Ragged
    history: Ragged
    train: Dataset
    test: Dataset
    facts: Facts
    name: str = ""
    others: Mapping[str, TopK] = field(default_factory=dict)

    @property
    def pool(self) -> int:
        """Number N of candidates per user."""
        return int(self.lists.item.shape[1])

    @property
    def sources(self) -> TopK | Mapping[str, TopK]:
        """What `apply` reads: the lists, or those of all models by name, the raw ones first."""
        return {self.name: self.lists} | dict(self.others) if self.others else self.lists

    @property
    def user_ids(self) -> list[str]:
        """Identifiers of the users."""
        ids = self.train.user_vocabulary.ids
        return [ids[user] for user in self.users]

    def listed(self) -> IntArray:
        """Return the distinct items among all candidates, increasing."""
        items = np.concatenate([np.unique(one.item) for one in (self.lists, *self.others.values())])
        listed: IntArray = np.unique(items[items != PAD])
        return listed
