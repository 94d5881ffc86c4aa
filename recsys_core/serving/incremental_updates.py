"""Incremental update of a trained model with newer data: its gain on new data and its forgetting on old data.

A copy of the stored model is updated and evaluated before and after on the same test cases:

- old data: the test set of its experiment;
- new data: the last new interaction of each user, with all earlier interactions as history. The copy is trained on the
  other new interactions, except those whose user-item pair is in the old test set.

If the task of the experiment names events, it holds for the new data, too: the copy is trained on the events to learn
from, with their weights, and the last new interaction is that of a target event, after which nothing is shown.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, ITEM, TIMESTAMP, USER
from recsys_core.contracts import PAD, BoolArray, FloatArray, QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import LeftOut, Split, make_splits
from recsys_core.data.task import Task
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import DataError
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import require_same_split
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.training_part import updated
from recsys_core.models.base import Recommender
from recsys_core.text import _

BEFORE, AFTER = "before", "after"
OLD, NEW = "old", "new"


@dataclass(frozen=True, eq=False)
class UpdateReport:
    """Result of an incremental update.

    Args:
        metric: The metric, such as `ndcg@10`.
        learned: Number of new interactions trained on.
        given_away: Number of new interactions excluded because they would leak an old test case.
        users: Number of users that are not in the old data.
        items: Number of items that are not in the old data.
        table: One row for the `old` and one for the `new` data: `part`, `users` (evaluated), `before`, `after`
            (means), `difference`, `low`, `high` (paired interval), `different` (whether it is significant).
    """

    metric: str
    learned: int
    given_away: int
    users: int
    items: int
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Joined:
    """Old and new interactions over common vocabularies that begin with the old ones.

    Args:
        old: All old interactions.
        train: The old training set.
        history: Histories of the old test queries.
        test: The old test set.
        learned: New interactions to train on.
        held: Held-out new interactions: the last one of each user.
        given_away: Number of new interactions excluded because their pairs are in the old test set.
        seen: Old and new interactions whose items are not recommended, if the task has target events; else None.
    """

    old: Dataset
    train: Dataset
    history: Dataset
    test: Dataset
    learned: Dataset
    held: Dataset
    given_away: int
    seen: Dataset | None = None


def incremental_update(
    run: Run, model_id: str, old: Dataset, newer: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False
) -> UpdateReport:
    """Update a copy of a trained model with the new interactions of a newer data set, and evaluate it before and after.

    Args:
        run: The experiment.
        model_id: A finished model of it, of an algorithm that supports incremental updates.
        old: The data of the experiment.
        newer: Data with later interactions of the same users or items.
        ctx: Progress, cancellation and threads; the seed is that of the experiment.
        freeze_embeddings: Keep the embeddings of known items and users fixed.

    Raises:
        CannotScore: The algorithm does not support incremental updates.
        ConfigError: The task of the experiment names events, and the newer data have none.
        DataError: The newer data contain no new interactions, or none to evaluate on.
    """
    ctx = replace(ctx, seed=run.spec.seed)
    before, after = (run.model(model_id) for _ in range(2))
    split, joined = _split_and_join(run.spec, old, newer)
    require_same_split(run, split)
    newest, learned = updated(after, run.spec, joined.train, joined.learned, ctx, freeze_embeddings=freeze_embeddings)
    compared = {
        name: _compared(run, part, joined, _Padded(before, joined.train, ctx.seed), newest, ctx)
        for name, part in ((OLD, _old_split(split, joined)), (NEW, _new_split(joined)))
    }
    return UpdateReport(
        metric=run.spec.metric,
        learned=learned,
        given_away=joined.given_away,
        users=joined.train.n_users - old.n_users,
        items=joined.train.n_items - old.n_items,
        table=pd.DataFrame([{"part": part} | row for part, row in compared.items()]),
    )


def require_updatable(spec: ExperimentSpec, old: Dataset, newer: Dataset) -> None:
    """Refuse newer data that no model of an experiment can be updated with; nothing is trained for it.

    Raises:
        ConfigError: The task of the experiment names events, and the newer data have none.
        DataError: The newer data contain no new interactions, or none to evaluate on.
    """
    _split_and_join(spec, old, newer)


def updated_model(
    run: Run, model_id: str, old: Dataset, newer: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False
) -> tuple[Recommender[Any], Dataset]:
    """Return a copy of a trained model updated with all new interactions, and the combined data.

    Unlike `incremental_update`, it holds nothing out: use it for recommendations, not for evaluation.

    Args:
        run: The experiment.
        model_id: A finished model of it, of an algorithm that supports incremental updates.
        old: The data of the experiment.
        newer: Data with later interactions of the same users or items.
        ctx: Progress, cancellation and threads; the seed is that of the experiment.
        freeze_embeddings: Keep the embeddings of known items and users fixed.

    Raises:
        CannotScore: The algorithm does not support incremental updates.
        ConfigError: The task of the experiment names events, and the newer data have none.
        DataError: The newer data contain no new interactions.
    """
    model, task = run.model(model_id), run.spec.task
    everything, rows = _united(old, newer, task)
    everything, fresh = (_learned(everything.with_interactions(part), task) for part in (everything.interactions, rows))
    ctx = replace(ctx, seed=run.spec.seed)
    newest, _ = updated(model, run.spec, everything, fresh, ctx, freeze_embeddings=freeze_embeddings)
    return newest, _with(everything, fresh)


def _compared(
    run: Run, split: Split, joined: _Joined, before: Recommender[Any], after: Recommender[Any], ctx: RunContext
) -> dict[str, Any]:
    """Return the means before and after on the same test cases, and their difference with its interval.

    Users who are not in the old training data are unknown to the model before. The fallback of the experiment comes
    from what the model itself has learned from.
    """
    old = joined.train
    models = {
        BEFORE: (before, replace(split, trained_on=old), old),
        AFTER: (after, split, _with(old, joined.learned)),
    }
    spec = run.spec
    per_user = {
        name: evaluate(
            model,
            part,
            cutoffs=(spec.k,),
            relevant_from=spec.relevant_from,
            ctx=ctx,
            fallback=fallback_scores(spec.fallback, learned),
        ).per_user
        for name, (model, part, learned) in models.items()
    }
    comparison = compare(per_user, metric=run.spec.metric, seed=spec.seed, baseline=BEFORE)
    means = comparison.table.set_index("model")["mean"]
    row = comparison.against(BEFORE).iloc[0]
    return {
        "users": len(comparison.users),
        BEFORE: float(means[BEFORE]),
        AFTER: float(means[AFTER]),
        **{name: float(row[name]) for name in ("difference", "low", "high")},
        "different": bool(row["different"]),
    }


def _old_split(split: Split, joined: _Joined) -> Split:
    return replace(
        split, train=joined.train, validation=None, test=joined.test, history=joined.history, validation_history=None,
        left_out=LeftOut(),
    )  # fmt: skip


def _new_split(joined: _Joined) -> Split:
    """Return the split whose test set is the last new interactions, with all old interactions in the histories."""
    learned_from, before = (_with(part, joined.learned) for part in (joined.train, joined.old))
    return Split(SplitSpec(), 0, learned_from, None, joined.held, before, None, LeftOut(), seen=joined.seen)


def _with(some: Dataset, more: Dataset) -> Dataset:
    return some.with_interactions(pd.concat([some.interactions, more.interactions], ignore_index=True))


def _learned(data: Dataset, task: Task) -> Dataset:
    """Return the data with the interactions that models learn from."""
    return data.subset(task.is_learned(data))


def _split_and_join(spec: ExperimentSpec, old: Dataset, newer: Dataset) -> tuple[Split, _Joined]:
    split = make_splits(old, spec.split, spec.seed, task=spec.task)[0]
    return split, _join(split, old, newer, spec.task)


def _join(split: Split, old: Dataset, newer: Dataset, task: Task) -> _Joined:
    """Combine both data sets and split the new interactions.

    Raises:
        ConfigError: The task names events, and the newer data have none.
        DataError: There are no new interactions, or none that can be held out.
    """
    everything, fresh = _united(old, newer, task)
    columns = list(everything.interactions.columns)
    train, history, test = (
        everything.with_interactions(one.interactions[columns]) for one in (split.train, split.history, split.test)
    )
    is_answer = _same_pairs(fresh, test.interactions)
    shown, held = _split_new(fresh[~is_answer], everything, newer, task)
    new = everything.with_interactions(shown)
    both = _with(everything, new)
    return _Joined(
        _learned(everything, task),
        train,
        history,
        test,
        _learned(new, task),
        everything.with_interactions(held),
        int(is_answer.sum()),
        seen=both.subset(task.is_target(both)) if task.target else None,
    )


def _united(old: Dataset, newer: Dataset, task: Task) -> tuple[Dataset, pd.DataFrame]:
    """Return the old and the new interactions of the events of a task, over common vocabularies.

    Raises:
        ConfigError: The task names events, and the newer data have none.
        DataError: There are no new interactions.
    """
    if not newer.has_events:
        task.check(newer)
    old, newer = task.applied(old), task.selected(newer)
    users = _longer(old.user_vocabulary, newer.user_vocabulary)
    items = _longer(old.item_vocabulary, newer.item_vocabulary)
    columns = [name for name in old.interactions.columns if name in newer.interactions.columns]
    rows = newer.interactions[columns].copy()
    for name, vocabulary, joined in (
        (USER, newer.user_vocabulary, users),
        (ITEM, newer.item_vocabulary, items),
    ):
        places = pd.Index(joined).get_indexer(pd.Index(vocabulary.ids))
        rows[name] = places[rows[name].to_numpy()].astype(rows[name].dtype)
    everything = dataset_from_frames(
        old.interactions[columns],
        name=newer.name,
        user_ids=users,
        item_ids=items,
        users=_longer_table(old.users, newer.users, newer.user_vocabulary, old.n_users, users),
        items=_longer_table(old.items, newer.items, newer.item_vocabulary, old.n_items, items),
        rating_scale=old.rating_scale,
    )
    fresh = _unknown(old.interactions[columns], rows)
    if fresh.empty:
        raise DataError(
            _("'{newer_name}' has no interactions that are not in '{old_name}'; choose newer data.").format(
                newer_name=newer.name, old_name=old.name
            )
        )
    return everything, fresh


def _unknown(known: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not in the known data, oldest first."""
    keys = [name for name in (USER, ITEM, TIMESTAMP, EVENT) if name in rows]
    there = pd.MultiIndex.from_frame(rows[keys]).isin(pd.MultiIndex.from_frame(known[keys]))
    fresh = rows[~there]
    return fresh.sort_values(TIMESTAMP, kind="stable") if TIMESTAMP in fresh else fresh


def _same_pairs(rows: pd.DataFrame, others: pd.DataFrame) -> BoolArray:
    """Return (N,) whether the user-item pair of a row occurs in `others`, at any time."""
    pairs = [pd.MultiIndex.from_frame(frame[[USER, ITEM]]) for frame in (rows, others)]
    there: BoolArray = pairs[0].isin(pairs[1])
    return there


def _split_new(fresh: pd.DataFrame, known: Dataset, newer: Dataset, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the new rows before the held-out ones, and these: the last target of each user with earlier interactions.

    Repeated user-item pairs are not held out: the user has seen the item, so it is never recommended.
    """
    target = task.is_target(known.with_interactions(fresh))
    last = np.zeros(len(fresh), dtype=np.bool_)
    last[target] = ~fresh[target].duplicated(USER, keep="last").to_numpy()
    rows = known.interactions
    several = (fresh.duplicated(USER, keep=False) | fresh[USER].isin(rows[USER])).to_numpy()
    held = last & several & ~_same_pairs(fresh, rows[task.is_target(known)])
    after = pd.Series(held).groupby(fresh[USER].to_numpy()).cummax().to_numpy()
    if after.all() or not held.any():
        raise DataError(
            _(
                "'{newer_name}' has {n_fresh:,} new interactions, but too few per user to both train "
                "and evaluate. Use data with at least two new interactions of some users."
            ).format(newer_name=newer.name, n_fresh=len(fresh))
        )
    return fresh[~after].reset_index(drop=True), fresh[held].reset_index(drop=True)


def _longer(old: Vocabulary, newer: Vocabulary) -> list[str]:
    return [*old.ids, *(one for one in newer.ids if one not in old)]


def _longer_table(
    old: pd.DataFrame | None, newer: pd.DataFrame | None, vocabulary: Vocabulary, known: int, ids: list[str]
) -> pd.DataFrame | None:
    """Return the attribute table of all users or items: old rows, then the rows of new ones."""
    if old is None:
        return None
    if newer is None:
        return old.reindex(range(len(ids))).reset_index(drop=True)
    added = newer.iloc[[vocabulary.position(one) for one in ids[known:]]]
    return pd.concat([old, added.reindex(columns=old.columns)], ignore_index=True)


class _Padded(Recommender[Any]):
    """A model evaluated on data with users and items unknown to it: new users have no position, new items no score."""

    def __init__(self, model: Recommender[Any], joined: Dataset, seed: int) -> None:
        self.model = model
        self.info = model.info  # type: ignore[misc]
        self.config_type = model.config_type  # type: ignore[misc]
        super().__init__(model.config)
        self.is_fitted = True
        self.n_users, self.n_items = joined.n_users, joined.n_items
        self._draw_ties(joined, seed)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Do nothing: the model is trained already."""

    def _score(self, query: QueryBatch) -> FloatArray:
        known: FloatArray = self.model.score(_of_known(query, self.model.n_users, self.model.n_items))
        scores = np.full((len(query), self.n_items), np.nan, dtype=known.dtype)
        scores[:, : known.shape[1]] = known
        return scores


def _of_known(query: QueryBatch, n_users: int, n_items: int) -> QueryBatch:
    """Return the same users, restricted to the items and users that a model knows."""
    known = query.only(query.history.values < n_items)
    return replace(known, user=np.where(query.user < n_users, query.user, PAD))
