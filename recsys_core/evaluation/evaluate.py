"""A trained model on the test part of a split: its lists, and one value a user for every metric.

Every item that a user has not seen is a candidate (full ranking, no sampling), or, where items are held out, each of
these. The people are asked for in blocks, and each block's scores are passed over once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, RATING, USER
from recsys_core.contracts import (
    PAD,
    BoolArray,
    FloatArray,
    IntArray,
    PredictsRatings,
    QueryBatch,
    Ragged,
    RunContext,
    TopK,
)
from recsys_core.data import Dataset
from recsys_core.data.splits import Split
from recsys_core.errors import DataError
from recsys_core.evaluation import beyond_accuracy as beyond
from recsys_core.evaluation.diversity import DiversityBasis, diversity
from recsys_core.evaluation.metric_info import PARTS, MetricName, Part
from recsys_core.evaluation.metrics import ACCURACY, HitTable, hit_table
from recsys_core.evaluation.pairs import answers_of_pairs, blocks_of_people
from recsys_core.evaluation.ranking import rank
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled

N_RELEVANT = "n_relevant"
"""Column with the number of relevant items of each user."""
N_RELEVANT_SEEN = "n_relevant_seen"
"""Column with the number of each user's relevant test items that are left out because the user had seen them."""
N_RATINGS = "n_ratings"
"""Column with the number of test ratings that each user's rmse and mae are taken over; also `n_ratings:head`, ..."""
N_HISTORY = "n_history"
"""Column with the number of interactions that the model was shown of each user."""
N_LISTED = "n_listed"
"""Column with the length of each user's list; 0 where the model can score no item."""
PROBE = 32
"""Number of users by whom it is decided whether a model ranks the same for everybody."""
Order = Literal["personal", "same", "constant", "unscored"]
"""How the lists of users differ: by user; one and the same order for all; all scores of a user equal; no scores."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out for one model. Row r of `lists` and `relevant` belongs to `users[r]` and row r of `per_user`.

    Args:
        per_user: Column `user` (positions), then one column a metric (`ndcg@10`, `ndcg@10:tail`, ...), NaN where
            undefined, then `n_relevant`, `n_ratings` and `n_history`.
        users: (U,) positions of all users with a test case, ascending.
        lists: (U, K) recommendations, K the largest cut-off.
        relevant: U rows of relevant candidates, ascending.
        overall: Metrics that have one value a model: `coverage@10`, `gini@10:head`, ...
        recommend_seconds: Time of scoring and ranking for all users.
        users_without_relevant: Users left out of the metrics of accuracy, because no test item was relevant.
        relevant_seen: Relevant test items that the user had seen in training: no candidates, left out.
        relevant_cold: Relevant test items that nobody had in training; they count, and few models can find them.
        head_size: Number of items in the head.
        diversity_users: Over so many users co-occurrence was counted; 0 where categories were compared.
        order: How the scores of users differ, see `Order`; what a model cannot score is left out of account.
    """

    per_user: pd.DataFrame
    users: IntArray
    lists: TopK
    relevant: Ragged
    overall: dict[str, float]
    recommend_seconds: float
    users_without_relevant: int
    relevant_seen: int
    relevant_cold: int
    head_size: int
    diversity_users: int
    order: Order


@dataclass(frozen=True, eq=False)
class _Questions:
    """Who is asked for, and what would have been right."""

    users: IntArray
    query: QueryBatch
    test: Dataset
    relevant: Ragged
    relevant_seen: IntArray
    candidates: IntArray | None


def evaluate(
    model: Recommender[Any],
    split: Split,
    *,
    cutoffs: Sequence[int] = (1, 5, 10, 20, 50),
    relevant_from: float | None = None,
    ctx: RunContext | None = None,
    head_share: float = 0.8,
    diversity_basis: DiversityBasis = "co_occurrence",
    part: Literal["test", "validation"] = "test",
) -> Evaluation:
    """Ask a trained model for every test user, and judge its lists and predicted ratings.

    Args:
        model: Trained on `split.train`.
        split: Where the test cases and the histories come from.
        cutoffs: Lengths of list at which metrics are taken.
        relevant_from: Test interactions with at least this rating are relevant; None, or data without ratings: all are.
        ctx: Progress, cancelling, and the chance that diversity may need.
        head_share: The head is the smallest set of most popular items that holds this share of training interactions.
        diversity_basis: What makes two items alike.
        part: Judge by the test part, or by the validation part while settings are chosen.

    Raises:
        DataError: There is nobody to judge by.
        NotFitted: The model was not trained.
        Cancelled: The person stopped the work.
    """
    ctx = ctx or RunContext()
    lengths = sorted(set(cutoffs))
    questions = _questions(split, part, relevant_from)
    lists, beaten, order, seconds = _rank_all(model, questions, lengths[-1], ctx)
    counts = np.bincount(split.train.interactions[ITEM].to_numpy(), minlength=split.train.n_items)
    head = beyond.head_items(counts, head_share, split.train.item_vocabulary.keys)
    columns = _accuracy(lists, questions.relevant, beaten, head, lengths)
    beyond_columns, overall, diversity_users = _beyond(lists, split.train, head, lengths, diversity_basis, ctx)
    columns |= beyond_columns
    if isinstance(model, PredictsRatings) and questions.test.has_ratings:
        columns |= _rating_errors(model, questions, head, ctx)
    columns[N_RELEVANT] = questions.relevant.lengths
    columns[N_RELEVANT_SEEN] = questions.relevant_seen
    columns[N_HISTORY] = questions.query.history.lengths
    columns[N_LISTED] = (lists.item != PAD).sum(axis=1)
    return Evaluation(
        per_user=pd.DataFrame({USER: questions.users} | columns),
        users=questions.users,
        lists=lists,
        relevant=questions.relevant,
        overall=overall,
        recommend_seconds=seconds,
        users_without_relevant=int((questions.relevant.lengths == 0).sum()),
        relevant_seen=int(questions.relevant_seen.sum()),
        relevant_cold=int((counts[questions.relevant.values] == 0).sum()),
        head_size=int(head.sum()),
        diversity_users=diversity_users,
        order=order,
    )


def _questions(split: Split, part: Literal["test", "validation"], relevant_from: float | None) -> _Questions:
    if part == "validation":
        users = split.validation_users()
        query, test = split.validation_queries(users), split.validation
    else:
        users = split.test_users()
        query, test = split.queries(users), split.test
    if test is None or len(users) == 0:
        raise DataError(f"The {part} part of '{split.train.name}' is empty; nobody can be judged by it.")
    relevant, seen = relevant_items(test, users, query.history, relevant_from)
    return _Questions(users, query, test, relevant, seen, split.candidates(part))


def relevant_items(
    test: Dataset, users: IntArray, history: Ragged, relevant_from: float | None = None
) -> tuple[Ragged, IntArray]:
    """Return the relevant candidates of each user, and (U,) how many are left out because the user had seen them.

    Args:
        test: The interactions that models are judged by; a pair that stands there twice counts once.
        users: (U,) positions of the users asked for.
        history: U rows of items that the user has seen.
        relevant_from: Smallest rating that makes an item relevant; None, or data without ratings: all do.
    """
    frame = test.interactions
    row_of = np.full(test.n_users, PAD, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    rows = row_of[frame[USER].to_numpy()]
    kept = rows != PAD
    if relevant_from is not None and test.has_ratings:
        kept &= frame[RATING].to_numpy() >= relevant_from
    pairs = np.unique(rows[kept] * test.n_items + frame[ITEM].to_numpy()[kept])
    wanted = Ragged.from_keys(pairs // test.n_items, pairs % test.n_items, len(users))
    fresh = np.ones(len(pairs), dtype=np.bool_)
    marked = np.zeros(test.n_items, dtype=np.bool_)
    _unmark_seen(wanted.values, wanted.offsets, history.values.astype(np.int64), history.offsets, marked, fresh)
    rows = wanted.row_numbers()
    seen = np.bincount(rows[~fresh], minlength=len(users))
    return Ragged.from_keys(rows[fresh], wanted.values[fresh], len(users)), seen


@compiled
def _unmark_seen(
    wanted: IntArray,
    wanted_offsets: IntArray,
    seen: IntArray,
    seen_offsets: IntArray,
    marked: BoolArray,
    fresh: BoolArray,
) -> None:
    for row in range(len(wanted_offsets) - 1):
        mine = seen[seen_offsets[row] : seen_offsets[row + 1]]
        for position in mine:
            marked[position] = True
        for place in range(wanted_offsets[row], wanted_offsets[row + 1]):
            fresh[place] = not marked[wanted[place]]
        for position in mine:
            marked[position] = False


def _rank_all(
    model: Recommender[Any], questions: _Questions, k: int, ctx: RunContext
) -> tuple[TopK, FloatArray, Order, float]:
    """Return lists, shares of beaten candidates, how the orders of users differ, and seconds of scoring."""
    lists: list[TopK] = []
    beaten: list[FloatArray] = []
    probed: list[FloatArray] = []
    missing, seconds = PROBE, 0.0
    for rows in ctx.track(blocks_of_people(len(questions.users), questions.test.n_items), stage="rank all items"):
        batch = questions.query.take(rows)
        started = time.perf_counter()
        scores = model.score(batch)
        ranking = rank(scores, batch.history, questions.relevant.take(rows), k, questions.candidates, model.tie_keys)
        found = ranking.lists
        if not model.ranks_by_score():
            found = model.recommend(batch, k, candidates=questions.candidates)
        seconds += time.perf_counter() - started
        if missing:  # users for whom nothing can be scored say nothing about the order
            able = np.flatnonzero(np.isfinite(scores).any(axis=1))[:missing]
            probed.append(scores[able])
            missing -= len(able)
        lists.append(found)
        beaten.append(ranking.beaten)
    joined = TopK(np.concatenate([part.item for part in lists]), np.concatenate([part.score for part in lists]))
    return joined, np.concatenate(beaten), order_of(np.concatenate(probed)), seconds


def order_of(scores: FloatArray) -> Order:
    """Return how the orders of users differ, from (P, I) scores of some users each of whom has a score; see `Order`.

    Two users have the same order if no two items that both can be scored for change places (but for rounding). So a
    pair of users with fewer than two such items decides nothing, and neither does a user whose scores are all equal.
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


def _part_mask(part: Part, head: BoolArray) -> BoolArray:
    """Return (I,) the items of a part of the catalogue."""
    return {"": np.ones_like(head), "head": head, "tail": ~head}[part]


def _accuracy(lists: TopK, relevant: Ragged, beaten: FloatArray, head: BoolArray, cutoffs: list[int]) -> dict[str, Any]:
    """Return the columns that follow from relevant items; for head and tail only the relevant items there count."""
    everything = hit_table(lists, relevant)
    rows = relevant.row_numbers()
    columns: dict[str, Any] = {}
    for part in PARTS:
        mask = _part_mask(part, head)
        inside = mask[relevant.values]
        n_relevant = np.bincount(rows[inside], minlength=len(relevant))
        table = HitTable(everything.hits & mask[lists.item], n_relevant)
        for key, function in ACCURACY.items():
            columns |= {str(MetricName(key, k, part)): function(table, k) for k in cutoffs}
        total = np.bincount(rows[inside], weights=beaten[inside], minlength=len(relevant))
        columns[str(MetricName("auc", None, part))] = table.defined(total / np.maximum(n_relevant, 1))
    return columns


def _beyond(
    lists: TopK,
    train: Dataset,
    head: BoolArray,
    cutoffs: list[int],
    basis: DiversityBasis,
    ctx: RunContext,
) -> tuple[dict[str, Any], dict[str, float], int]:
    """Return the columns that follow from the lists alone, the numbers of the model as a whole, and users counted."""
    matrix = train.matrix("binary")
    users_of_item = np.bincount(matrix.indices, minlength=train.n_items)
    n_users = int((np.diff(matrix.indptr) > 0).sum())
    bits = beyond.information(users_of_item, n_users)
    masks = np.stack([_part_mask(part, head) for part in PARTS])
    varied = diversity(lists.item, train, np.array(cutoffs), masks, basis, ctx=ctx)
    columns: dict[str, Any] = {}
    overall: dict[str, float] = {}
    for part, mask, different in zip(PARTS, masks, varied.values, strict=True):
        for place, k in enumerate(cutoffs):
            shown = beyond.exposure(lists.item, k, train.n_items)[mask]
            columns[str(MetricName("novelty", k, part))] = beyond.list_mean(lists.item, bits, k, mask)
            shares = users_of_item / max(n_users, 1)
            columns[str(MetricName("popularity", k, part))] = beyond.list_mean(lists.item, shares, k, mask)
            columns[str(MetricName("diversity", k, part))] = different[:, place]
            overall[str(MetricName("coverage", k, part))] = beyond.coverage(shown)
            overall[str(MetricName("gini", k, part))] = beyond.gini(shown)
    return columns, overall, varied.users


def _rating_errors(model: Recommender[Any], questions: _Questions, head: BoolArray, ctx: RunContext) -> dict[str, Any]:
    """Return each user's rmse and mae over the user's test ratings, and how many there are."""
    frame = questions.test.interactions
    row_of = np.full(questions.test.n_users, PAD, dtype=np.int64)
    row_of[questions.users] = np.arange(len(questions.users))
    rows, items = row_of[frame[USER].to_numpy()], frame[ITEM].to_numpy()
    truth = Ragged.from_keys(rows, frame[RATING].to_numpy(np.float64), len(questions.users))
    asked = Ragged.from_keys(rows, items, len(questions.users))
    predicted = answers_of_pairs(
        model, questions.query, asked.row_numbers(), asked.values, ctx=ctx, stage="predict ratings"
    )
    return rating_columns(predicted - truth.values, asked, head)


def rating_columns(errors: FloatArray, asked: Ragged, head: BoolArray) -> dict[str, Any]:
    """Return columns `rmse`, `mae` and `n_ratings` of all, head and tail items, one value a user.

    Args:
        errors: (N,) predicted minus given rating.
        asked: U rows of the items rated, aligned with `errors`.
        head: (I,) whether an item belongs to the head.
    """
    rows, users = asked.row_numbers(), len(asked)
    columns: dict[str, Any] = {}
    for part in PARTS:
        inside = _part_mask(part, head)[asked.values]
        count = np.bincount(rows[inside], minlength=users)
        squares = np.bincount(rows[inside], weights=errors[inside] ** 2, minlength=users)
        absolute = np.bincount(rows[inside], weights=np.abs(errors[inside]), minlength=users)
        undefined = np.where(count > 0, 0.0, np.nan)
        columns[str(MetricName("rmse", None, part))] = np.sqrt(squares / np.maximum(count, 1)) + undefined
        columns[str(MetricName("mae", None, part))] = absolute / np.maximum(count, 1) + undefined
        columns[f"{N_RATINGS}:{part}".rstrip(":")] = count
    return columns
