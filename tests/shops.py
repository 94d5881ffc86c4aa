"""A small shop with a split, candidates and lists: for tests of what judges a strategy."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.contracts import FloatArray, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.models.popular import Popular
from recsys_core.models.registry import make_model
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts

CATEGORIES = ("wool", "silk", "wool|silk", "cotton")
EVENTS = ("view", "cart", "purchase", "refund")


def shop(users: int = 60, items: int = 40, seed: int = 1) -> Dataset:
    """Users of one half like even items, the others odd ones; items have prices (one unknown), brands, categories."""
    rng = np.random.default_rng(seed)
    taste = np.where(np.arange(items) % 2 == (np.arange(users) % 2)[:, None], 6.0, 1.0)
    taste *= np.linspace(2, 0.4, items)  # the first items are popular
    rows = [
        (user, item, int(rng.integers(0, 9 * 10**9)), EVENTS[int(rng.choice(4, p=[0.5, 0.2, 0.25, 0.05]))])
        for user in range(users)
        for item in rng.choice(items, size=10 + user % 9, replace=False, p=taste[user] / taste[user].sum())
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp", "event"]).astype(
        {"user": "int32", "item": "int32"}
    )
    table = pd.DataFrame(
        {
            "title": [f"Item {number}" for number in range(items)],
            "price": [np.nan if number == 3 else 1.0 + number for number in range(items)],
            "margin": np.linspace(0.1, 0.5, items),
            "brand": [f"b{number % 3}" for number in range(items)],
            "categories": [CATEGORIES[number % 4] for number in range(items)],
        }
    )
    people = pd.DataFrame({"city": [("Rome", "Oslo", "Lima")[user % 3] for user in range(users)]})
    people["age"] = np.arange(users) + 18.0
    return dataset_from_frames(
        frame,
        name="shop",
        fingerprint="shop",
        items=table,
        users=people,
        item_ids=[f"i{number}" for number in range(items)],
        user_ids=[f"u{number:02}" for number in range(users)],
    )


def split_of(data: Dataset) -> Split:
    return make_splits(data, SplitSpec(test_fraction=0.4), 7)[0]


def candidates(split: Split, pool: int = 20, key: str = "item_knn") -> Candidates:
    """The candidates of a model for all test users."""
    model = make_model(key)
    model.fit(split.train, RunContext(7))
    users = split.test_users()
    query = split.queries(users)
    relevant, _seen = relevant_items(split.test, users, query.seen)
    lists = model.recommend(query, pool)
    return Candidates(users, lists, relevant, query.history, split.train, split.test, Facts(split.train), name=key)


class Fixed(Popular):
    """Recommends given lists, whatever it learned."""

    def __init__(self, users: Any, lists: TopK) -> None:
        super().__init__()
        self._lists = dict(zip(users.tolist(), lists.item, strict=True))

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.full((len(query), self.n_items), np.nan)
        for row, user in enumerate(query.user):
            own = self._lists[int(user)]
            own = own[own >= 0]
            scores[row, own] = -np.arange(len(own))
        return scores


def strategy(*cards: dict[str, Any], k: int = 5, pool: int = 20, name: str = "") -> Strategy:
    return Strategy.model_validate({"cards": cards, "k": k, "pool": pool, "name": name})


CHEAP = {"kind": "filter", "when": {"field": "price", "op": "<", "value": 35.0}}
BOOST = {"kind": "boost", "when": {"field": "brand", "op": "=", "value": "b1"}, "places": 4}
MMR = {"kind": "mmr", "weight": 0.5}
CAP = {"kind": "cap", "field": "brand", "most": 2}
CALIBRATION = {"kind": "calibration", "weight": 0.6}
DECAY = {"kind": "decay", "by": "popularity", "half_life": 20.0}
SIX = (CHEAP, BOOST, DECAY, MMR, CALIBRATION, CAP)
