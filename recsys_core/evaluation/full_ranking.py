"""Full ranking: the lists of all test users, in blocks, with a single pass over the scores of each block."""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.evaluation.ranking import rank
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled
from recsys_core.models.topk import score_blocks
from recsys_core.training.blocks import results_of_blocks

PROBE = 32
"""Number of users whose scores decide whether a model ranks the same for all users."""
Order = Literal["personal", "same", "constant", "unscored"]
"""How rankings differ between users: by user; same order for all; all scores of a user equal; no scores."""


@dataclass(frozen=True, eq=False)
class TestQueries:
    """The users to evaluate, with their histories, relevant items and candidates."""

    users: IntArray
    query: QueryBatch
    test: Dataset
    relevant: Ragged
    relevant_seen: IntArray
    candidates: IntArray | None


class Ranked(NamedTuple):
    """Lists, shares of beaten candidates, users with the list of the fallback, order, and seconds of scoring."""

    lists: TopK
    beaten: FloatArray
    by_fallback: BoolArray
    order: Order
    seconds: float


def rank_all(
    model: Recommender[Any], queries: TestQueries, k: int, ctx: RunContext, fallback: FloatArray | None
) -> Ranked:
    """Rank all candidates for all users; `order` is that of the model's own scores.

    Args:
        model: A trained model.
        queries: The users, their histories and candidates.
        k: Length of the lists.
        ctx: Progress and cancellation.
        fallback: (I,) scores for users for whom the model has no score of a candidate; None leaves their lists empty.
    """
    threads = ctx.threads if model.scores_in_threads else 1
    blocks = score_blocks(len(queries.users), queries.test.n_items, threads)
    started = time.perf_counter()
    parts, probed, missing = [], [], PROBE

    def ranked(first: int, end: int) -> _Part:
        return _ranked(model, queries, np.arange(first, end), k, fallback)

    with closing(results_of_blocks(ranked, blocks, threads)) as found:
        for _ in ctx.track(range(len(blocks)), stage="rank all items"):
            part = next(found)
            probed.append(part.probed[:missing].copy())
            missing -= len(probed[-1])
            parts.append(part._replace(probed=part.probed[:0].copy()))
    seconds = time.perf_counter() - started
    lists = TopK.joined([part.lists for part in parts], k)
    beaten, empty = (np.concatenate([part[place] for part in parts]) for place in (1, 2))
    return Ranked(lists, beaten, empty, order_of(np.concatenate(probed)), seconds)


class _Part(NamedTuple):
    """What `rank_all` needs of a block: lists, shares of beaten candidates, users without own list, probed scores."""

    lists: TopK
    beaten: FloatArray
    unserved: BoolArray
    probed: FloatArray


def _ranked(
    model: Recommender[Any], queries: TestQueries, rows: IntArray, k: int, fallback: FloatArray | None
) -> _Part:
    """Rank all candidates for some users; up to `PROBE` of those with scores are probed: the others show no order."""
    batch, relevant = queries.query.take(rows), queries.relevant.take(rows)
    scores = model.score(batch)
    probed = scores[np.flatnonzero(~without_scores(np.ascontiguousarray(scores)))[:PROBE]]
    ranking = rank(scores, batch.seen, relevant, k, queries.candidates, model.tie_keys)
    lists, beaten = ranking.lists, ranking.beaten
    if not model.ranks_by_score():
        lists = model.recommend(batch, k, candidates=queries.candidates)
    unserved: BoolArray = (lists.item == PAD).all(axis=1)
    if fallback is not None and unserved.any():
        some = np.flatnonzero(unserved)
        same = np.repeat(fallback[None], len(some), axis=0)
        seen, wanted = batch.seen.take(some), relevant.take(some)
        others = rank(same, seen, wanted, k, queries.candidates, model.tie_keys)
        lists.item[some], lists.score[some] = others.lists.item, others.lists.score
        beaten[unserved[relevant.row_numbers()]] = others.beaten
    return _Part(lists, beaten, unserved, probed)


@compiled
def without_scores(scores: FloatArray) -> BoolArray:
    """Return (B,) whether no score of a row of (B, I) is finite."""
    unserved = np.ones(len(scores), dtype=np.bool_)
    for row in range(len(scores)):
        for value in scores[row]:
            if np.isfinite(value):
                unserved[row] = False
                break
    return unserved


def order_of(scores: FloatArray) -> Order:
    """Return how rankings differ between users, from (P, I) scores of users who have at least one score; see `Order`.

    Two users have the same order if no pair of items scored for both is ordered differently, up to rounding. Pairs of
    users with fewer than two such items, and users whose scores are all equal, are uninformative.
    """
    if len(scores) == 0:
        return "unscored"
    known = np.where(np.isfinite(scores), scores, np.nan).astype(np.float64)
    rounding = 1e-6 * np.nanmax(np.abs(known), axis=1)
    spread = np.nanmax(known, axis=1) - np.nanmin(known, axis=1)
    if (spread <= rounding).all() and (np.isfinite(known).sum(axis=1) > 1).all():
        return "constant"
    telling = known[spread > rounding]
    rounding = rounding[spread > rounding]
    compared = False
    for place in range(1, len(telling)):
        first, row = telling[0], telling[place]
        both = ~np.isnan(first) & ~np.isnan(row)
        one, other = first[both], row[both]
        if len(one) < 2 or np.ptp(one) <= rounding[0] or np.ptp(other) <= rounding[place]:
            continue
        compared = True
        if (np.diff(other[np.argsort(-one, kind="stable")]) > rounding[place]).any():
            return "personal"
    return "same" if compared else "personal"
