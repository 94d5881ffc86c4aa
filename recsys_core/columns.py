"""Names of columns and tables, defined only here."""

USER_ID = "user_id"
ITEM_ID = "item_id"
USER = "user"
ITEM = "item"
RATING = "rating"
TIMESTAMP = "timestamp"
EVENT = "event"
WEIGHT = "weight"

SOURCE_ID = "source_id"
TARGET_ID = "target_id"
SOURCE = "source"
TARGET = "target"

TITLE = "title"
CATEGORIES = "categories"
TEXT = "text"
PRICE = "price"
IMAGE = "image"
EMBEDDING = "embedding"

MODEL = "model"
RANK = "rank"
SCORE = "score"
FOLD = "fold"

INTERACTIONS = "interactions"
USERS = "users"
ITEMS = "items"
SOCIAL = "social"
TABLES = (INTERACTIONS, USERS, ITEMS, SOCIAL)
"""The four tables of a data set."""

LIST_SEPARATOR = "|"
"""Separator of the entries in list cells, such as categories."""
