"""A small shop for tests of strategies: items with prices, brands, categories and authors, users with cities."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD, IntArray, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts

ITEMS, SHOPPERS = 12, 6
DAY = 86_400_000


def shop(items: int = ITEMS) -> Dataset:
    """Return 90 interactions of 6 users with some of 12 items; item 0 has no price, item 1 no author."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, SHOPPERS, 90), "item": rng.integers(0, items, 90)}).astype("int32")
    frame["timestamp"] = rng.integers(0, 10**11, 90)
    frame["event"] = rng.choice(["view", "click"], 90)
    table = pd.DataFrame(
        {
            "title": [f"Item {number}" for number in range(items)],
            "price": [float(number) if number else np.nan for number in range(items)],
            "brand": [f"b{number % 3}" for number in range(items)],
            "categories": [["wool", "silk", "wool|silk"][number % 3] for number in range(items)],
            "author": [f"u{number % 5}" if number != 1 else None for number in range(items)],
            "city": [["Rome", "Oslo", "it's"][number % 3] for number in range(items)],
            "new": [number % 2 == 0 for number in range(items)],
        }
    )
    people = pd.DataFrame(
        {
            "city": ["Rome", "Oslo", None, "it's", "Rome", "Bonn"],
            "budget": [3.0, 8.0, np.nan, 5.0, 11.0, 0.0],
            "taste": ["wool", "silk", "silk", "flax", None, "wool"],
        }
    )
    return dataset_from_frames(
        frame,
        name="shop",
        fingerprint="shop",
        items=table,
        users=people,
        item_ids=[f"i{number}" for number in range(items)],
        user_ids=[f"u{number}" for number in range(SHOPPERS)],
    )


FACTS = Facts(shop())
RAW = TopK(
    np.arange(ITEMS)[None].repeat(2, axis=0), np.arange(ITEMS, 0, -1.0, dtype=np.float32)[None].repeat(2, axis=0)
)
USERS = np.array([0, 1])


def outcome(
    *cards: dict[str, Any], k: int = 5, lists: Any = RAW, users: IntArray = USERS, facts: Facts = FACTS
) -> Outcome:
    """Return the outcome of cards on the raw lists: all items, from 0 to 11, for the first two users."""
    strategy = Strategy.model_validate({"cards": cards, "k": k, "pool": max(ITEMS, k)})
    return apply(strategy, lists, users, facts)


def first(*cards: dict[str, Any], k: int = 5, **more: Any) -> list[int]:
    """Return the first user's list."""
    found: list[int] = outcome(*cards, k=k, **more).lists.item[0].tolist()
    return found


def listed(row: IntArray) -> list[int]:
    """Return the items of a list without padding."""
    return [int(item) for item in row if item != PAD]


def where(field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """Return a condition as in a file."""
    return {"field": field, "op": op} | ({} if value is None else {"value": value}) | more
