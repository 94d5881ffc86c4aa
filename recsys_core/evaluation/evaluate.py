"""Evaluation of a trained model on the test set of a split: recommendation lists and per-user metrics.

Every item that a user has not seen is a candidate (full ranking, no sampled negatives); in item cold-start splits the
held-out items are the candidates. Users are scored in blocks, with a single pass over the scores of each block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, ITEM, RATING, USER
from recsys_core.contracts import (
    PAD,
    BoolArray,
    FloatArray,
    IntArray,
    PredictsRatings,
    Ragged,
    RunContext,
    TopK,
)
from recsys_core.data import Dataset
from recsys_core.data.splits import Split
from recsys_core.errors import DataError
from recsys_core.evaluation import beyond_accuracy as beyond
from recsys_core.evaluation.calibration import calibration
from recsys_core.evaluation.diversity import DiversityBasis, category_matrix, diversity
from recsys_core.evaluation.full_ranking import Order, Ranked, TestQueries, rank_all
from recsys_core.evaluation.metric_info import PARTS, MetricName, Part
from recsys_core.evaluation.metrics import ACCURACY, HitTable, hit_table
from recsys_core.evaluation.pairs import answers_of_pairs
from recsys_core.evaluation.weighted_accuracy import RelevantItems, gains_of
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled
from recsys_core.text import _

N_RELEVANT = "n_relevant"
"""Column with the number of relevant items of each user."""
N_RELEVANT_SEEN = "n_relevant_seen"
"""Column with the number of each user's relevant test items that are excluded because the user had seen them."""
N_RATINGS = "n_ratings"
"""Column with the number of test ratings behind each user's rmse and mae; also `n_ratings:head`, ..."""
N_HISTORY = "n_history"
"""Column with the length of each user's history."""
N_LISTED = "n_listed"
"""Column with the length of each user's list; 0 if the model cannot score any item."""
BY_FALLBACK = "by_fallback"
"""Column that is 1 for users with the list of the fallback, if there is one."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Evaluation of one model. Row r of `lists` and `relevant` belongs to `users[r]` and row r of `per_user`.

    Args:
        per_user: Column `user` (positions), then one column per metric (`ndcg@10`, `ndcg@10:tail`, ...), NaN where
            undefined, then `n_relevant`, `n_ratings` and `n_history`.
        users: (U,) positions of all users with a test case, ascending.
        lists: (U, K) recommendations, K the largest cut-off.
        relevant: U rows of relevant candidates, ascending.
        overall: Metrics with one value per model: `coverage@10`, `gini@10:head`, ...
        recommend_seconds: Time of scoring and ranking for all users.
        users_without_relevant: Number of users excluded from accuracy metrics because no test item was relevant.
        relevant_seen: Number of relevant test items that the user had seen in training: not candidates, excluded.
        relevant_cold: Number of relevant test items without training interactions; they count as relevant.
        head_size: Number of items in the head.
        diversity_users: Number of users over whom co-occurrence was counted; 0 if categories were used.
        order: How the rankings differ between users, see `Order`; items that a model cannot score are ignored.
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
    fallback: FloatArray | None = None,
) -> Evaluation:
    """Compute recommendations and predicted ratings of a trained model for all test users, and their metrics.

    Args:
        model: Trained on `split.train`.
        split: Source of the test cases and the histories.
        cutoffs: Cut-offs k of the metrics.
        relevant_from: Test interactions with at least this rating are relevant; None, or data without ratings: all are.
        ctx: Progress, cancellation, and the random numbers of a sampled diversity.
        head_share: The head is the smallest set of most popular items that holds this share of training interactions.
        diversity_basis: Item vectors used for diversity.
        part: Evaluate on the test set, or on the validation set during tuning.
        fallback: (I,) scores for users for whom the model has no score of a candidate; None leaves their lists empty.

    Raises:
        DataError: The set has no users.
        NotFitted: The model was not trained.
        Cancelled: The run was cancelled.
    """
    ctx = ctx or RunContext()
    queries = queries_of_test(split, part, relevant_from)
    ranked = rank_all(model, queries, max(cutoffs), ctx, fallback)
    found = judged(
        ranked,
        queries,
        split,
        cutoffs=cutoffs,
        ctx=ctx,
        head_share=head_share,
        diversity_basis=diversity_basis,
        with_fallback=fallback is not None,
    )
    if not isinstance(model, PredictsRatings) or not queries.test.has_ratings:
        return found
    errors = _rating_errors(model, queries, head_of(split, head_share), ctx)
    place = found.per_user.columns.get_loc(N_RELEVANT)
    before, after = found.per_user.iloc[:, :place], found.per_user.iloc[:, place:]
    return replace(found, per_user=pd.concat([before, pd.DataFrame(errors), after], axis=1))


def head_of(split: Split, head_share: float = 0.8) -> BoolArray:
    """Return (I,) whether an item is in the head: the smallest set of most popular items with this share."""
    counts = np.bincount(split.train.interactions[ITEM].to_numpy(), minlength=split.train.n_items)
    return beyond.head_items(counts, head_share, split.train.item_vocabulary.keys)


def judged(
    ranked: Ranked,
    queries: TestQueries,
    split: Split,
    *,
    cutoffs: Sequence[int],
    ctx: RunContext,
    head_share: float = 0.8,
    diversity_basis: DiversityBasis = "co_occurrence",
    with_fallback: bool = False,
) -> Evaluation:
    """Return the metrics of lists, whoever made them.

    Args:
        ranked: The lists of all users of `queries`, down to the largest cut-off.
        queries: See `queries_of_test`.
        split: The split of `queries`.
        cutoffs: Cut-offs k of the metrics.
        ctx: Progress and cancellation.
        head_share: Share of the training interactions in the head.
        diversity_basis: Item vectors used for diversity.
        with_fallback: Whether users without own scores got the list of a fallback.
    """
    lengths = sorted(set(cutoffs))
    lists, beaten = ranked.lists, ranked.beaten
    counts = np.bincount(split.train.interactions[ITEM].to_numpy(), minlength=split.train.n_items)
    head = head_of(split, head_share)
    columns = _accuracy(lists, queries.relevant, beaten, head, lengths)
    gains = gains_of(queries.test, queries.users, queries.relevant)
    weighted = RelevantItems(lists.item, hit_table(lists, queries.relevant).hits, queries.relevant, gains, counts)
    columns |= weighted.columns(_part_masks(head), lengths)
    columns |= _calibration(lists, split.train, queries.query.history, lengths)
    beyond_columns, overall, diversity_users = _beyond(lists, split.train, head, lengths, diversity_basis, ctx)
    columns |= beyond_columns
    columns[N_RELEVANT] = queries.relevant.lengths
    columns[N_RELEVANT_SEEN] = queries.relevant_seen
    columns[N_HISTORY] = queries.query.history.lengths
    columns[N_LISTED] = (lists.item != PAD).sum(axis=1)
    if with_fallback:
        columns[BY_FALLBACK] = ranked.by_fallback.astype(np.int8)
    return Evaluation(
        per_user=pd.DataFrame({USER: queries.users} | columns),
        users=queries.users,
        lists=lists,
        relevant=queries.relevant,
        overall=overall,
        recommend_seconds=ranked.seconds,
        users_without_relevant=int((queries.relevant.lengths == 0).sum()),
        relevant_seen=int(queries.relevant_seen.sum()),
        relevant_cold=int((counts[queries.relevant.values] == 0).sum()),
        head_size=int(head.sum()),
        diversity_users=diversity_users,
        order=ranked.order,
    )


def queries_of_test(
    split: Split, part: Literal["test", "validation"] = "test", relevant_from: float | None = None
) -> TestQueries:
    """Return the users to evaluate, with their histories, relevant items and candidates.

    Raises:
        DataError: The set has no users.
    """
    if part == "validation":
        users = split.validation_users()
        query, test = split.validation_queries(users), split.validation
    else:
        users = split.test_users()
        query, test = split.queries(users), split.test
    if test is None or len(users) == 0:
        raise DataError(
            _("The {part} set of '{train_name}' is empty, so no model can be evaluated; choose another split.").format(
                part=part, train_name=split.train.name
            )
        )
    relevant, seen = relevant_items(test, users, query.seen, relevant_from)
    return TestQueries(users, query, test, relevant, seen, split.candidates(part))


def relevant_items(
    test: Dataset, users: IntArray, history: Ragged, relevant_from: float | None = None
) -> tuple[Ragged, IntArray]:
    """Return the relevant candidates of each user, and (U,) how many were excluded because the user had seen them.

    Args:
        test: Test interactions; repeated user-item pairs count once.
        users: (U,) user positions.
        history: U rows of items that the user has seen.
        relevant_from: Smallest rating that makes an item relevant; None, or data without ratings: all are relevant.
    """
    frame = test.interactions
    row_of = np.full(test.n_users, PAD, dtype=np.int64)
    row_of[users] = np.arange(len(users))
    rows = row_of[frame[USER].to_numpy()]
    kept = rows != PAD
    if relevant_from is not None and test.has_ratings:
        kept &= frame[RATING].to_numpy() >= relevant_from
    pairs = np.unique(rows[kept] * test.n_items + frame[ITEM].to_numpy()[kept])
    relevant = Ragged.from_keys(pairs // test.n_items, pairs % test.n_items, len(users))
    unseen = np.ones(len(pairs), dtype=np.bool_)
    marked = np.zeros(test.n_items, dtype=np.bool_)
    _unmark_seen(relevant.values, relevant.offsets, history.values.astype(np.int64), history.offsets, marked, unseen)
    rows = relevant.row_numbers()
    seen = np.bincount(rows[~unseen], minlength=len(users))
    return Ragged.from_keys(rows[unseen], relevant.values[unseen], len(users)), seen


@compiled
def _unmark_seen(
    relevant: IntArray,
    relevant_offsets: IntArray,
    seen: IntArray,
    seen_offsets: IntArray,
    marked: BoolArray,
    unseen: BoolArray,
) -> None:
    for row in range(len(relevant_offsets) - 1):
        own = seen[seen_offsets[row] : seen_offsets[row + 1]]
        for position in own:
            marked[position] = True
        for place in range(relevant_offsets[row], relevant_offsets[row + 1]):
            unseen[place] = not marked[relevant[place]]
        for position in own:
            marked[position] = False


def _part_mask(part: Part, head: BoolArray) -> BoolArray:
    """Return (I,) a mask of the items in a part of the catalogue."""
    return {"": np.ones_like(head), "head": head, "tail": ~head}[part]


def _part_masks(head: BoolArray) -> BoolArray:
    """Return (P, I) the masks of all parts of the catalog."""
    return np.stack([_part_mask(part, head) for part in PARTS])


def _accuracy(lists: TopK, relevant: Ragged, beaten: FloatArray, head: BoolArray, cutoffs: list[int]) -> dict[str, Any]:
    """Return the columns of accuracy metrics; for head and tail only the relevant items there count."""
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
    """Return the per-user columns of beyond-accuracy metrics, the per-model values, and `diversity_users`."""
    matrix = train.matrix("binary")
    users_of_item = np.bincount(matrix.indices, minlength=train.n_items)
    n_users = int((np.diff(matrix.indptr) > 0).sum())
    bits = beyond.information(users_of_item, n_users)
    masks = _part_masks(head)
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
            overall |= _of_all_lists(lists.item, shown, mask, k, part)
    return columns, overall, varied.users


def _of_all_lists(item: IntArray, shown: IntArray, mask: BoolArray, k: int, part: Part) -> dict[str, float]:
    """Return the metrics with one value per model, for a part of the catalog."""
    exposed = beyond.weighted_exposure(item, k, len(mask))[mask]
    values = {
        "coverage": beyond.coverage(shown),
        "covered_users": beyond.covered_users(item, k, mask),
        "personalization": beyond.personalization(item, k, mask),
        "gini": beyond.gini(shown),
        "exposure_gini": beyond.gini(exposed),
    }
    return {str(MetricName(key, k, part)): value for key, value in values.items()}


def _calibration(lists: TopK, train: Dataset, history: Ragged, cutoffs: list[int]) -> dict[str, Any]:
    """Return the columns of calibration; none if the items have no categories."""
    if train.items is None or CATEGORIES not in train.items:
        return {}
    categories = category_matrix(train)
    names = {k: str(MetricName("calibration", k)) for k in cutoffs}
    return {name: calibration(lists.item[:, :k], history, categories) for k, name in names.items()}


def _rating_errors(model: Recommender[Any], queries: TestQueries, head: BoolArray, ctx: RunContext) -> dict[str, Any]:
    """Return rmse, mae and the number of test ratings of each user; unrated test interactions have no error."""
    frame = queries.test.interactions
    frame = frame[frame[RATING].notna()]
    row_of = np.full(queries.test.n_users, PAD, dtype=np.int64)
    row_of[queries.users] = np.arange(len(queries.users))
    rows, items = row_of[frame[USER].to_numpy()], frame[ITEM].to_numpy()
    truth = Ragged.from_keys(rows, frame[RATING].to_numpy(np.float64), len(queries.users))
    rated = Ragged.from_keys(rows, items, len(queries.users))
    predicted = answers_of_pairs(
        model, queries.query, rated.row_numbers(), rated.values, ctx=ctx, stage="predict ratings"
    )
    return rating_columns(predicted - truth.values, rated, head)


def rating_columns(errors: FloatArray, rated: Ragged, head: BoolArray) -> dict[str, Any]:
    """Return columns `rmse`, `mae` and `n_ratings` of all, head and tail items, one value per user.

    Args:
        errors: (N,) predicted minus true rating.
        rated: U rows of the rated items, aligned with `errors`.
        head: (I,) whether an item belongs to the head.
    """
    rows, users = rated.row_numbers(), len(rated)
    columns: dict[str, Any] = {}
    for part in PARTS:
        inside = _part_mask(part, head)[rated.values]
        count = np.bincount(rows[inside], minlength=users)
        squares = np.bincount(rows[inside], weights=errors[inside] ** 2, minlength=users)
        absolute = np.bincount(rows[inside], weights=np.abs(errors[inside]), minlength=users)
        undefined = np.where(count > 0, 0.0, np.nan)
        columns[str(MetricName("rmse", None, part))] = np.sqrt(squares / np.maximum(count, 1)) + undefined
        columns[str(MetricName("mae", None, part))] = absolute / np.maximum(count, 1) + undefined
        columns[f"{N_RATINGS}:{part}".rstrip(":")] = count
    return columns
