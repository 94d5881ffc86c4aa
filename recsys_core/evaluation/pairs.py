"""What a model says of single pairs of person and item, without scores of the whole catalogue where it can do so."""

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_core.contracts import FloatArray, IntArray, PredictsPairs, PredictsRatings, QueryBatch, Ragged, RunContext
from recsys_core.models.base import SCORE_BLOCK_BYTES, Recommender

PAIRS_AT_ONCE = 1_000_000
"""A model that answers for pairs alone is asked for so many at a time, or for all those of one person."""


def answers_of_pairs(
    model: Recommender[Any],
    query: QueryBatch,
    rows: IntArray,
    items: IntArray,
    *,
    ctx: RunContext | None = None,
    stage: str = "answer for pairs",
) -> FloatArray:
    """Return (N,) what a trained model says of pairs: a rating if it can predict ratings, else its score.

    Args:
        model: What is asked.
        query: B people with their histories.
        rows: (N,) which of the people.
        items: (N,) positions of items.
        ctx: Takes the progress, says when to stop.
        stage: What is being done, in words.

    Raises:
        NotFitted: The model was not trained.
        CannotScore: The training data had no ratings to predict.
        Cancelled: The person stopped the work.
    """
    model.require_fitted()
    asked = Ragged.from_keys(rows, np.arange(len(rows)), len(query))
    people = np.flatnonzero(asked.lengths)
    ask: Callable[[QueryBatch, IntArray, IntArray], FloatArray]
    if isinstance(model, PredictsPairs):
        ask, blocks = model.predict_pairs, _blocks_of_pairs(asked.lengths[people])
    else:
        ask = _looked_up(model.predict_ratings if isinstance(model, PredictsRatings) else model.score)
        blocks = blocks_of_people(len(people), model.n_items)
    answers = np.full(len(rows), np.nan)
    for block in (ctx or RunContext()).track(blocks, stage=stage):
        places = asked.take(people[block])
        answers[places.values] = ask(query.take(people[block]), places.row_numbers(), items[places.values])
    return answers


def blocks_of_people(people: int, n_items: int) -> list[IntArray]:
    """Return row numbers in blocks whose scores of all items fit into `SCORE_BLOCK_BYTES`."""
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, n_items)))
    return [np.arange(start, min(start + size, people)) for start in range(0, people, size)]


def _looked_up(
    answer: Callable[[QueryBatch], FloatArray],
) -> Callable[[QueryBatch, IntArray, IntArray], FloatArray]:
    """Return a function that answers for pairs by answering for all items first."""

    def ask(query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        answers: FloatArray = answer(query)[rows, items]
        return answers

    return ask


def _blocks_of_pairs(lengths: IntArray) -> list[IntArray]:
    """Return places of people in blocks of at most `PAIRS_AT_ONCE` pairs, at least one person each."""
    ends = np.cumsum(lengths)
    blocks: list[IntArray] = []
    first, before = 0, 0
    while first < len(ends):
        end = max(first + 1, int(np.searchsorted(ends, before + PAIRS_AT_ONCE, side="right")))
        blocks.append(np.arange(first, end))
        first, before = end, ends[end - 1]
    return blocks
