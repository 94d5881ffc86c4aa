"""What a score would be without each item of the history: for models that read a history but cannot split a score.

The model is asked again for everybody in

    e_j = x(P) - x(P without j)

once for each item j of the history P, as an unknown person, so that nothing learned of the person speaks along. The
effects are no parts: they do not add up to the score, since items that say the same thing stand in for each other.

Source: Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation Erasure", section 3, where
the effect is divided by the score before; here it stays in units of the score.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE, WEIGHT
from recsys_core.contracts import FloatArray, IntArray, ModelInfo, QueryBatch, Ragged, RunContext
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.models.base import SCORE_BLOCK_BYTES, Recommender

LATEST = 200
"""Items of a longer history are left out one by one from the latest on, up to so many."""


@dataclass(frozen=True, eq=False)
class Deletion:
    """What an item's score loses without each item of a history; an approximation of why it is there.

    Args:
        item: Position.
        score: As the model gives it to the person.
        folded: As it gives it to an unknown person with the same history; the effects are differences from this.
        sources: (S,) items of the history, each once.
        effects: (S,) in units of the score; NaN where the model has no score without that item.
    """

    item: int
    score: float
    folded: float
    sources: IntArray
    effects: FloatArray


def reads_histories(info: ModelInfo) -> bool:
    """Return whether a history says something to a model; the floor of a comparison draws or counts without it."""
    return info.folds_in and info.personal and info.family != "floor"


def deletion_effects(model: Recommender[Any], query: QueryBatch, item: int, ctx: RunContext | None = None) -> Deletion:
    """Return what the score of `item` loses without each item of the history of the one person in `query`.

    Only what the model reads of the history counts: with more of it, leaving an item out would let an older one in.

    Raises:
        CannotScore: The model does not read histories, or has no score for the item from the history.
    """
    if not reads_histories(model.info):
        raise CannotScore(f"{model.info.title} does not read histories, so nothing changes without an item of one.")
    ctx = ctx or RunContext()
    score = float(model.score(query)[0, item])
    stranger = model.as_read(query.of_unknown())
    folded = float(model.score(stranger)[0, item])
    if np.isnan(folded):
        raise CannotScore(f"{model.info.title} has no score for this item: nothing in the history speaks for it.")
    items = stranger.history[0]
    latest = items[::-1]
    sources = latest[np.sort(np.unique(latest, return_index=True)[1])][:LATEST].astype(np.int64)
    asked = _without_each(stranger, sources)
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, model.n_items)))
    total = -(-len(asked) // size)
    blocks = ctx.track(asked.batches(size), stage="leave out one item after the other", total=total)
    without = [model.score(block)[:, item] for block in blocks]
    effects = folded - np.concatenate(without) if without else np.empty(0)
    return Deletion(item, score, folded, sources, effects)


def effects(request: ViewRequest) -> ViewData:
    """Return what the score of the item loses without each item of the history, the largest effects first.

    Returns:
        Columns `item`, `title`, `weight` (NaN where no score is left). Facts: `item` (title), `score`, `folded`.

    Raises:
        CannotScore: The model has no score for the item from the history.
    """
    found = deletion_effects(request.model, request.query, request.item)
    order = np.argsort(-np.abs(np.nan_to_num(found.effects)), kind="stable")
    sources = found.sources[order]
    table = pd.DataFrame({ITEM: sources, TITLE: titles_of(request.dataset, sources), WEIGHT: found.effects[order]})
    title = titles_of(request.dataset, np.array([request.item]))[0]
    return ViewData(table, {"item": title, "score": found.score, "folded": found.folded})


def _without_each(query: QueryBatch, sources: IntArray) -> QueryBatch:
    """Return one person in `query` so many times, each time without one of these items."""
    items = query.history[0]
    kept = [np.flatnonzero(items != source) for source in sources]
    chosen = np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)
    history = Ragged.from_rows([items[places] for places in kept])
    return query.repeated(history, chosen)
