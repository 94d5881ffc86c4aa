"""Vocabulary of column names in some twenty languages.

The words are listed in `column_words.toml`, in lower case and without accents; `column_names` matches them. Chinese,
Japanese and Korean words match anywhere in a column name, since these languages do not separate words.
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path


class Word(StrEnum):
    """Classes of the words in column names."""

    USER = "user"
    AUTHOR = "author"
    ITEM = "item"
    ID = "id"
    NAME = "name"
    RATING = "rating"
    TIME = "time"
    EVENT = "event"
    COUNT = "count"
    PRICE = "price"
    TOTAL = "total"
    CATEGORY = "category"
    TEXT = "text"
    LINK = "link"
    ORDER = "order"
    PLACE = "coordinate"
    PERSONAL = "personal"
    FEATURE = "feature"
    SESSION = "session"
    SOURCE = "source"
    TARGET = "target"
    INDEX = "index"
    VALUE = "value"
    CONTACT = "contact"
    PART_OF_DAY = "part_of_day"
    PERIOD = "period"
    UNDONE = "undone"
    DUE = "due"
    DONE = "done"


_FILE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_WEIGHTS = {"viewed": 1.0, "liked": 2.0, "put_in_cart": 3.0, "bought": 5.0, "taken_back": 0.0}

WORDS: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _FILE["heads"].items()}
"""Words of each class."""
EVENT_VALUES: Mapping[str, float] = {
    word: _WEIGHTS[kind] for kind, words in _FILE["events"].items() for word in words.split()
}
"""Suggested weight of each known event type: stronger signals weigh more, undone actions weigh 0."""
