"""Predictions for single user-item pairs, without scoring the whole catalogue if the model supports that."""

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_core.contracts import FloatArray, IntArray, PredictsPairs, PredictsRatings, QueryBatch, Ragged, RunContext
from recsys_core.models.base import Recommender
from recsys_core.models.topk import score_blocks
from recsys_core.text import later

PAIRS_PER_BLOCK = 1_000_000
"""Maximum number of pairs per call of `predict_pairs`, unless a single user has more."""


def answers_of_pairs(
    model: Recommender[Any],
    query: QueryBatch,
    rows: IntArray,
    items: IntArray,
    *,
    ctx: RunContext | None = None,
    stage: str = later("score pairs"),
) -> FloatArray:
    """Return (N,) predictions for user-item pairs: ratings if the model predicts ratings, else scores.

    Args:
        model: A trained model.
        query: B users with their histories.
        rows: (N,) rows of `query`.
        items: (N,) item positions.
        ctx: Progress and cancellation.
        stage: Name of the stage in the progress.

    Raises:
        NotFitted: The model was not trained.
        CannotScore: The training data had no ratings to predict.
        Cancelled: The run was cancelled.
    """
    model.require_fitted()
    pairs = Ragged.from_keys(rows, np.arange(len(rows)), len(query))
    users = np.flatnonzero(pairs.lengths)
    predict: Callable[[QueryBatch, IntArray, IntArray], FloatArray]
    if isinstance(model, PredictsPairs):
        predict, blocks = model.predict_pairs, _blocks_of_pairs(pairs.lengths[users])
    else:
        predict = _from_all_items(model.predict_ratings if isinstance(model, PredictsRatings) else model.score)
        blocks = user_blocks(len(users), model.n_items)
    predictions = np.full(len(rows), np.nan)
    for block in (ctx or RunContext()).track(blocks, stage=stage):
        places = pairs.take(users[block])
        predictions[places.values] = predict(query.take(users[block]), places.row_numbers(), items[places.values])
    return predictions


def user_blocks(n_users: int, n_items: int) -> list[IntArray]:
    """Return row numbers in blocks whose scores of all items fit into `SCORE_BLOCK_BYTES`."""
    return [np.arange(first, end) for first, end in score_blocks(n_users, n_items)]


def _from_all_items(
    predict_all: Callable[[QueryBatch], FloatArray],
) -> Callable[[QueryBatch, IntArray, IntArray], FloatArray]:
    """Return a function that predicts pairs by predicting all items first."""

    def predict(query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        predictions: FloatArray = predict_all(query)[rows, items]
        return predictions

    return predict


def _blocks_of_pairs(lengths: IntArray) -> list[IntArray]:
    """Return row numbers of users in blocks of at most `PAIRS_PER_BLOCK` pairs, at least one user each."""
    ends = np.cumsum(lengths)
    blocks: list[IntArray] = []
    first, before = 0, 0
    while first < len(ends):
        end = max(first + 1, int(np.searchsorted(ends, before + PAIRS_PER_BLOCK, side="right")))
        blocks.append(np.arange(first, end))
        first, before = end, ends[end - 1]
    return blocks
