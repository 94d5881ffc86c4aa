"""Friends and items that two users have in common."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, USER, USER_ID
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.graph import both_ways, social_graph


def in_common(dataset: Dataset, user: int, others: Sequence[int]) -> pd.DataFrame:
    """Return the numbers of friends and items that a user shares with other users.

    Args:
        dataset: A data set with social links; links count in both directions.
        user: Position.
        others: Positions, in the desired order.

    Returns:
        `user`, `user_id`, `friends` and `items` (numbers in common), one row for each of `others`. `attrs["links"]` is
        the number of users linked with the user.

    Raises:
        DataError: The data set has no social links.
    """
    rows = np.asarray(others, dtype=np.int64)
    graph = both_ways(social_graph(dataset))
    own = graph[[user]].toarray().ravel() > 0
    frame = dataset.interactions[[USER, ITEM]]
    known = np.unique(frame.loc[frame[USER] == user, ITEM])
    theirs = frame[frame[USER].isin(rows) & frame[ITEM].isin(known)].drop_duplicates().groupby(USER).size()
    table = pd.DataFrame(
        {
            USER: rows,
            USER_ID: [dataset.user_vocabulary.ids[row] for row in rows],
            "friends": np.asarray((graph[rows] > 0) @ own.astype(np.int64)),
            "items": theirs.reindex(rows, fill_value=0).to_numpy(np.int64),
        }
    )
    table.attrs["links"] = int(own.sum())
    return table
