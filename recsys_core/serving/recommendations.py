"""Recommendations of trained models for one user, and explanations of their scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, ITEM_ID, MODEL, RANK, RATING, SCORE, TIMESTAMP, TITLE, WEIGHT
from recsys_core.contracts import (
    PAD,
    Ability,
    ExplainsItems,
    Explanation,
    FloatArray,
    IntArray,
    ModelInfo,
    QueryBatch,
    Ragged,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.experiments.held_out_users import listed_by, listing
from recsys_core.experiments.training_part import unwrapped
from recsys_core.explain.deletion import deletion_effects
from recsys_core.explain.score_parts import REMAINDER, largest_parts, source_names
from recsys_core.models.base import Recommender
from recsys_core.models.topk import top_k
from recsys_core.text import _, n_

SHOWN_PARTS = 8
SELECTED, LAST, MISSES = "asked", "last", "misses"


@dataclass(frozen=True, eq=False)
class Reason:
    """Contributions to the score of an item.

    Args:
        item: Item position.
        title: Title of the item.
        score: Score of the model.
        kind: Kind of the contributions, as in `Explanation`.
        parts: `title` and `weight`; largest contributions first, then the sum of the others. They sum to the score.
        sources: Number of contributions before small ones were combined.
    """

    item: int
    title: str
    score: float
    kind: str
    parts: pd.DataFrame
    sources: int


@dataclass(frozen=True, eq=False)
class Effects:
    """Influence of each history item on a score (leave-one-out): an approximation that does not sum to the score.

    Args:
        item: Item position.
        title: Title of the item.
        score: Score for the user.
        folded: Score for an unknown user with the same history.
        parts: `title` and `weight` (`folded` minus the score without that item, NaN if that is undefined), largest
            influence first.
        sources: Number of items left out one at a time.
    """

    item: int
    title: str
    score: float
    folded: float
    parts: pd.DataFrame
    sources: int


@dataclass(frozen=True, eq=False)
class WhyNot:
    """Why an item is not recommended to a user.

    Args:
        item: Item position.
        title: Title of the item.
        seen: Whether it is in the history; seen items are never recommended.
        rank: Its rank among all candidates, from 1; None if it has no score.
        of: Number of candidates.
        score: Its score, NaN if it has none.
        last: The last recommended item, None if the list is empty.
        last_title: Title of the last item.
        last_rank: Rank of the last item.
        last_score: Score of the last item.
        parts: `title`, `asked`, `last` and `misses`: contribution of each source to both scores and their difference;
            largest differences first. Empty if the model does not explain scores.
    """

    item: int
    title: str
    seen: bool
    rank: int | None
    of: int
    score: float
    last: int | None
    last_title: str
    last_rank: int
    last_score: float
    parts: pd.DataFrame


def query_of(user: int, history: pd.DataFrame, *, known: bool, seen: IntArray | None = None) -> QueryBatch:
    """Return the query for one user with their whole history.

    Args:
        user: User position.
        history: Result of `history_of`, latest first.
        known: Whether the user has training interactions.
        seen: Positions of the items that are not recommended; None: those of the history.
    """
    rows = history[::-1]
    strength = next((rows[name] for name in (RATING, WEIGHT) if name in rows), pd.Series(1.0, rows.index))
    times = None
    if TIMESTAMP in rows:
        moments = rows[TIMESTAMP].dt.as_unit("ms")
        times = moments.astype("int64").where(moments.notna(), NO_TIMESTAMP).to_numpy(np.int64)
    return QueryBatch(
        np.array([user if known else PAD]),
        Ragged.from_rows([rows[ITEM].to_numpy(np.int64)]),
        strength.to_numpy(np.float32),
        times,
        known=None if seen is None else Ragged.from_rows([seen]),
        weights=rows[WEIGHT].to_numpy(np.float32) if WEIGHT in rows else None,
    )


def query_of_items(items: IntArray, values: "pd.Series[float]") -> QueryBatch:
    """Return the query for a user who is not in the data, from a custom history.

    Args:
        items: (T,) positions, oldest first.
        values: (T,) rating or strength of each.
    """
    history = Ragged.from_rows([items])
    return QueryBatch(np.array([PAD]), history, values.to_numpy(np.float32))


def top_list(model: Recommender[Any], query: QueryBatch, k: int) -> pd.DataFrame:
    """Return the list of one model for one user: `rank` from 1, `item`, `score`."""
    top = model.recommend(query, k)
    filled = top.item[0] != PAD
    return pd.DataFrame({RANK: np.flatnonzero(filled) + 1, ITEM: top.item[0][filled], SCORE: top.score[0][filled]})


def labeled_lists(tops: Mapping[str, pd.DataFrame], dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Return the lists of several models for one user, from their `top_list`, with titles; see `listing`."""
    listed = listed_by(tops)
    return {name: listing(frame, dataset, listed) for name, frame in tops.items()}


def can_explain(info: ModelInfo) -> bool:
    """Return whether a model can split its scores into contributions."""
    return Ability.EXPLAINS_ITEMS in info.abilities


def reason(model: Recommender[Any], dataset: Dataset, query: QueryBatch, item: int) -> Reason:
    """Return the contributions to the score of an item for the one user in `query`.

    Raises:
        CannotScore: The model does not explain scores, or has no score for this item.
    """
    model, query = unwrapped(model, query)
    if not isinstance(model, ExplainsItems):
        raise CannotScore(
            _("{info_title} cannot split its scores into contributions.").format(info_title=model.info.title)
        )
    found = model.explain(query, item)
    title = titles_of(dataset, np.array([item]))[0]
    return Reason(item, title, found.score, found.kind, largest_parts(found, dataset, SHOWN_PARTS), len(found.sources))


def effects(
    model: Recommender[Any], dataset: Dataset, query: QueryBatch, item: int, ctx: RunContext | None = None
) -> Effects:
    """Return the influence of each history item on the score of an item.

    Raises:
        CannotScore: The model does not use histories, or has no score for this item from them.
    """
    model, query = unwrapped(model, query)
    found = deletion_effects(model, query, item, ctx)
    order = np.argsort(-np.abs(np.nan_to_num(found.effects)), kind="stable")[: SHOWN_PARTS * 2]
    parts = pd.DataFrame({TITLE: titles_of(dataset, found.sources[order]), WEIGHT: found.effects[order]})
    title = titles_of(dataset, np.array([item]))[0]
    return Effects(item, title, found.score, found.folded, parts, len(found.sources))


def why_not(model: Recommender[Any], dataset: Dataset, query: QueryBatch, item: int, k: int) -> WhyNot:
    """Return why an item is not recommended to the one user in `query`.

    A model that ranks by score is asked once for the scores of the catalog: the list and all ranks follow from them.

    Args:
        model: A trained model.
        dataset: Data set of the items.
        query: One user.
        item: Item position.
        k: Length of the list.
    """
    seen = bool(np.isin(item, query.seen[0]))
    if model.ranks_by_score():
        scores = model.score(query)[0]
        top = top_k(scores[None], k, query.seen, model.tie_keys)
    else:
        scores = model.score(query)[0] if seen else _scores_of_list(model, query)
        top = model.recommend(query, k)
    listed = top.item[0][top.item[0] != PAD]
    score = float(scores[item])
    offered = scores > -np.inf  # False for NaN
    offered[query.seen[0]] = False
    ahead = (scores > score) | ((scores == score) & (model.tie_keys < model.tie_keys[item]))
    rank = int((ahead & offered).sum()) + 1 if score > -np.inf else None
    last = int(listed[-1]) if len(listed) else None
    titles = titles_of(dataset, np.array([item, item if last is None else last]))
    return WhyNot(
        item=item,
        title=titles[0],
        seen=seen,
        rank=rank,
        of=int(offered.sum()),
        score=score,
        last=last,
        last_title=titles[1],
        last_rank=len(listed),
        last_score=np.nan if last is None else float(scores[last]),
        parts=_side_by_side(model, dataset, query, item, last),
    )


def _scores_of_list(model: Recommender[Any], query: QueryBatch) -> FloatArray:
    """Return (I,) the scores in the complete ranked list for the one user in `query`."""
    whole = top_list(model, query, model.n_items)
    scores = np.full(model.n_items, np.nan)
    scores[whole[ITEM]] = whole[SCORE]
    return scores


def _side_by_side(
    model: Recommender[Any], dataset: Dataset, query: QueryBatch, item: int, last: int | None
) -> pd.DataFrame:
    """Return the contributions to both scores, largest differences first: `title`, `asked`, `last`, `misses`."""
    algorithm, inner_query = unwrapped(model, query)
    empty = pd.DataFrame({TITLE: [], SELECTED: [], LAST: [], MISSES: []})
    if last is None or not isinstance(algorithm, ExplainsItems):
        return empty
    try:
        return parts_of_two(algorithm.explain(inner_query, item), algorithm.explain(inner_query, last), dataset)
    except CannotScore:
        return empty


def parts_of_two(first: Explanation, second: Explanation, dataset: Dataset) -> pd.DataFrame:
    """Return the contributions to two scores side by side, largest differences first.

    Returns:
        Columns `title`, `asked` (contribution to the first score), `last` (to the second) and `misses` (second minus
        first); the largest differences have a row each, the others one row together.
    """
    both = [_by_source(one, dataset) for one in (first, second)]
    table = pd.concat([both[0].rename(SELECTED), both[1].rename(LAST)], axis=1).fillna(0.0)
    table[MISSES] = table[LAST] - table[SELECTED]
    order = np.argsort(-np.abs(table[MISSES].to_numpy()), kind="stable")
    table = table.iloc[order].rename_axis(TITLE).reset_index()
    shown, others = table.head(SHOWN_PARTS), table.iloc[SHOWN_PARTS:]
    if len(others):
        title = n_("{n} other", "{n} others together", len(others))
        rest = pd.DataFrame([{TITLE: title, **others[[SELECTED, LAST, MISSES]].sum()}])
        shown = pd.concat([shown, rest], ignore_index=True)
    return shown


def _by_source(explanation: Explanation, dataset: Dataset) -> "pd.Series[float]":
    """Return the contributions to a score by name, including the remainder without a source."""
    names = source_names(explanation, dataset, np.arange(len(explanation.sources)))
    weights = pd.Series([*explanation.weights, explanation.remainder], index=[*names, REMAINDER], dtype=float)
    return weights.groupby(level=0, sort=False).sum()


def lists_table(lists: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return all lists in one long table, with the title of the model as the first column."""
    parts = [frame.assign(model=titles[name]) for name, frame in lists.items()]
    frame = pd.concat(parts, ignore_index=True)
    return frame[[MODEL, RANK, ITEM_ID, TITLE, SCORE]]
