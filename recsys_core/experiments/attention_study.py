"""Faithfulness of attention (rank correlation with influence over many users) and head ablation.

For each user the score is recomputed without each history item (`explain.deletion`), within the part of the history
that the model uses. Attention is faithful to the extent that its order of the items agrees with the order of the
absolute influence (Spearman). Two references are measured in the same way: recency, because most models attend to the
latest items and depend on them, and the attention weights shuffled within each user, which is chance level.

Source: Jain and Wallace 2019, "Attention is not Explanation", section 4.1, with leave-one-out influence on a score and
recency as an additional reference. Heads: Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?",
section 3.2.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from recsys_core.columns import USER
from recsys_core.contracts import PAD, FloatArray, IntArray, QueryBatch, Ragged, RunContext, TracesAttention
from recsys_core.data import Dataset
from recsys_core.data.splits import make_splits
from recsys_core.errors import CannotScore, DataError
from recsys_core.evaluation import intervals
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.evaluation.pairs import user_blocks
from recsys_core.evaluation.ranking import rank
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import require_same_split
from recsys_core.experiments.training_part import trained, unwrapped
from recsys_core.explain.attention_effects import (
    ATTENTION,
    EFFECT,
    FEWEST,
    RECENCY,
    STRONG,
    WEAK,
    looks_and_effects,
    rank_correlation,
)
from recsys_core.explain.deletion import deletion_effects
from recsys_core.models.base import Recommender
from recsys_core.text import _

K = 10
FAITHFULNESS_USERS = 100
"""Sample size for the comparison of attention and influence."""
ABLATION_USERS = 500
"""Sample size for head ablation."""
FEWEST_USERS = 20
"""With fewer users the study gives no verdict."""
CONFIDENCE = 0.95
SHUFFLED = "shuffled"
ORDERS = (ATTENTION, RECENCY, SHUFFLED)
LAYER, HEAD, NDCG = "layer", "head", f"ndcg@{K}"


class Tracks(StrEnum):
    """Whether attention tracks influence."""

    DOES = "does"
    WEAKLY = "weakly"
    DOES_NOT = "does_not"
    TOO_FEW = "too_few"


class Beyond(StrEnum):
    """Whether attention predicts influence better than recency alone."""

    MORE = "more"
    SAME = "same"
    LESS = "less"


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Whether attention tracks influence in a model.

    Args:
        verdict: Conclusion from the numbers.
        beyond: Comparison with recency.
        table: One row per order: `order` (`attention`, `recency`, `shuffled`), `mean` rank correlation with absolute
            influence, `low`, `high` (bootstrap over users), and the difference of attention to it with the paired
            interval: `gain`, `gain_low`, `gain_high`.
        per_user: One row per user: `user` (position, `PAD` if unknown), `items`, and the three correlations.
        left_out: Number of sampled users without a defined correlation.
    """

    verdict: Tracks
    beyond: Beyond
    table: pd.DataFrame
    per_user: pd.DataFrame
    left_out: int


@dataclass(frozen=True, eq=False)
class HeadEffects:
    """Head ablation: the metric without each head.

    Args:
        ndcg: NDCG@10 of the full model, mean over users.
        low: Lower end of its bootstrap interval.
        high: Upper end.
        table: One row per head: `layer`, `head` (both from 1), `ndcg@10` without it, `difference` to the full model,
            `low`, `high` (paired interval, Bonferroni-corrected for the number of heads), `different` (0 lies outside).
        users: Number of users evaluated.
    """

    ndcg: float
    low: float
    high: float
    table: pd.DataFrame
    users: int


@runtime_checkable
class AblatesHeads(Protocol):
    """A model with heads that can be ablated one at a time."""

    def ablated(self, layer: int, head: int) -> AbstractContextManager[None]:
        """Set the output of one head to zero within the context. Both indices start at 0."""
        ...


@dataclass(frozen=True, eq=False)
class StudyUsers:
    """The test users of an experiment.

    Args:
        queries: B users with the histories that the model may see.
        relevant: B rows of their relevant test items.
        candidates: (C,) the candidate items, None for all.
    """

    queries: QueryBatch
    relevant: Ragged
    candidates: IntArray | None


def study_users(run: Run, dataset: Dataset) -> StudyUsers:
    """Return the test users of an experiment with their relevant items.

    Raises:
        DataError: The test set is empty.
    """
    split = make_splits(dataset, run.spec.split, run.spec.seed, task=run.spec.task)[0]
    require_same_split(run, split)
    users = split.test_users()
    if not len(users):
        raise DataError(
            _("The test set of '{dataset_name}' is empty; use an experiment with another split.").format(
                dataset_name=dataset.name
            )
        )
    queries = split.queries(users)
    relevant, _unused = relevant_items(split.test, users, queries.seen, run.spec.relevant_from)
    return StudyUsers(queries, relevant, split.candidates("test"))


# ------------------------------------------------------------------------------ attention and influence


def faithfulness(
    model: Recommender[Any], queries: QueryBatch, ctx: RunContext | None = None, *, max_users: int = FAITHFULNESS_USERS
) -> Faithfulness:
    """Return whether attention tracks influence, over randomly sampled users; each is treated as an unknown user.

    Args:
        model: A trained model with attention.
        queries: Users to sample from.
        ctx: Progress, cancellation, and the random numbers of sample, shuffles and bootstrap.
        max_users: Maximum sample size.

    Raises:
        CannotScore: The model has no attention.
        DataError: No user has a history of `FEWEST` items.
        Cancelled: The run was cancelled.
    """
    ctx = ctx or RunContext()
    model, queries = unwrapped(model, queries)
    drawn = _drawn(np.flatnonzero(queries.history.lengths >= FEWEST), max_users, ctx)
    quiet = RunContext(stop_requested=ctx.stop_requested)
    chance = ctx.rng("attention", SHUFFLED)
    rows = []
    for row in ctx.track(drawn.tolist(), stage="leave out each item, user by user"):
        table = _attention_and_influence(model, queries.take(np.array([row])), quiet)
        size = table[EFFECT].abs().to_numpy()
        orders = {name: table[name].to_numpy(np.float64) for name in (ATTENTION, RECENCY)}
        orders[SHUFFLED] = chance.permutation(orders[ATTENTION])
        correlations = {name: rank_correlation(values, size) for name, values in orders.items()}
        rows.append({USER: int(queries.user[row]), "items": len(table)} | correlations)
    sample = pd.DataFrame(rows)
    known = sample.dropna().reset_index(drop=True)
    table = _orders(known, ctx)
    verdict, beyond = _verdict(table, len(known))
    return Faithfulness(verdict, beyond, table, known, len(sample) - len(known))


def _drawn(rows: IntArray, most: int, ctx: RunContext) -> IntArray:
    """Return at most `most` of the rows, drawn at random, in their order."""
    if not len(rows):
        raise DataError(_("No test user has a history that is long enough; use data with more interactions per user."))
    return np.sort(ctx.rng("attention", "people").permutation(rows)[:most])


def _attention_and_influence(model: Recommender[Any], query: QueryBatch, ctx: RunContext) -> pd.DataFrame:
    """Return both for each item of one history, for the top recommended item; see `looks_and_effects`."""
    if not isinstance(model, TracesAttention):
        raise CannotScore(_("{info_title} has no attention weights.").format(info_title=model.info.title))
    unknown_user = query.of_unknown()
    empty = pd.DataFrame({ATTENTION: [], EFFECT: [], RECENCY: []}, dtype=np.float64)
    try:
        trace = model.trace(unknown_user)
        first = int(model.recommend(unknown_user, 1).item[0, 0])
        if first == PAD:
            return empty
        return looks_and_effects(trace, deletion_effects(model, unknown_user, first, ctx))
    except CannotScore:
        return empty


def _orders(known: pd.DataFrame, ctx: RunContext) -> pd.DataFrame:
    """Return mean and interval of each order, and of the difference of attention to it, over the same users."""
    values = known[list(ORDERS)].to_numpy(np.float64)  # (U, 3)
    columns = np.concatenate([values, values[:, :1] - values], axis=1)
    if not len(columns):
        columns = np.full((1, columns.shape[1]), np.nan)
    mean, low, high = _mean_and_interval(columns, ctx, CONFIDENCE)
    n = len(ORDERS)
    own = {"mean": mean[:n], "low": low[:n], "high": high[:n]}
    return pd.DataFrame({"order": ORDERS, **own, "gain": mean[n:], "gain_low": low[n:], "gain_high": high[n:]})


def _mean_and_interval(
    columns: FloatArray, ctx: RunContext, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (M,) means of (U, M) columns with both ends of their bootstrap intervals over the same users."""
    draws = intervals.bootstrap_means(columns, rng=ctx.rng("attention", "bootstrap"))
    low, high = intervals.interval(draws, confidence)
    return columns.mean(axis=0), low, high


def _verdict(table: pd.DataFrame, users: int) -> tuple[Tracks, Beyond]:
    """Return that attention tracks influence only if it does so significantly better than shuffled attention."""
    column = {name: dict(zip(table["order"], table[name].tolist(), strict=True)) for name in table.columns[1:]}
    mean, least, most = column["mean"][ATTENTION], column["gain_low"], column["gain_high"]
    beyond = Beyond.MORE if least[RECENCY] > 0 else Beyond.LESS if most[RECENCY] < 0 else Beyond.SAME
    if users < FEWEST_USERS:
        return Tracks.TOO_FEW, Beyond.SAME
    if mean < WEAK or least[SHUFFLED] <= 0:
        return Tracks.DOES_NOT, beyond
    return Tracks.DOES if mean >= STRONG else Tracks.WEAKLY, beyond


# ------------------------------------------------------------------------------------------------ heads


def head_ablation(
    model: Recommender[Any],
    queries: QueryBatch,
    relevant: Ragged,
    ctx: RunContext | None = None,
    *,
    candidates: IntArray | None = None,
    max_users: int = ABLATION_USERS,
) -> HeadEffects:
    """Return NDCG@10 of a model without each of its heads, over randomly sampled users.

    Args:
        model: A trained model whose heads can be ablated.
        queries: Users to sample from.
        relevant: Relevant items of each user, none of them in the history.
        ctx: Progress, cancellation, and the random numbers of sample and bootstrap.
        candidates: (C,) the candidate items, None for all.
        max_users: Maximum sample size.

    Raises:
        CannotScore: The model has no heads that can be ablated.
        DataError: No user has a history and a relevant item.
        Cancelled: The run was cancelled.
    """
    ctx = ctx or RunContext()
    learned = trained(model)
    if not isinstance(learned, AblatesHeads) or not isinstance(learned, TracesAttention):
        raise CannotScore(
            _("{info_title} has no attention heads that can be ablated.").format(info_title=model.info.title)
        )
    _unused, read = unwrapped(model, queries)
    drawn = _drawn(np.flatnonzero((read.history.lengths > 0) & (relevant.lengths > 0)), max_users, ctx)
    n_layers, n_heads = learned.trace(read.take(drawn[:1])).weights.shape[:2]
    sample, sample_relevant = queries.take(drawn), relevant.take(drawn)
    values = [_ndcg(model, sample, sample_relevant, candidates)]
    heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    for layer, head in ctx.track(heads, stage="ablate one head at a time"):
        with learned.ablated(layer, head):
            values.append(_ndcg(model, sample, sample_relevant, candidates))
    whole, without = values[0], np.stack(values[1:], axis=1)
    mean, low, high = _mean_and_interval(whole[:, None], ctx, CONFIDENCE)
    differences = without - whole[:, None]
    change, least, most = _mean_and_interval(differences, ctx, 1 - (1 - CONFIDENCE) / len(heads))
    table = pd.DataFrame(np.array(heads) + 1, columns=[LAYER, HEAD]).assign(
        **{NDCG: without.mean(axis=0), "difference": change, "low": least, "high": most},
        different=(least > 0) | (most < 0),
    )
    return HeadEffects(float(mean[0]), float(low[0]), float(high[0]), table, len(drawn))


def _ndcg(model: Recommender[Any], queries: QueryBatch, relevant: Ragged, candidates: IntArray | None) -> FloatArray:
    """Return (B,) NDCG@10 of each user."""
    values = []
    for rows in user_blocks(len(queries), model.n_items):
        batch, batch_relevant = queries.take(rows), relevant.take(rows)
        lists = rank(model.score(batch), batch.history, batch_relevant, K, candidates, model.tie_keys).lists
        values.append(ndcg(hit_table(lists, batch_relevant), K))
    return np.concatenate(values)
