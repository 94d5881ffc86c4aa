"""Does attention tell what matters? Attention beside influence over many people, and what each head is good for.

For each person the model is asked again without each item of the history (`explain.deletion`), cut to what it reads.
Attention is faithful as far as its order of the items is that of the sizes of these effects (Spearman). Two others
are measured by the same rule: that of time, since most models look at the latest items and need them, and that of the
same attention shuffled within each person, which is chance.

Source: Jain and Wallace 2019, "Attention is not Explanation", section 4.1, with leave-one-out effects on a score, and
the order of time beside them. Heads: Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?",
section 3.2.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from recsys_core.columns import USER
from recsys_core.contracts import (
    PAD,
    AttentionTrace,
    FloatArray,
    IntArray,
    QueryBatch,
    Ragged,
    RunContext,
    TracesAttention,
)
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
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.training_part import trained
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
from recsys_core.serving.recommendations import bare

K = 10
PEOPLE = 100
"""Attention is compared with influence for so many people, drawn at random."""
JUDGED = 500
"""Heads are judged by the lists for so many people, drawn at random."""
FEWEST_PEOPLE = 20
"""With fewer people nothing is called proved."""
CONFIDENCE = 0.95
SHUFFLED = "shuffled"
ORDERS = (ATTENTION, RECENCY, SHUFFLED)
LAYER, HEAD, NDCG = "layer", "head", f"ndcg@{K}"


class Tracks(StrEnum):
    """Whether attention goes with influence."""

    DOES = "does"
    WEAKLY = "weakly"
    DOES_NOT = "does_not"
    TOO_FEW = "too_few"


class Beyond(StrEnum):
    """Whether attention says more about influence than the place in the history alone."""

    MORE = "more"
    SAME = "same"
    LESS = "less"


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Whether attention tracks influence in a model.

    Args:
        verdict: What follows from the numbers.
        beyond: How it stands beside the order of time.
        table: A row for each order: `order` (`attention`, `recency`, `shuffled`), `mean` rank correlation with the size
            of the effects, `low`, `high` (bootstrap over people), and by how much attention is above it with the
            paired interval: `gain`, `gain_low`, `gain_high`.
        per_user: A row for each person: `user` (position, `PAD` if unknown), `items`, and the three correlations.
        left_out: People of the sample for whom no correlation is defined.
    """

    verdict: Tracks
    beyond: Beyond
    table: pd.DataFrame
    per_user: pd.DataFrame
    left_out: int


@dataclass(frozen=True, eq=False)
class HeadEffects:
    """What a model reaches without each head.

    Args:
        ndcg: NDCG@10 of the whole model, mean over people.
        low: Lower end of its bootstrap interval.
        high: Upper end.
        table: A row for each head: `layer`, `head` (both from 1), `ndcg@10` without it, `difference` to the whole
            model, `low`, `high` (paired interval, parted among the heads), `different` (0 lies outside).
        people: So many were judged.
    """

    ndcg: float
    low: float
    high: float
    table: pd.DataFrame
    people: int


@runtime_checkable
class AblatesHeads(Protocol):
    """A model whose heads can be taken out one by one."""

    def ablated(self, layer: int, head: int) -> AbstractContextManager[None]:
        """Take one head out for a while: what it finds counts as zero. Both numbers begin at 0."""
        ...


@dataclass(frozen=True)
class Reading:
    """How much of a history a model reads.

    Args:
        held: Items in the history.
        counted: Of these, the items of the kind that the model was trained with: all, or those that were liked.
        read: Of these, the latest that fit into the model.
        liked_from: Smallest rating of a liked item, None where all items count.
    """

    held: int
    counted: int
    read: int
    liked_from: float | None = None


def reading(spec: ExperimentSpec, query: QueryBatch, trace: AttentionTrace, *, has_ratings: bool) -> Reading:
    """Return how much of the history of the one person in `query` a trace is about.

    Args:
        spec: Of the experiment that the model is from.
        query: What was asked, with the whole history.
        trace: What the model did with it.
        has_ratings: Whether the data have ratings.
    """
    liked_from = spec.relevant_from if spec.train_on == "relevant" and has_ratings else None
    counted = len(query.values) if liked_from is None else int((query.values >= liked_from).sum())
    return Reading(len(query.values), counted, len(trace.tokens), liked_from)


@dataclass(frozen=True, eq=False)
class Judged:
    """The people of the test part of an experiment.

    Args:
        queries: B people with the histories that the model may see.
        wanted: B rows of the items that would be right.
        candidates: (C,) the items that compete, None for all.
    """

    queries: QueryBatch
    wanted: Ragged
    candidates: IntArray | None


def judged_part(run: Run, dataset: Dataset) -> Judged:
    """Return whom an experiment judges by, and what of theirs it holds back.

    Raises:
        DataError: Nobody.
    """
    split = make_splits(dataset, run.spec.split, run.spec.seed)[0]
    require_same_split(run, split)
    users = split.test_users()
    if not len(users):
        raise DataError(f"The test part of '{dataset.name}' is empty; nobody can be asked for.")
    queries = split.queries(users)
    wanted, _ = relevant_items(split.test, users, queries.history, run.spec.relevant_from)
    return Judged(queries, wanted, split.candidates("test"))


# ------------------------------------------------------------------------------ attention and influence


def faithfulness(
    model: Recommender[Any], queries: QueryBatch, ctx: RunContext | None = None, *, people: int = PEOPLE
) -> Faithfulness:
    """Return whether attention tracks influence, over people drawn at random; each is asked for as an unknown person.

    Args:
        model: Trained, with attention.
        queries: People to draw from.
        ctx: Progress, cancelling, and the chance of sample, shuffles and bootstrap.
        people: Most that are drawn.

    Raises:
        CannotScore: The model has no attention.
        DataError: Nobody has a history of `FEWEST` items.
        Cancelled: The person stopped the work.
    """
    ctx = ctx or RunContext()
    model, queries = bare(model, queries)
    drawn = _drawn(np.flatnonzero(queries.history.lengths >= FEWEST), people, ctx)
    quiet = RunContext(stop_requested=ctx.stop_requested)
    chance = ctx.rng("attention", SHUFFLED)
    rows = []
    for row in ctx.track(drawn.tolist(), stage="ask again without each item, one person after the other"):
        table = _attention_and_influence(model, queries.take(np.array([row])), quiet)
        size = table[EFFECT].abs().to_numpy()
        orders = {name: table[name].to_numpy(np.float64) for name in (ATTENTION, RECENCY)}
        orders[SHUFFLED] = chance.permutation(orders[ATTENTION])
        found = {name: rank_correlation(values, size) for name, values in orders.items()}
        rows.append({USER: int(queries.user[row]), "items": len(table)} | found)
    everybody = pd.DataFrame(rows)
    known = everybody.dropna().reset_index(drop=True)
    table = _orders(known, ctx)
    verdict, beyond = _verdict(table, len(known))
    return Faithfulness(verdict, beyond, table, known, len(everybody) - len(known))


def _drawn(rows: IntArray, most: int, ctx: RunContext) -> IntArray:
    """Return at most so many of the rows, drawn at random, in their order."""
    if not len(rows):
        raise DataError("Nobody has a history that is long enough; bring data in which people did more.")
    return np.sort(ctx.rng("attention", "people").permutation(rows)[:most])


def _attention_and_influence(model: Recommender[Any], query: QueryBatch, ctx: RunContext) -> pd.DataFrame:
    """Return both for each item of one history, about the item that the model puts first; see `looks_and_effects`."""
    if not isinstance(model, TracesAttention):
        raise CannotScore(f"{model.info.title} has no attention that could be compared.")
    stranger = query.of_unknown()
    nothing = pd.DataFrame({ATTENTION: [], EFFECT: [], RECENCY: []}, dtype=np.float64)
    try:
        trace = model.trace(stranger)
        first = int(model.recommend(stranger, 1).item[0, 0])
        if first == PAD:
            return nothing
        return looks_and_effects(trace, deletion_effects(model, stranger, first, ctx))
    except CannotScore:
        return nothing


def _orders(known: pd.DataFrame, ctx: RunContext) -> pd.DataFrame:
    """Return mean and interval of each order, and of what attention has above it: all over the same people."""
    values = known[list(ORDERS)].to_numpy(np.float64)  # (U, 3)
    columns = np.concatenate([values, values[:, :1] - values], axis=1)
    if not len(columns):
        columns = np.full((1, columns.shape[1]), np.nan)
    mean, low, high = _mean_and_interval(columns, ctx, CONFIDENCE)
    half = len(ORDERS)
    parts = {"": slice(0, half), "gain": slice(half, None)}
    table = {
        f"{part}_{name}".strip("_").replace("gain_mean", "gain"): numbers[where]
        for part, where in parts.items()
        for name, numbers in (("mean", mean), ("low", low), ("high", high))
    }
    return pd.DataFrame({"order": list(ORDERS)} | table)


def _mean_and_interval(
    columns: FloatArray, ctx: RunContext, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (M,) means of (U, M) columns with both ends of their bootstrap intervals over the same people."""
    draws = intervals.bootstrap_means(columns, np.ones_like(columns), rng=ctx.rng("attention", "bootstrap"))
    low, high = intervals.interval(draws, confidence)
    return columns.mean(axis=0), low, high


def _verdict(table: pd.DataFrame, people: int) -> tuple[Tracks, Beyond]:
    """Say that attention tracks influence only if it does so clearly more than the same attention shuffled."""
    column = {name: dict(zip(table["order"], table[name].tolist(), strict=True)) for name in table.columns[1:]}
    mean, least, most = column["mean"][ATTENTION], column["gain_low"], column["gain_high"]
    beyond = Beyond.MORE if least[RECENCY] > 0 else Beyond.LESS if most[RECENCY] < 0 else Beyond.SAME
    if people < FEWEST_PEOPLE:
        return Tracks.TOO_FEW, Beyond.SAME
    if mean < WEAK or least[SHUFFLED] <= 0:
        return Tracks.DOES_NOT, beyond
    return Tracks.DOES if mean >= STRONG else Tracks.WEAKLY, beyond


# ------------------------------------------------------------------------------------------------ heads


def head_ablation(
    model: Recommender[Any],
    queries: QueryBatch,
    wanted: Ragged,
    ctx: RunContext | None = None,
    *,
    candidates: IntArray | None = None,
    people: int = JUDGED,
) -> HeadEffects:
    """Return what the lists of a model are worth without each of its heads, over people drawn at random.

    Args:
        model: Trained, with attention and heads that can be taken out.
        queries: People to draw from.
        wanted: For each of them the items that would be right, none of them in the history.
        ctx: Progress, cancelling, and the chance of sample and bootstrap.
        candidates: (C,) the items that compete, None for all.
        people: Most that are drawn.

    Raises:
        CannotScore: The model has no heads to take out.
        DataError: Nobody has a history and something to be found.
        Cancelled: The person stopped the work.
    """
    ctx = ctx or RunContext()
    learned = trained(model)
    if not isinstance(learned, AblatesHeads) or not isinstance(learned, TracesAttention):
        raise CannotScore(f"{model.info.title} has no heads that can be taken out.")
    _, read = bare(model, queries)
    drawn = _drawn(np.flatnonzero((read.history.lengths > 0) & (wanted.lengths > 0)), people, ctx)
    layers, width = learned.trace(read.take(drawn[:1])).weights.shape[:2]
    asked, right = queries.take(drawn), wanted.take(drawn)
    values = [_ndcg(model, asked, right, candidates)]
    heads = [(layer, head) for layer in range(layers) for head in range(width)]
    for layer, head in ctx.track(heads, stage="take out one head after the other"):
        with learned.ablated(layer, head):
            values.append(_ndcg(model, asked, right, candidates))
    whole, without = values[0], np.stack(values[1:], axis=1)
    mean, low, high = _mean_and_interval(whole[:, None], ctx, CONFIDENCE)
    differences = without - whole[:, None]
    change, least, most = _mean_and_interval(differences, ctx, 1 - (1 - CONFIDENCE) / len(heads))
    table = pd.DataFrame(np.array(heads) + 1, columns=[LAYER, HEAD]).assign(
        **{NDCG: without.mean(axis=0), "difference": change, "low": least, "high": most},
        different=(least > 0) | (most < 0),
    )
    return HeadEffects(float(mean[0]), float(low[0]), float(high[0]), table, len(drawn))


def _ndcg(model: Recommender[Any], asked: QueryBatch, wanted: Ragged, candidates: IntArray | None) -> FloatArray:
    """Return (B,) NDCG@10 of the lists for these people."""
    values = []
    for rows in user_blocks(len(asked), model.n_items):
        batch, right = asked.take(rows), wanted.take(rows)
        lists = rank(model.score(batch), batch.history, right, K, candidates, model.tie_keys).lists
        values.append(ndcg(hit_table(lists, right), K))
    return np.concatenate(values)
