"""Small worlds that several lessons build from a table of ratings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsys_core.data import Dataset


def rated(
    ratings: Sequence[Sequence[int | None]], users: Sequence[str], items: Sequence[str], genres: Sequence[str] = ()
) -> "Dataset":
    """Return a table of ratings from 1 to 5, None for none, as a data set.

    Args:
        ratings: One row per user.
        users: Identifiers of the rows.
        items: Identifiers of the columns.
        genres: Categories of each item, separated by `|`; empty for data without an item table.
    """
    import pandas as pd

    from recsys_core.contracts import RatingScale
    from recsys_core.data import dataset_from_frames

    cells = [
        (user, item, float(cell))
        for user, row in enumerate(ratings)
        for item, cell in enumerate(row)
        if cell is not None
    ]
    frame = pd.DataFrame(cells, columns=["user", "item", "rating"])
    return dataset_from_frames(
        frame.astype({"user": "int32", "item": "int32", "rating": "float32"}),
        user_ids=list(users),
        item_ids=list(items),
        items=pd.DataFrame({"title": list(items), "categories": list(genres)}) if genres else None,
        rating_scale=RatingScale(1, 5),
    )
