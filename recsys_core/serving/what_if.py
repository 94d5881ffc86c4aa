"""What an edited history changes: the list before and after, why an item moved, and when lists settle (cold start)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, RANK
from recsys_core.contracts import PAD, ExplainsItems, Explanation, IntArray, QueryBatch, Ragged
from recsys_core.data import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.experiments.training_part import unwrapped
from recsys_core.models.base import Recommender
from recsys_core.serving.recommendations import MISSES, parts_of_two, top_list

DEPTH = 100
"""Number of ranks that are known of a list, so that an item that leaves the first k has a rank."""
STEPS = (0, 1, 3, 5, 10)
"""Lengths of the first part of a history on the cold-start ladder."""
SETTLED = 0.8
"""Jaccard similarity to the final list from which a list counts as settled: at k = 10, at most one item differs."""
BEFORE, CHANGE, IS_NEW = "before", "change", "is_new"
AFTER, IN_HISTORY = "after", "in_history"


@dataclass(frozen=True, eq=False)
class Moves:
    """The difference between a list before and after an edit, both cut at k.

    Args:
        jaccard: Items in both lists / items in either list; NaN if both are empty.
        shown: The list after the edit: `rank`, `item`, `score`, `before` (rank before, NaN beyond the known ranks),
            `change` (ranks gained, NaN if unknown) and `is_new` (whether the item was not in the list before).
        gone: The items that left the list: `item`, `before`, `after` (rank, NaN beyond the known ranks) and
            `in_history` (whether they are now seen, which excludes them).
        entered: Number of items that are new.
        depth: Number of ranks that are known after the edit.
    """

    jaccard: float
    shown: pd.DataFrame
    gone: pd.DataFrame
    entered: int
    depth: int


@dataclass(frozen=True, eq=False)
class Moved:
    """Why the score of an item changed.

    Args:
        item: Item position.
        title: Title of the item.
        before: Score before the edit, NaN if there was none.
        after: Score after the edit, NaN if there is none.
        parts: `title`, `asked` (contribution before), `last` (contribution after) and `misses` (after minus before);
            largest changes first. The last column sums to the change of the score. Empty if the model does not
            decompose scores.
    """

    item: int
    title: str
    before: float
    after: float
    parts: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Ladder:
    """Lists for the first items of a history (cold start).

    Args:
        steps: (S,) number of items known, increasing; the last is the whole history.
        items: (S, k) the lists, padded with `PAD`.
        jaccard: (S,) similarity of each list to the last one, NaN if both are empty.
        settles: Smallest number of items from which all lists are at least `SETTLED` similar to the last one; None if
            that is the whole history.
    """

    steps: tuple[int, ...]
    items: IntArray
    jaccard: tuple[float, ...]
    settles: int | None


def ranked(model: Recommender[Any], query: QueryBatch, k: int) -> pd.DataFrame:
    """Return the list of one user, as `recommend` gives it: `rank` from 1, `item`, `score`.

    It has `DEPTH` entries or more, of which the first k are the list; a model that decodes its lists gives k.
    """
    return top_list(model, query, max(k, DEPTH) if model.ranks_by_score() else k)


def jaccard(one: Sequence[int], other: Sequence[int]) -> float:
    """Return |A and B| / |A or B| of two lists of items, NaN if both are empty."""
    both, either = set(one) & set(other), set(one) | set(other)
    return len(both) / len(either) if either else float("nan")


def moves(before: pd.DataFrame, after: pd.DataFrame, k: int, seen: Sequence[int] = ()) -> Moves:
    """Return the difference between two lists.

    Args:
        before: `rank` and `item` of the list before the edit with all known ranks; see `ranked`.
        after: `rank`, `item` and `score` of the list after the edit.
        k: Length of the lists that are compared.
        seen: Items that are not recommended after the edit.
    """
    rank_before, rank_after = (frame.set_index(ITEM)[RANK] for frame in (before, after))
    shown, was = after.head(k).reset_index(drop=True), before.head(k)
    shown = shown.assign(**{BEFORE: rank_before.reindex(shown[ITEM]).to_numpy(np.float64)})
    shown[CHANGE] = shown[BEFORE] - shown[RANK]
    gone = was[~was[ITEM].isin(shown[ITEM])][[ITEM, RANK]].rename(columns={RANK: BEFORE}).reset_index(drop=True)
    gone[AFTER] = rank_after.reindex(gone[ITEM]).to_numpy(np.float64)
    gone[IN_HISTORY] = gone[ITEM].isin(list(seen))
    shown[IS_NEW] = ~shown[ITEM].isin(was[ITEM])
    return Moves(jaccard(was[ITEM].tolist(), shown[ITEM].tolist()), shown, gone, int(shown[IS_NEW].sum()), len(after))


def why_moved(model: Recommender[Any], dataset: Dataset, before: QueryBatch, after: QueryBatch, item: int) -> Moved:
    """Return the score of an item before and after an edit, and the change of every contribution.

    Args:
        model: A trained model.
        dataset: Data set of the items.
        before: One user before the edit.
        after: The same user after the edit.
        item: Item position.
    """
    title = titles_of(dataset, np.array([item]))[0]
    first, second = (float(model.score(query)[0, item]) for query in (before, after))
    parts = parts_of_two(_explained(model, before, item), _explained(model, after, item), dataset)
    return Moved(item, title, first, second, parts[parts[MISSES] != 0].reset_index(drop=True))


def _explained(model: Recommender[Any], query: QueryBatch, item: int) -> Explanation:
    """Return the contributions to a score; none if the model does not decompose scores or has none."""
    algorithm, inner = unwrapped(model, query)
    nothing = Explanation(item, 0.0, "history", np.empty(0, np.int64), np.empty(0), 0.0)
    if not isinstance(algorithm, ExplainsItems):
        return nothing
    try:
        return algorithm.explain(inner, item)
    except CannotScore:
        return nothing


def ladder_query(query: QueryBatch) -> tuple[tuple[int, ...], QueryBatch]:
    """Return the steps of the cold-start ladder and S unknown users with the first items of one user's history.

    The items of the whole history are excluded from every list, so that all lists have the same candidates.
    """
    length = len(query.values)
    steps = (*(step for step in STEPS if step < length), length)
    history = Ragged.from_rows([query.history.values[:step] for step in steps])
    places = np.concatenate([np.arange(step) for step in steps])
    known = Ragged.from_rows([query.seen[0]] * len(steps))
    return steps, replace(query.repeated(history, places), known=known)


def ladder(model: Recommender[Any], query: QueryBatch, k: int) -> Ladder:
    """Return the lists of a model for the first items of the history of the one user in `query`."""
    steps, prefixes = ladder_query(query)
    top = model.recommend(prefixes, k)
    lists = [row[row != PAD].tolist() for row in top.item]
    similar = tuple(jaccard(one, lists[-1]) for one in lists)
    settled = len(steps) - 1
    while settled and similar[settled - 1] >= SETTLED:
        settled -= 1
    return Ladder(steps, top.item, similar, steps[settled] if settled < len(steps) - 1 else None)


def ladder_table(rungs: Ladder, dataset: Dataset) -> pd.DataFrame:
    """Return the lists of a ladder with titles: a row per rank, a column per number of items known."""
    columns = {}
    for step, items in zip(rungs.steps, rungs.items, strict=True):
        listed = items[items != PAD]
        columns[str(step)] = titles_of(dataset, listed) + [""] * (len(items) - len(listed))
    return pd.DataFrame({RANK: np.arange(1, rungs.items.shape[1] + 1), **columns})
