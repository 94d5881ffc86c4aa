"""What the sweep over all models shares: small data of each kind, and models fitted to them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD, FloatArray, Need, Progress, QueryBatch, Ragged, RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.base import Recommender
from recsys_core.models.registry import MODELS, make_model, model_class

KEYS = tuple(MODELS)
USERS, ITEMS = 60, 150


def tastes(users: int = USERS, items: int = ITEMS, *, rated: bool = True, seed: int = 0) -> Dataset:
    """Two groups of users, each with a liking for one half of the items; ratings from 0 to 5 without ties."""
    rng = np.random.default_rng(seed)
    likes = (np.arange(users)[:, None] % 2) == (np.arange(items)[None, :] % 2)
    seen = rng.random((users, items)) < np.where(likes, 0.4, 0.15)
    user, item = np.nonzero(seen)
    order = rng.permutation(len(user))
    user, item = user[order], item[order]
    frame = pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    if rated:
        frame["rating"] = (1 + 2 * likes[user, item] + 2 * rng.random(len(user))).astype(np.float32)
    frame["timestamp"] = np.arange(len(user), dtype=np.int64) * 1000
    return dataset_from_frames(
        frame,
        name="tastes",
        user_ids=[f"u{u}" for u in range(users)],
        item_ids=[f"i{i}" for i in range(items)],
        rating_scale=RatingScale(0, 5) if rated else None,
    )


def with_ratings(data: Dataset, rating: FloatArray, scale: RatingScale) -> Dataset:
    """Return the same interactions, rated."""
    frame = data.interactions.assign(rating=np.asarray(rating, dtype=np.float32))
    return dataset_from_frames(
        frame,
        name=data.name,
        user_ids=list(data.user_vocabulary.ids),
        item_ids=list(data.item_vocabulary.ids),
        rating_scale=scale,
    )


def needs_ratings(key: str) -> bool:
    return Need.RATINGS in model_class(key).info.needs


def fitted(
    key: str, train: Dataset, config: dict[str, Any] | None = None, *, ctx: RunContext | None = None
) -> Recommender[Any]:
    model = make_model(key, config)
    model.fit(train, ctx or RunContext())
    return model


def asking(histories: Sequence[Sequence[int]], *, users: Sequence[int] | None = None, value: float = 3.0) -> QueryBatch:
    """Return the question of people with these histories; unknown people by default."""
    rows = Ragged.from_rows(histories)
    positions = np.full(len(histories), PAD) if users is None else np.asarray(users)
    return QueryBatch(positions, rows, np.full(len(rows.values), value, dtype=np.float32))


def as_unknown(query: QueryBatch) -> QueryBatch:
    """Return the same histories, asked by people whom the training data do not know."""
    return QueryBatch(np.full(len(query), PAD), query.history, query.values, query.timestamps)


def recording(stop: Callable[[list[Progress]], bool] = lambda reports: False) -> tuple[RunContext, list[Progress]]:
    """Return a context that keeps what is reported, and asks to stop when `stop` says so."""
    reports: list[Progress] = []
    return RunContext(report=reports.append, stop_requested=lambda: stop(reports)), reports
