"""Words that heads of columns are made of, in the languages of shops, publishers and research data.

The words themselves stand in `column_words.toml`, without accents and in small letters; `column_names` finds them in a
head. Chinese, Japanese and Korean words are found anywhere in a head, since these languages write no spaces.
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
"""Kinds of events that columns name, and the weight that is suggested for one: stronger signs of interest weigh more,
and what was taken back weighs nothing."""
