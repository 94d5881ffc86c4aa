"""Influence of history items on a score by leave-one-out, for models whose scores do not decompose.

The influence of item j of history P on the score x is

    e_j = x(P) - x(P without j)

Scores are computed for an unknown user with this history, so that no learned user parameters are involved. Influences
do not sum to the score, since similar items can replace each other.

Source: Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation Erasure", section 3, where
the effect is divided by the original score; here it stays in units of the score.
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
from recsys_core.models.base import Recommender
from recsys_core.models.topk import SCORE_BLOCK_BYTES
from recsys_core.text import _

LATEST = 200
"""Maximum number of items that are left out one at a time, the latest first."""


@dataclass(frozen=True, eq=False)
class Deletion:
    """Influence of each history item on the score of one item.

    Args:
        item: Position of the scored item.
        score: Score for the user.
        folded: Score for an unknown user with the same history; influences are differences from it.
        sources: (S,) distinct history items.
        effects: (S,) influences in units of the score; NaN where the model has no score without the item.
    """

    item: int
    score: float
    folded: float
    sources: IntArray
    effects: FloatArray


def reads_histories(info: ModelInfo) -> bool:
    """Return whether a model uses the history at prediction time; non-personalized baselines do not."""
    return info.folds_in and info.personal and info.family != "baselines"


def deletion_effects(model: Recommender[Any], query: QueryBatch, item: int, ctx: RunContext | None = None) -> Deletion:
    """Return the influence of each history item of the single user in `query` on the score of `item`.

    The history is first truncated to what the model reads; otherwise leaving an item out would let an older one in.

    Raises:
        CannotScore: The model does not read histories, or has no score for the item from the history.
    """
    if not reads_histories(model.info):
        raise CannotScore(
            _("{info_title} does not use the history, so leaving items out changes nothing.").format(
                info_title=model.info.title
            )
        )
    ctx = ctx or RunContext()
    score = float(model.score(query)[0, item])
    unknown = model.as_read(query.of_unknown())
    folded = float(model.score(unknown)[0, item])
    if np.isnan(folded):
        raise CannotScore(
            _("{info_title} has no score for this item from the history alone.").format(info_title=model.info.title)
        )
    items = unknown.history[0]
    latest = items[::-1]
    sources = latest[np.sort(np.unique(latest, return_index=True)[1])][:LATEST].astype(np.int64)
    reduced = _without_each(unknown, sources)
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, model.n_items)))
    total = -(-len(reduced) // size)
    blocks = ctx.track(reduced.batches(size), stage="leave out one item at a time", total=total)
    without = [model.score(block)[:, item] for block in blocks]
    effects = folded - np.concatenate(without) if without else np.empty(0)
    return Deletion(item, score, folded, sources, effects)


def effects(request: ViewRequest) -> ViewData:
    """Return the influence of each history item on the score of the item, the largest first.

    Returns:
        Columns `item`, `title`, `weight` (NaN where no score is left). Facts: `item` (title), `score`, `folded`.

    Raises:
        CannotScore: The model has no score for the item from the history.
    """
    found = deletion_effects(request.model, request.query, request.item)
    order = np.argsort(-np.abs(np.nan_to_num(found.effects)), kind="stable")
    sources = found.sources[order]
    table = pd.DataFrame({ITEM: sources, TITLE: titles_of(request.dataset, sources), WEIGHT: found.effects[order]})
    title = request.item_title
    return ViewData(table, {"item": title, "score": found.score, "folded": found.folded})


def _without_each(query: QueryBatch, sources: IntArray) -> QueryBatch:
    """Return the single user in `query` repeated for each source, each time without that item."""
    items = query.history[0]
    kept = [np.flatnonzero(items != source) for source in sources]
    chosen = np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)
    history = Ragged.from_rows([items[places] for places in kept])
    return query.repeated(history, chosen)
