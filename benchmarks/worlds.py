"""Synthetic data sets of any size for measurements of memory and scaling, with the tables that models may need."""

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, PRICE, SOURCE, TARGET, TITLE, WEIGHT
from recsys_core.contracts import RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.synthetic.stream import StreamConfig, interactions

FRIENDS = 6
WORDS = 400
SEED = 42


def streamed(rows: int, users: int, items: int, *, rated: bool = True, tables: bool = True) -> Dataset:
    """Return a data set in memory with timestamps and, if asked for, ratings, item and user tables, and links."""
    blocks = list(interactions(StreamConfig(rows=rows, users=users, items=items, ratings=rated), RunContext(seed=SEED)))
    frame = pd.concat(blocks, ignore_index=True) if len(blocks) > 1 else blocks[0]
    user_ids, item_ids = ([f"{letter}{n}" for n in range(size)] for letter, size in (("u", users), ("i", items)))
    scale = RatingScale(1, 5) if rated else None
    if not tables:
        return dataset_from_frames(frame, name="streamed", user_ids=user_ids, item_ids=item_ids, rating_scale=scale)
    rng = np.random.default_rng(SEED)
    return dataset_from_frames(
        frame,
        name="streamed",
        rating_scale=scale,
        items=_items(items, rng),
        users=_users(users, rng),
        social=_links(users, rng),
        user_ids=user_ids,
        item_ids=item_ids,
    )


def _items(items: int, rng: np.random.Generator) -> pd.DataFrame:
    words = rng.integers(0, WORDS, (items, 3))
    kinds = rng.integers(0, 18, (items, 2))
    return pd.DataFrame(
        {
            TITLE: [f"word{a} word{b} word{c}" for a, b, c in words],
            CATEGORIES: [f"kind{a}|kind{b}" for a, b in kinds],
            PRICE: rng.lognormal(2.0, 0.5, items).round(2),
        }
    )


def _users(users: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": rng.integers(15, 80, users),
            "city": [f"city{n}" for n in rng.integers(0, 50, users)],
        }
    )


def _links(users: int, rng: np.random.Generator) -> pd.DataFrame:
    source = np.repeat(np.arange(users, dtype=np.int32), FRIENDS)
    target = rng.integers(0, users, len(source)).astype(np.int32)
    kept = source != target
    links = pd.DataFrame({SOURCE: source[kept], TARGET: target[kept]}).drop_duplicates()
    return links.assign(**{WEIGHT: np.float32(1)}).reset_index(drop=True)
