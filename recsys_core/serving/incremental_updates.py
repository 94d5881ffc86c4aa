"""A trained model that goes on learning from newer data: what it gains there, and what it forgets of the old ones.

The stored model stays as it is: a copy of it learns. It is judged twice, before and after, by the same questions:

- old data: the test part of its experiment;
- new data: the last new interaction of each person, asked with all they did before; the other new ones are learned,
  but for those that are the answer to a question about the old data: the same person and item stand in the test part.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import PAD, BoolArray, FloatArray, QueryBatch, RunContext, UpdatesIncrementally
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.splits import LeftOut, Split, SplitSpec, make_splits
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import CannotScore, DataError
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import require_same_split
from recsys_core.experiments.training_part import OnRelevant, for_training, trained
from recsys_core.models.base import Recommender

BEFORE, AFTER = "before", "after"
OLD, NEW = "old", "new"


@dataclass(frozen=True, eq=False)
class UpdateReport:
    """What learning on from newer data did.

    Args:
        metric: What is compared, such as `ndcg@10`.
        learned: New interactions that were learned.
        given_away: New interactions that were not, since they would have given an old test answer away.
        users: People who were not in the old data.
        items: Items that were not in the old data.
        table: A row for the `old` and one for the `new` data: `part`, `users` (who were judged), `before`, `after`
            (means), `difference`, `low`, `high` (paired interval), `different` (whether it is more than chance).
    """

    metric: str
    learned: int
    given_away: int
    users: int
    items: int
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Joined:
    """Old and new interactions over vocabularies that begin with the old ones.

    Args:
        old: All old interactions.
        train: What the model was trained with.
        history: What queries about the old test part show.
        test: The old test part.
        learned: New interactions to learn from.
        held: The last new one of each person.
        given_away: How many of the new ones were put aside since they are in the old test part.
    """

    old: Dataset
    train: Dataset
    history: Dataset
    test: Dataset
    learned: Dataset
    held: Dataset
    given_away: int


def learn_on(
    run: Run, model_id: str, old: Dataset, newer: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False
) -> UpdateReport:
    """Let a copy of a trained model learn what is new in a newer data set, and judge it before and after.

    Args:
        run: The experiment.
        model_id: A finished model of it, of an algorithm that updates incrementally.
        old: The data of the experiment.
        newer: Data with interactions of the same people or items that came later.
        ctx: Progress, cancelling and threads; the seed is that of the experiment.
        freeze_embeddings: Leave the vectors of known items and users as they are.

    Raises:
        CannotScore: The algorithm cannot learn on.
        DataError: There is nothing new in the newer data, or nobody to judge by.
    """
    ctx = replace(ctx, seed=run.spec.seed)
    before, after = (run.model(model_id) for _ in range(2))
    learner = _learner(after)
    split = make_splits(old, run.spec.split, run.spec.seed)[0]
    require_same_split(run, split)
    joined = _join(split, old, newer)
    known, fresh = joined.train, joined.learned
    if isinstance(before, OnRelevant):
        known, fresh = (part.subset(part.strengths >= before.relevant_from) for part in (known, fresh))
    learner.update(known, fresh, ctx, freeze_embeddings=freeze_embeddings)
    learned_on = for_training(learner, run.spec, has_ratings=isinstance(after, OnRelevant))
    compared = {
        OLD: _compared(run, _old_split(split, joined), _Padded(before, joined.train, ctx.seed), learned_on, ctx),
        NEW: _compared(run, _new_split(joined), _Padded(before, joined.train, ctx.seed), learned_on, ctx),
    }
    return UpdateReport(
        metric=_metric(run),
        learned=fresh.n_interactions,
        given_away=joined.given_away,
        users=joined.train.n_users - old.n_users,
        items=joined.train.n_items - old.n_items,
        table=pd.DataFrame([{"part": part} | row for part, row in compared.items()]),
    )


def updated_model(
    run: Run, model_id: str, old: Dataset, newer: Dataset, ctx: RunContext, *, freeze_embeddings: bool = False
) -> tuple[Recommender[Any], Dataset]:
    """Return a copy of a trained model that has learned every new interaction, and all data, old and new.

    Unlike in `learn_on`, nothing is held back: these are the lists to show, not the numbers to judge by.

    Args:
        run: The experiment.
        model_id: A finished model of it, of an algorithm that updates incrementally.
        old: The data of the experiment.
        newer: Data with interactions of the same users or items that came later.
        ctx: Progress, cancelling and threads; the seed is that of the experiment.
        freeze_embeddings: Leave the vectors of known items and users as they are.

    Raises:
        CannotScore: The algorithm does not update incrementally.
        DataError: There is nothing new in the newer data.
    """
    model = run.model(model_id)
    learner = _learner(model)
    everything, rows = _united(old, newer)
    known, fresh = everything, everything.with_interactions(rows.reset_index(drop=True))
    if isinstance(model, OnRelevant):
        known, fresh = (part.subset(part.strengths >= model.relevant_from) for part in (known, fresh))
    learner.update(known, fresh, replace(ctx, seed=run.spec.seed), freeze_embeddings=freeze_embeddings)
    everybody = for_training(learner, run.spec, has_ratings=isinstance(model, OnRelevant))
    return everybody, _with(everything, everything.with_interactions(rows))


def _learner(model: Recommender[Any]) -> Any:
    """Return what learns inside a stored model.

    Raises:
        CannotScore: It does not update incrementally.
    """
    learner = trained(model)
    if not isinstance(learner, UpdatesIncrementally):
        raise CannotScore(f"{model.info.title} does not update incrementally; train it again on all data.")
    return learner


def _metric(run: Run) -> str:
    return f"ndcg@{run.spec.k}"


def _compared(
    run: Run, split: Split, before: Recommender[Any], after: Recommender[Any], ctx: RunContext
) -> dict[str, Any]:
    """Return means before and after on the same questions, and their difference with its interval."""
    asked = {BEFORE: before, AFTER: after}
    spec = run.spec
    judged = {
        name: evaluate(model, split, cutoffs=(spec.k,), relevant_from=spec.relevant_from, ctx=ctx).per_user
        for name, model in asked.items()
    }
    comparison = compare(judged, metric=_metric(run), seed=spec.seed, baseline=BEFORE)
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
    """Ask for the last new interaction, with all that people did before, old test and validation parts included."""
    learned_from, before = (_with(part, joined.learned) for part in (joined.train, joined.old))
    return Split(SplitSpec(), 0, learned_from, None, joined.held, before, None, LeftOut())


def _with(some: Dataset, more: Dataset) -> Dataset:
    return some.with_interactions(pd.concat([some.interactions, more.interactions], ignore_index=True))


def _join(split: Split, old: Dataset, newer: Dataset) -> _Joined:
    """Bring both data sets together, and part what is new.

    Raises:
        DataError: Nothing is new, or nobody has more than one new interaction or an older one before it.
    """
    everything, fresh = _united(old, newer)
    columns = list(everything.interactions.columns)
    train, history, test = (
        everything.with_interactions(one.interactions[columns]) for one in (split.train, split.history, split.test)
    )
    is_answer = _same_pairs(fresh, test.interactions)
    learned, held = _parted(fresh[~is_answer], everything.interactions, newer)
    return _Joined(
        everything,
        train,
        history,
        test,
        everything.with_interactions(learned),
        everything.with_interactions(held),
        int(is_answer.sum()),
    )


def _united(old: Dataset, newer: Dataset) -> tuple[Dataset, pd.DataFrame]:
    """Return the old interactions over the vocabularies of both, and the new ones over the same.

    Raises:
        DataError: Nothing is new.
    """
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
        raise DataError(f"'{newer.name}' holds no interaction that is not in '{old.name}': there is nothing to learn.")
    return everything, fresh


def _unknown(known: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not in the old data, oldest first."""
    keys = [name for name in (USER, ITEM, TIMESTAMP) if name in rows]
    there = pd.MultiIndex.from_frame(rows[keys]).isin(pd.MultiIndex.from_frame(known[keys]))
    fresh = rows[~there]
    return fresh.sort_values(TIMESTAMP, kind="stable") if TIMESTAMP in fresh else fresh


def _same_pairs(rows: pd.DataFrame, others: pd.DataFrame) -> BoolArray:
    """Return (N,) whether the user and the item of a row stand together in another row, whenever that was."""
    pairs = [pd.MultiIndex.from_frame(frame[[USER, ITEM]]) for frame in (rows, others)]
    there: BoolArray = pairs[0].isin(pairs[1])
    return there


def _parted(fresh: pd.DataFrame, known: pd.DataFrame, newer: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is learned of the new rows and what is held back: the last one of whoever has one before it.

    An item that somebody had before is held back from nobody: it is in the history, and no list would hold it.
    """
    last = ~fresh.duplicated(USER, keep="last").to_numpy()
    several = (fresh.duplicated(USER, keep=False) | fresh[USER].isin(known[USER])).to_numpy()
    held = last & several & ~_same_pairs(fresh, known)
    if held.all() or not held.any():
        raise DataError(
            f"'{newer.name}' holds {len(fresh):,} new interactions, but nobody who has two of them or more; so nothing "
            "is left to learn, or nothing to judge by. Bring more of what the same people did."
        )
    return fresh[~held].reset_index(drop=True), fresh[held].reset_index(drop=True)


def _longer(old: Vocabulary, newer: Vocabulary) -> list[str]:
    return [*old.ids, *(one for one in newer.ids if one not in old)]


def _longer_table(
    old: pd.DataFrame | None, newer: pd.DataFrame | None, vocabulary: Vocabulary, known: int, ids: list[str]
) -> pd.DataFrame | None:
    """Return what is known of all users or items: as the old data say it, and of those that came as the newer do."""
    if old is None:
        return None
    if newer is None:
        return old.reindex(range(len(ids))).reset_index(drop=True)
    added = newer.iloc[[vocabulary.position(one) for one in ids[known:]]]
    return pd.concat([old, added.reindex(columns=old.columns)], ignore_index=True)


class _Padded(Recommender[Any]):
    """A model asked about users and items that came after its training: it knows nothing of them."""

    def __init__(self, model: Recommender[Any], joined: Dataset, seed: int) -> None:
        self.model = model
        self.info = model.info  # type: ignore[misc]
        self.config_type = model.config_type  # type: ignore[misc]
        super().__init__(model.config)
        self.is_fitted = True
        self.n_users, self.n_items = joined.n_users, joined.n_items
        self._draw_ties(joined, seed)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Learn nothing: the model is trained already."""

    def _score(self, query: QueryBatch) -> FloatArray:
        known: FloatArray = self.model.score(_of_known(query, self.model.n_users, self.model.n_items))
        scores = np.full((len(query), self.n_items), np.nan, dtype=known.dtype)
        scores[:, : known.shape[1]] = known
        return scores


def _of_known(query: QueryBatch, n_users: int, n_items: int) -> QueryBatch:
    """Return the same people with only what a model knows of them."""
    known = query.only(query.history.values < n_items)
    return replace(known, user=np.where(query.user < n_users, query.user, PAD))
