"""The arithmetic of one prediction: the terms of a score and, for nearest-neighbor and linear models, their factors."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import RATING, TITLE, WEIGHT
from recsys_core.contracts import Explanation, FloatArray, IntArray
from recsys_core.data import Dataset
from recsys_core.data.labels import titles_of, users_called
from recsys_core.explain.view import ViewData, ViewRequest, dense
from recsys_core.text import _, later, n_

OF_USERS = ("neighbours", "friends")
"""Kinds of explanations whose sources are users."""
REMAINDER = later("Remainder (bias and other terms)")
SIMILARITY, VOTE = "similarity", "vote"


def source_names(explanation: Explanation, dataset: Dataset, places: IntArray) -> list[str]:
    """Return the names of the sources of an explanation at positions (n,)."""
    if explanation.labels:
        return [explanation.labels[place] for place in places]
    if explanation.kind in OF_USERS:
        return users_called(dataset, explanation.sources[places])
    return titles_of(dataset, explanation.sources[places])


def largest_parts(explanation: Explanation, dataset: Dataset, shown: int) -> pd.DataFrame:
    """Return the largest parts by name, then the sum of the others, then the remainder.

    Args:
        explanation: The explanation.
        dataset: The data set with its sources.
        shown: Number of parts with a row of their own.

    Returns:
        Columns `title` and `weight`; the weights sum to the score.
    """
    order = np.argsort(-np.abs(explanation.weights), kind="stable")
    largest, others = order[:shown], order[shown:]
    titles = source_names(explanation, dataset, largest)
    weights = [float(weight) for weight in explanation.weights[largest]]
    if len(others):
        titles.append(n_("{n} other term", "{n} other terms", len(others)))
        weights.append(float(explanation.weights[others].sum()))
    if explanation.remainder != 0.0:
        titles.append(_(REMAINDER))
        weights.append(float(explanation.remainder))
    return pd.DataFrame({TITLE: titles, WEIGHT: weights})


def arithmetic(request: ViewRequest) -> ViewData:
    """Return the terms of the score of the item, the largest first.

    Returns:
        Columns `title` and `weight` (contribution of the term); for nearest-neighbor and linear models also
        `similarity`
        (of the two users or items), `rating` if there are ratings, and `vote`: the rating relative to its baseline.
        Facts: `score`, `remainder`, `kind`, `sources`, `item` (title), `parts` (see `largest_parts`).

    Raises:
        CannotScore: The model has no score for the item.
    """
    model: Any = request.model
    found: Explanation = model.explain(request.query, request.item)
    order = np.argsort(-np.abs(found.weights), kind="stable")
    table = pd.DataFrame({TITLE: source_names(found, request.dataset, order)})
    for name, values in _factors(request, found).items():
        table[name] = values[order]
    table[WEIGHT] = found.weights[order]
    facts = {
        "score": found.score,
        "remainder": found.remainder,
        "kind": found.kind,
        "sources": len(found.sources),
        "item": request.item_title,
        "parts": largest_parts(found, request.dataset, shown=10),
    }
    return ViewData(table, facts)


def _factors(request: ViewRequest, explanation: Explanation) -> dict[str, FloatArray]:
    """Return the factors of each term, (S,) each, for models whose terms are products."""
    from recsys_core.explain.neighbors import item_similarities
    from recsys_core.models.item_knn import ItemKNN
    from recsys_core.models.linear import LinearItemModel
    from recsys_core.models.user_knn import UserKNN

    if isinstance(request.model, UserKNN):
        return _votes(request, explanation.sources)
    if isinstance(request.model, LinearItemModel):
        of_items = request.model
        inputs = of_items.inputs(request.query)
        places = np.searchsorted(inputs.indices, explanation.sources)
        values = np.asarray(inputs.data, dtype=np.float64)[places]
        strengths: FloatArray
        if isinstance(of_items, ItemKNN) and of_items.config.aggregation == "mean":
            strengths = item_similarities(of_items, np.array([request.item]))[0, explanation.sources]
        else:
            strengths = dense(of_items.item_weights[:, [request.item]])[explanation.sources]
        return {SIMILARITY: strengths, VOTE: values}
    return {}


def _votes(request: ViewRequest, voters: IntArray) -> dict[str, FloatArray]:
    from recsys_core.explain.neighbors import similarity_to_all

    model: Any = request.model
    column = dense(model.ratings[:, [request.item]])
    votes = np.array([_vote_of(model.votes, voter, request.item) for voter in voters], dtype=np.float64)
    rated = {} if np.isnan(model.scale.low) else {RATING: column[voters]}
    return {SIMILARITY: similarity_to_all(model, request.query)[voters], **rated, VOTE: votes}


def _vote_of(votes: Any, voter: int, item: int) -> float:
    entries = slice(votes.start[voter], votes.start[voter + 1])
    return float(votes.value[entries][np.flatnonzero(votes.column[entries] == item)[0]])
