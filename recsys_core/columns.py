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
PROPENSITY = "propensity"
"""Probability with which an item was drawn at its place, given the items before it."""
FOLD = "fold"
TRAINING = "training"
"""Number of a training among those with different seeds, from 0."""

INTERACTIONS = "interactions"
USERS = "users"
ITEMS = "items"
SOCIAL = "social"
"""The four tables of a data set."""

INTERACTION_ROLES = (USER_ID, ITEM_ID, RATING, TIMESTAMP, EVENT, WEIGHT, TITLE, CATEGORIES, PRICE)
"""Roles that a column of an interactions file can have, each at most once."""

LIST_SEPARATOR = "|"
"""Separator of the entries in list cells, such as categories."""
