"""Small worlds that several lessons build from a table of ratings: built in, or from a teacher's own table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.wording import Text, named

if TYPE_CHECKING:
    from recsys_core.data import Dataset

Cells = Sequence[Sequence[int | None]]
"""Ratings by row, None for an empty cell."""


@dataclass(frozen=True)
class RatedWorld:
    """Users and items with a table of ratings; lessons ask about the first user.

    Args:
        users: Names of the rows.
        items: Names of the columns.
        ratings: One row per user; whole numbers from 1 to `high`, None for an empty cell.
        high: Largest rating of the scale.
        own: Whether it is a teacher's table, whose names are not trusted: links then carry positions, not names.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    ratings: tuple[tuple[int | None, ...], ...]
    high: int = 5
    own: bool = False

    @property
    def user_keys(self) -> tuple[str, ...]:
        """Keys of the users in options and links."""
        return tuple(f"u{place}" for place in range(1, len(self.users) + 1)) if self.own else self.users

    @property
    def item_keys(self) -> tuple[str, ...]:
        """Keys of the items in options and links."""
        return tuple(f"i{place}" for place in range(1, len(self.items) + 1)) if self.own else self.items

    def user(self, key: str) -> int:
        """Return the position of the user with a key."""
        return self.user_keys.index(key)

    def item(self, key: str) -> int:
        """Return the position of the item with a key."""
        return self.item_keys.index(key)

    def user_options(self, first: int = 0) -> Mapping[str, Text]:
        """Return key -> name of the users, from a position on."""
        return {key: named(name) for key, name in zip(self.user_keys[first:], self.users[first:], strict=True)}

    def item_options(self) -> Mapping[str, Text]:
        """Return key -> name of the items."""
        return {key: named(name) for key, name in zip(self.item_keys, self.items, strict=True)}

    def dataset(self, ratings: Cells) -> "Dataset":
        """Return other ratings of the same users and items as a data set."""
        return rated(ratings, self.users, self.items, high=self.high)


def rated(
    ratings: Cells, users: Sequence[str], items: Sequence[str], genres: Sequence[str] = (), high: int = 5
) -> "Dataset":
    """Return a table of ratings from 1 to `high`, None for none, as a data set.

    Args:
        ratings: One row per user.
        users: Identifiers of the rows.
        items: Identifiers of the columns.
        genres: Categories of each item, separated by `|`; empty for data without an item table.
        high: Largest rating of the scale.
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
        rating_scale=RatingScale(1, high),
    )
