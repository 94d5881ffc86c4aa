"""Trained models asked for one person: what each of them would show, and what a score is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, ITEM_ID, MODEL, RANK, RATING, SCORE, TIMESTAMP, TITLE, WEIGHT
from recsys_core.contracts import PAD, ExplainsItems, Explanation, IntArray, QueryBatch, Ragged
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import CannotScore
from recsys_core.experiments.people import listed_by, listing, titles_of
from recsys_core.experiments.training_part import OnRelevant, liked_part
from recsys_core.models.base import Recommender

SHOWN_PARTS = 8
OF_PEOPLE = ("neighbours", "friends")
"""Kinds of explanations whose sources are users."""


@dataclass(frozen=True, eq=False)
class Reason:
    """Why an item has its score: parts that add up.

    Args:
        item: Position.
        title: What to call it.
        score: As the model gives it.
        kind: What the parts are, as in `Explanation`.
        parts: `title` and `weight`; the largest ones first, then what is left together. They sum to the score.
        sources: Number of parts before they were joined.
    """

    item: int
    title: str
    score: float
    kind: str
    parts: pd.DataFrame
    sources: int


def query_of(user: int, history: pd.DataFrame, *, known: bool) -> QueryBatch:
    """Return the question 'what next?' for one user with all they did.

    Args:
        user: Position.
        history: What `history_of` gave, latest first.
        known: Whether the models were trained with something of this user.
    """
    rows = history[::-1]
    strength = next((rows[name] for name in (RATING, WEIGHT) if name in rows), pd.Series(1.0, rows.index))
    times = None
    if TIMESTAMP in rows:
        moments = rows[TIMESTAMP].dt.as_unit("ms")
        times = moments.astype("int64").where(moments.notna(), NO_TIMESTAMP).to_numpy(np.int64)
    return QueryBatch(
        np.array([user if known else PAD]),
        Ragged.from_rows([rows[ITEM].to_numpy(np.int64)]),
        strength.to_numpy(np.float32),
        times,
    )


def query_of_items(items: IntArray, values: "pd.Series[float]") -> QueryBatch:
    """Return the question for somebody who is not in the data, from items and what they think of them.

    Args:
        items: (T,) positions, oldest first.
        values: (T,) rating or strength of each.
    """
    history = Ragged.from_rows([items])
    return QueryBatch(np.array([PAD]), history, values.to_numpy(np.float32))


def recommendations(
    models: Mapping[str, Recommender[Any]], dataset: Dataset, query: QueryBatch, k: int
) -> dict[str, pd.DataFrame]:
    """Return the list of each model for one person: `rank`, `item`, `item_id`, `title`, `score`, `hit`, `listed_by`.

    Args:
        models: Trained, by name.
        dataset: Where the items are from.
        query: One person.
        k: Length of the lists.
    """
    tops = {}
    for name, model in models.items():
        top = model.recommend(query, k)
        found = top.item[0] != PAD
        tops[name] = pd.DataFrame(
            {RANK: np.flatnonzero(found) + 1, ITEM: top.item[0][found], SCORE: top.score[0][found]}
        )
    listed = listed_by(tops)
    return {name: listing(frame, dataset, listed) for name, frame in tops.items()}


def can_explain(model: Recommender[Any]) -> bool:
    """Return whether a model can split its scores into parts."""
    return isinstance(model.model if isinstance(model, OnRelevant) else model, ExplainsItems)


def reason(model: Recommender[Any], dataset: Dataset, query: QueryBatch, item: int) -> Reason:
    """Return what the score of an item is made of for the one person in `query`.

    Raises:
        CannotScore: The model cannot explain, or has no score for this item.
    """
    if isinstance(model, OnRelevant):
        query, model = liked_part(query, model.relevant_from), model.model
    if not isinstance(model, ExplainsItems):
        raise CannotScore(f"{model.info.title} cannot say what its scores are made of.")
    found = model.explain(query, item)
    title = titles_of(dataset, np.array([item]))[0]
    return Reason(item, title, found.score, found.kind, _parts(found, dataset), len(found.sources))


def _parts(found: Explanation, dataset: Dataset) -> pd.DataFrame:
    """Return the largest parts by name, then the others together, then what belongs to no source."""
    order = np.argsort(-np.abs(found.weights), kind="stable")
    largest, others = order[:SHOWN_PARTS], order[SHOWN_PARTS:]
    titles = _names(found, dataset, largest)
    weights = [float(weight) for weight in found.weights[largest]]
    if len(others):
        titles.append(f"{len(others)} others together")
        weights.append(float(found.weights[others].sum()))
    if found.remainder != 0.0:
        titles.append("What holds for all items")
        weights.append(float(found.remainder))
    return pd.DataFrame({TITLE: titles, WEIGHT: weights})


def _names(found: Explanation, dataset: Dataset, parts: IntArray) -> list[str]:
    """Return what to call some of the sources, by their place in the explanation."""
    if found.labels:
        return [found.labels[part] for part in parts]
    if found.kind in OF_PEOPLE:
        ids = dataset.user_vocabulary.ids
        return [f"User {ids[user]}" for user in found.sources[parts]]
    return titles_of(dataset, found.sources[parts])


def joined(lists: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return all lists below each other, with the title of the model in front."""
    parts = [frame.assign(model=titles[name]) for name, frame in lists.items()]
    frame = pd.concat(parts, ignore_index=True)
    return frame[[MODEL, RANK, ITEM_ID, TITLE, SCORE]]
