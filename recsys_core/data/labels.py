"""Display names of items and users."""

from typing import Any

from recsys_core.columns import TITLE
from recsys_core.contracts import IntArray
from recsys_core.data.dataset import Dataset


def titles_of(dataset: Dataset, items: IntArray) -> list[str]:
    """Return display names of items (n,): the title, or the identifier."""
    ids = dataset.item_vocabulary.ids
    if dataset.items is None or TITLE not in dataset.items:
        return [ids[item] for item in items]
    given: list[Any] = list(dataset.items[TITLE].to_numpy()[items])
    return [title if isinstance(title, str) and title else ids[item] for title, item in zip(given, items, strict=True)]


def users_called(dataset: Dataset, users: IntArray) -> list[str]:
    """Return display names of users (n,): "User" and the identifier."""
    ids = dataset.user_vocabulary.ids
    return [f"User {ids[user]}" for user in users]
