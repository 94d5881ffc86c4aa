"""What people call items and users."""

from typing import Any

from recsys_core.columns import TITLE
from recsys_core.contracts import IntArray
from recsys_core.data.dataset import Dataset


def titles_of(dataset: Dataset, items: IntArray) -> list[str]:
    """Return what to call these items (n,): the title, else the identifier."""
    ids = dataset.item_vocabulary.ids
    if dataset.items is None or TITLE not in dataset.items:
        return [ids[item] for item in items]
    given: list[Any] = list(dataset.items[TITLE].to_numpy()[items])
    return [title if isinstance(title, str) and title else ids[item] for title, item in zip(given, items, strict=True)]


def users_called(dataset: Dataset, users: IntArray) -> list[str]:
    """Return what to call these users (n,): their identifiers, with the word in front."""
    ids = dataset.user_vocabulary.ids
    return [f"User {ids[user]}" for user in users]
