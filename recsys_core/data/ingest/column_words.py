"""Vocabulary of column names in some twenty languages.

The words are listed in `column_words.toml`, in lower case and without accents; `column_names` matches them. Chinese,
Japanese and Korean words match anywhere in a column name, since these languages do not separate words.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

USER_WORD = "user"
ITEM_WORD = "item"
ID_WORD = "id"
NAME_WORD = "name"
RATING_WORD = "rating"
TIME_WORD = "time"
EVENT_WORD = "event"
COUNT_WORD = "count"
PRICE_WORD = "price"
CATEGORY_WORD = "category"
TEXT_WORD = "text"
LINK_WORD = "link"
ORDER_WORD = "order"
PLACE_WORD = "coordinate"
PERSONAL_WORD = "personal"
FEATURE_WORD = "feature"
SESSION_WORD = "session"
SOURCE_WORD = "source"
TARGET_WORD = "target"
INDEX_WORD = "index"
VALUE_WORD = "value"
CONTACT_WORD = "contact"

_FILE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_WEIGHTS = {"viewed": 1.0, "liked": 2.0, "put_in_cart": 3.0, "bought": 5.0, "taken_back": 0.0}

WORDS: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _FILE["heads"].items()}
"""Words of each class."""
EVENT_VALUES: Mapping[str, float] = {
    word: _WEIGHTS[kind] for kind, words in _FILE["events"].items() for word in words.split()
}
"""Suggested weight of each known event type: stronger signals weigh more, undone actions weigh 0."""
