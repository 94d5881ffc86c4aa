"""Evaluation of lists of other systems: the same users, candidates and metrics as for a trained model.

A list ends where it ends: what its author would have ranked below is unknown, so metrics of the whole ranking (AUC) are
not computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, RunContext, TopK
from recsys_core.data.random_keys import mixed
from recsys_core.data.splits import Split
from recsys_core.evaluation.evaluate import Evaluation, judged, queries_of_test
from recsys_core.evaluation.full_ranking import PROBE, Order, Ranked, TestQueries, order_of
from recsys_core.evaluation.ranking import rank


@dataclass(frozen=True, eq=False)
class GivenLists:
    """N recommendations, those of one user best first.

    Args:
        user: (N,) user positions.
        item: (N,) item positions.
        score: (N,) scores, NaN if they are not known.
        fold: (N,) numbers of the test sets that they are for; None if that is not known.
    """

    user: IntArray
    item: IntArray
    score: FloatArray
    fold: IntArray | None = None

    def of_fold(self, number: int) -> "GivenLists":
        """Return the lists for one of several test sets."""
        assert self.fold is not None
        own = self.fold == number
        return GivenLists(self.user[own], self.item[own], self.score[own])


@dataclass(frozen=True)
class NotJudged:
    """Numbers of recommendations that were not judged, each with the first reason that applies.

    Args:
        no_test_user: The user has no test case.
        repeated: The item stands higher in the same list.
        seen: The user has seen the item in training; models never recommend such items.
        no_candidate: The item is not a candidate of the experiment (item cold start).
        beyond: Below the largest cut-off.
    """

    no_test_user: int = 0
    repeated: int = 0
    seen: int = 0
    no_candidate: int = 0
    beyond: int = 0


def evaluate_lists(
    lists: GivenLists,
    split: Split,
    *,
    cutoffs: Sequence[int],
    relevant_from: float | None = None,
    ctx: RunContext | None = None,
    fallback: FloatArray | None = None,
    seconds: float = float("nan"),
) -> tuple[Evaluation, NotJudged]:
    """Judge lists on the test set of a split, as `evaluate` judges a model.

    Args:
        lists: The recommendations.
        split: Source of the test cases and the histories.
        cutoffs: Cut-offs k of the metrics; shorter lists count as they are.
        relevant_from: See `evaluate`.
        ctx: Progress, cancellation, and the random numbers of a sampled diversity.
        fallback: (I,) scores for users without a list; None leaves them without one.
        seconds: Time in which they were made; NaN if unknown.

    Raises:
        DataError: The test set has no users.
    """
    ctx = ctx or RunContext()
    queries = queries_of_test(split, relevant_from=relevant_from)
    top, not_judged = _placed(lists, queries, max(cutoffs))
    unserved: BoolArray = (top.item == PAD).all(axis=1)
    if fallback is not None and unserved.any():
        top = _filled(top, unserved, fallback, queries, split, ctx)
    beaten = np.full(len(queries.relevant.values), np.nan)
    ranked = Ranked(top, beaten, unserved & (fallback is not None), _order(top, split.train.n_items), seconds)
    found = judged(ranked, queries, split, cutoffs=cutoffs, ctx=ctx, with_fallback=fallback is not None)
    whole = [name for name in found.per_user if str(name).partition(":")[0] == "auc"]
    return replace(found, per_user=found.per_user.drop(columns=whole)), not_judged


def _placed(lists: GivenLists, queries: TestQueries, k: int) -> tuple[TopK, NotJudged]:
    """Return (U, k) the candidates of each test user's list, and the number of the other rows by reason."""
    n_items, users = queries.test.n_items, queries.users
    row_of = np.full(queries.test.n_users, PAD, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    rows, items, scores = row_of[lists.user], lists.item.astype(np.int64), np.asarray(lists.score, np.float64)
    left = {}

    def keep(name: str, kept: BoolArray) -> None:
        nonlocal rows, items, scores
        left[name] = int((~kept).sum())
        rows, items, scores = rows[kept], items[kept], scores[kept]

    keep("no_test_user", rows != PAD)
    first = np.zeros(len(rows), dtype=np.bool_)
    first[np.unique(rows * n_items + items, return_index=True)[1]] = True
    keep("repeated", first)
    seen = queries.query.seen
    keep("seen", ~np.isin(rows * n_items + items, seen.row_numbers() * n_items + seen.values.astype(np.int64)))
    known = np.ones(len(rows), np.bool_) if queries.candidates is None else np.isin(items, queries.candidates)
    keep("no_candidate", known)
    order = np.argsort(rows, kind="stable")
    rows, items, scores = rows[order], items[order], scores[order]
    counts = np.bincount(rows, minlength=len(users))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    inside = places < k
    keep("beyond", inside)
    places = places[inside]
    item = np.full((len(users), k), PAD, dtype=np.int64)
    score = np.full((len(users), k), np.nan)
    item[rows, places], score[rows, places] = items, scores
    return TopK(item, score), NotJudged(**left)


def _filled(
    top: TopK, unserved: BoolArray, fallback: FloatArray, queries: TestQueries, split: Split, ctx: RunContext
) -> TopK:
    """Return the lists with those of a fallback for users without one."""
    rows = np.flatnonzero(unserved)
    ties = mixed(split.train.item_vocabulary.keys, ctx.seed)
    item, score = top.item.copy(), top.score.copy()
    block = max(1, 4_000_000 // len(fallback))
    for start in range(0, len(rows), block):
        some = rows[start : start + block]
        scores = np.repeat(fallback[None], len(some), axis=0)
        seen, relevant = queries.query.take(some).seen, queries.relevant.take(some)
        found = rank(scores, seen, relevant, top.item.shape[1], queries.candidates, ties).lists
        item[some], score[some] = found.item, found.score
    return TopK(item, score)


def _order(top: TopK, n_items: int) -> Order:
    """Return whether all users got the same order of items, from the first users with a list."""
    rows = np.flatnonzero((top.item != PAD).any(axis=1))[:PROBE]
    scores = np.full((len(rows), n_items), np.nan)
    for place, row in enumerate(rows):
        own = top.item[row][top.item[row] != PAD]
        scores[place, own] = -np.arange(len(own), dtype=np.float64)
    return order_of(scores)
