"""What lessons on histories share: films, a data set of sequences, and queries of a history."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsys_core.contracts import QueryBatch
    from recsys_core.data import Dataset

FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven")
MINUTE = 60_000


def dataset_of(sequences: Sequence[Sequence[int]]) -> "Dataset":
    """Return a data set in which user u interacts with the films of sequence u in this order, a minute apart."""
    import pandas as pd

    from recsys_core.data import dataset_from_frames

    rows = [
        (user, item, step * MINUTE + user)
        for user, sequence in enumerate(sequences)
        for step, item in enumerate(sequence)
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    users = [f"user {user + 1}" for user in range(len(sequences))]
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32"}), user_ids=users, item_ids=list(FILMS))


def query_of(history: Sequence[int]) -> "QueryBatch":
    """Return the query of an unknown user with this history, oldest film first."""
    import numpy as np

    from recsys_core.contracts import PAD, QueryBatch, Ragged

    times = np.arange(len(history), dtype=np.int64) * MINUTE
    return QueryBatch(np.array([PAD]), Ragged.from_rows([list(history)]), np.ones(len(history)), times)
