"""Train/test splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypedDict

import numpy as np

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import PAD, BoolArray, IntArray, QueryBatch, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.empty_splits import refuse_empty, users_in
from recsys_core.data.held_rows import (
    HeldRows,
    after_border,
    first_of_user,
    held_items,
    held_users,
    last_targets,
    newest_first,
    places_of,
    time_windows,
    with_same_pairs,
)
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.task import Task
from recsys_core.errors import DataError
from recsys_core.text import _, percent

NoTest = Literal[
    "too_few", "not_in_period", "unknown_time", "other_fold", "not_held_out", "no_held_item", "not_uploaded",
    "unknown_items", "no_target",
]  # fmt: skip
"""Why a user has no test interactions: too few interactions; none in the test period, or none of known time; all in
other folds or time windows; not held out; none with held-out items; not in the uploaded test data, or there with
unknown items only; no interaction of the target events."""


@dataclass(frozen=True)
class LeftOut:
    """Counts of what a split could not use.

    Args:
        test_rows_of_unknown_users: Uploaded test rows whose user is not in the training data.
        test_rows_of_unknown_items: Uploaded test rows whose user is in the training data, but whose item is not.
        users_without_test: Users without test interactions.
        causes: Number of these users by reason, see `NoTest`. Empty in results of earlier versions.
    """

    test_rows_of_unknown_users: int = 0
    test_rows_of_unknown_items: int = 0
    users_without_test: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Split:
    """One train/test split; its data sets share vocabularies and positions.

    Args:
        spec: The settings.
        fold: Number of the fold or the time window, from 0; 0 for all other kinds.
        train: Training data.
        validation: Validation data for tuning, None if there are none.
        test: Test data, used once.
        history: Histories of test queries: training and validation rows, or the fold-in rows of held-out users.
        validation_history: Histories of validation queries, None without validation data.
        left_out: Counts of unused users and rows.
        border: Global time only: earliest test time, in Unix milliseconds.
        ordered_by_file: Whether 'last' means last in the file, because there are no timestamps.
        seen: Interactions with the items that are not recommended to test users, if the task predicts certain events
            only: an item that was viewed but not purchased can still be purchased. None: those of the histories.
        validation_seen: The same for validation users.
        trained_on: Data that the evaluated model was trained on, if it is older than `train`: users without rows there
            are unknown to it. None: `train`.
    """

    spec: SplitSpec
    fold: int
    train: Dataset
    validation: Dataset | None
    test: Dataset
    history: Dataset
    validation_history: Dataset | None
    left_out: LeftOut
    border: int | None = None
    ordered_by_file: bool = False
    seen: Dataset | None = None
    validation_seen: Dataset | None = None
    trained_on: Dataset | None = None

    def test_users(self) -> IntArray:
        """Return the positions of users with test interactions, ascending."""
        return np.unique(self.test.interactions[USER].to_numpy()).astype(np.int64)

    def validation_users(self) -> IntArray:
        """Return the positions of users with validation interactions, ascending; empty without validation data."""
        if self.validation is None:
            return np.empty(0, dtype=np.int64)
        return np.unique(self.validation.interactions[USER].to_numpy()).astype(np.int64)

    def candidates(self, part: Literal["test", "validation"] = "test") -> IntArray | None:
        """Return (C,) the candidate items of an evaluation, ascending; None for all items.

        With held-out items only those of the evaluated data are candidates: the task is to rank *new* items, and
        known items would mask the result.
        """
        judged = self.test if part == "test" else self.validation
        if self.spec.kind != "item_holdout" or judged is None:
            return None
        return np.unique(judged.interactions[ITEM].to_numpy()).astype(np.int64)

    def queries(self, users: IntArray) -> QueryBatch:
        """Return test queries for users, each with the history that a model may use.

        A user without training rows (held out, or new in the test period) is `PAD`, unknown to the model.
        """
        return self._known(self._queries.take(users))

    def validation_queries(self, users: IntArray) -> QueryBatch:
        """Return validation queries for users.

        Raises:
            DataError: There are no validation data.
        """
        if self.validation_history is None:
            raise DataError(_("This split has no validation data; set validation_fraction."))
        return self._known(self._validation_queries.take(users))

    @cached_property
    def _queries(self) -> QueryBatch:
        queries = self.history.queries()
        return queries if self.seen is None else replace(queries, known=self.seen.histories())

    @cached_property
    def _validation_queries(self) -> QueryBatch:
        queries = (self.validation_history or self.train).queries()
        return queries if self.validation_seen is None else replace(queries, known=self.validation_seen.histories())

    @cached_property
    def _trained(self) -> BoolArray:
        """(U,) whether a user is in the data that the model was trained on."""
        rows = (self.trained_on or self.train).interactions[USER].to_numpy()
        trained: BoolArray = np.bincount(rows, minlength=self.train.n_users) > 0
        return trained

    def _known(self, queries: QueryBatch) -> QueryBatch:
        return replace(queries, user=np.where(self._trained[queries.user], queries.user, PAD))


def make_splits(
    dataset: Dataset, spec: SplitSpec, seed: int, test_data: Dataset | None = None, task: Task | None = None
) -> tuple[Split, ...]:
    """Split a data set: one `Split`, or one per fold or time window.

    The random draw depends on identifiers and row contents, so the same rows in any order give the same split. Without
    timestamps, 'last' means last in the file.

    - ratio (random per user): round(n x fraction) random interactions of each user's n, at most n - 1.
    - leave_last_out: the latest `last` interactions of each user with more than `last`; ties in random order.
    - global_time: all interactions from a cutoff on, whose test share is closest to the fraction. Rows with equal
      times stay together, so every training row is earlier than every test row. Rows of unknown time are training
      data. With several windows, the test period is divided into windows with about equally many test rows; each is
      tested by models trained on what precedes it.
    - k_fold: all interactions assigned at random to folds whose sizes differ by at most one.
    - user_holdout (user cold start): a share of the users with at least two interactions is held out; 80 % of each
      history is given to the model (the earliest, or random without timestamps), the rest is test data, at least one
      interaction.
    - item_holdout (item cold start): a share of the items is held out with all interactions. Without training rows,
      only item attributes can rank them; `Split.candidates` are these items only.
    - uploaded: the data set is the training data, `test_data` the test data; identifiers are matched.

    If the task predicts certain events, only these are test data, and the shares above are shares of them. Models never
    see what would reveal a test case: of its user later interactions (leave_last_out, user_holdout) or other events
    with the same item (ratio, k_fold).

    Validation data are held out of the training data by the same rule with `validation_fraction` in place of
    `test_fraction`; with any positive fraction, leave_last_out holds out `last` more. For k_fold they are a random
    share of all training rows, for an uploaded split a random share of each user's, for time windows the end of the
    training period.

    Args:
        dataset: The data set to split; not modified.
        spec: The settings.
        seed: The same seed gives the same test rows, with or without validation data.
        test_data: The test data of kind "uploaded".
        task: What models learn from and what they predict; None: all interactions.

    Raises:
        ConfigError: The task names events that the data do not have, or uploaded test data have none of the targets.
        DataError: Timestamps are needed but missing, or a split would be empty.
    """
    task = task or Task()
    dataset = task.applied(dataset)
    if dataset.n_interactions == 0:
        raise DataError(_("'{dataset_name}' has no interactions to split.").format(dataset_name=dataset.name))
    if spec.kind == "uploaded":
        return (_uploaded(dataset, spec, seed, test_data, task),)
    draw, target = _draw(seed, spec.kind), task.is_target(dataset)
    if spec.kind == "k_fold":
        dealt = np.full(len(target), PAD)
        dealt[target] = places_of(dataset.row_keys(draw)[target]) % spec.folds
        parts = [with_same_pairs(dataset, dealt == fold, target) for fold in range(spec.folds)]
    elif spec.kind == "global_time":
        fixed = spec.window_training == "fixed"
        parts = time_windows(
            dataset, spec.test_fraction, target, windows=spec.windows, gap_days=spec.gap_days, fixed=fixed
        )
    else:
        parts = [_parts(dataset, spec, spec.test_fraction, draw, target)]
    return tuple(_split(dataset, spec, seed, fold, part, task) for fold, part in enumerate(parts))


def _split(dataset: Dataset, spec: SplitSpec, seed: int, fold: int, parts: HeldRows, task: Task) -> Split:
    """Build a split from its rows, and hold out validation data from the training rows."""
    target, learned = task.is_target(dataset), task.is_learned(dataset)
    rest = dataset.subset(~parts.held)
    test, history = dataset.subset(parts.hidden & target), _kept(rest, task.is_learned(rest))
    refuse_empty(dataset, spec, history, test, rest=rest.n_interactions, hidden=int(parts.hidden.sum()), task=task)
    known = ~parts.held
    if spec.kind == "user_holdout":
        known = parts.held & ~parts.hidden
        history = dataset.subset(known & learned)
    return Split(
        spec=spec,
        fold=fold,
        test=test,
        history=history,
        left_out=_left_out(dataset, test, spec, target),
        border=parts.border,
        ordered_by_file=spec.kind == "leave_last_out" and not dataset.has_timestamps,
        seen=dataset.subset(known & target) if task.target else None,
        **_validation(rest, spec, seed, fold, task),
    )


def _left_out(dataset: Dataset, test: Dataset, spec: SplitSpec, target: BoolArray) -> LeftOut:
    """Count the users without test interactions by reason; `target` (N,) marks the rows that can be test cases."""
    users = dataset.interactions[USER].to_numpy()
    counts = np.bincount(users, minlength=dataset.n_users)
    without = (counts > 0) & (np.bincount(test.interactions[USER].to_numpy(), minlength=dataset.n_users) == 0)
    reasons: dict[NoTest, BoolArray] = {}
    able = np.bincount(users[target], minlength=dataset.n_users) > 0
    no_target, without = without & ~able, without & able
    if spec.kind in ("ratio", "leave_last_out"):
        reasons = {"too_few": without}
    elif spec.kind == "global_time" and spec.windows == 1:
        times = dataset.interactions[TIMESTAMP].to_numpy()
        timed = np.bincount(users[times != NO_TIMESTAMP], minlength=dataset.n_users) > 0
        reasons = {"not_in_period": without & timed, "unknown_time": without & ~timed}
    elif spec.kind in ("k_fold", "global_time"):
        reasons = {"other_fold": without}
    elif spec.kind == "user_holdout":
        reasons = {"not_held_out": without & (counts > 1), "too_few": without & (counts == 1)}
    elif spec.kind == "item_holdout":
        reasons = {"no_held_item": without}
    reasons |= {"no_target": no_target}
    causes = {str(reason): int(found.sum()) for reason, found in reasons.items() if found.any()}
    return LeftOut(users_without_test=int((without | no_target).sum()), causes=causes)


def _kept(dataset: Dataset, rows: BoolArray) -> Dataset:
    """Return the data set restricted to these rows, itself if they are all."""
    return dataset if rows.all() else dataset.subset(rows)


class _Training(TypedDict):
    """The fields of a split that depend on its training rows."""

    train: Dataset
    validation: Dataset | None
    validation_history: Dataset | None
    validation_seen: Dataset | None


def _validation(rest: Dataset, spec: SplitSpec, seed: int, fold: int, task: Task) -> _Training:
    """Return training data, validation data, and the histories and seen items of validation queries."""
    target, learned = task.is_target(rest), task.is_learned(rest)
    if spec.validation_fraction == 0:
        return _Training(train=_kept(rest, learned), validation=None, validation_history=None, validation_seen=None)
    draw = _draw(seed, "validation", str(fold))
    parts = _parts(rest, spec, spec.validation_fraction, draw, target)
    train, validation = rest.subset(~parts.held & learned), rest.subset(parts.hidden & target)
    if validation.n_interactions == 0 or train.n_interactions == 0:
        raise DataError(
            _(
                "The {part} data of '{name}' are empty after holding out {fraction} of the training data; choose "
                "another validation_fraction."
            ).format(
                part=_("validation") if train.n_interactions else _("training"),
                name=rest.name,
                fraction=percent(spec.validation_fraction),
            )
        )
    known = parts.held & ~parts.hidden if spec.kind == "user_holdout" else ~parts.held
    return _Training(
        train=train,
        validation=validation,
        validation_history=rest.subset(known & learned),
        validation_seen=rest.subset(known & target) if task.target else None,
    )


def _draw(seed: int, *names: str) -> int:
    """Return the seed of one random draw."""
    return int(RunContext(seed).rng("split", *names).integers(2**63))


def _parts(dataset: Dataset, spec: SplitSpec, fraction: float, draw: int, target: BoolArray) -> HeldRows:
    users = dataset.interactions[USER].to_numpy()
    if spec.kind == "global_time":
        return after_border(dataset, fraction, target)
    if spec.kind == "user_holdout":
        return held_users(dataset, fraction, draw, target)
    if spec.kind == "item_holdout":
        return held_items(dataset, fraction, draw)
    if spec.kind == "k_fold":
        held = np.zeros(len(users), dtype=np.bool_)
        held[target] = places_of(dataset.row_keys(draw)[target]) < int(target.sum() * fraction + 0.5)
        return with_same_pairs(dataset, held, target)
    counts = np.bincount(users, minlength=dataset.n_users)
    targets = np.bincount(users[target], minlength=dataset.n_users)
    if spec.kind == "leave_last_out":
        quota = np.where(counts > spec.last, np.minimum(targets, spec.last), 0)
        held = last_targets(users, newest_first(dataset, draw), quota, target)
        return HeldRows(held, held)
    quota = np.minimum((targets * fraction + 0.5).astype(np.int64), np.maximum(counts - 1, 0))
    order = np.argsort(dataset.row_keys(draw), kind="stable")
    return with_same_pairs(dataset, first_of_user(users, order[target[order]], quota), target)


def _uploaded(dataset: Dataset, spec: SplitSpec, seed: int, test_data: Dataset | None, task: Task) -> Split:
    """Match the identifiers of uploaded test data with the training data."""
    if test_data is None:
        raise DataError(_("An uploaded split needs test data: name the data set that contains them."))
    if task.target and not (test_data.has_events and task.is_target(test_data).any()):
        Task(task.target).check(test_data)
    frame = test_data.subset(task.is_target(test_data)).interactions if task.target else test_data.interactions
    users = dataset.user_vocabulary.positions(test_data.user_vocabulary.ids)[frame[USER].to_numpy()]
    items = dataset.item_vocabulary.positions(test_data.item_vocabulary.ids)[frame[ITEM].to_numpy()]
    trained = np.bincount(dataset.interactions[USER].to_numpy(), minlength=dataset.n_users) > 0
    known_user = (users != PAD) & trained[users]
    known = known_user & (items != PAD)
    frame = frame.assign(**{USER: users.astype(np.int32), ITEM: items.astype(np.int32)})[known].reset_index(drop=True)
    columns = frozenset(frame.columns)
    test = replace(dataset.with_interactions(frame), columns=columns)
    refuse_empty(dataset, spec, dataset, test)
    left_out = LeftOut(
        test_rows_of_unknown_users=int((~known_user).sum()),
        test_rows_of_unknown_items=int((known_user & ~known).sum()),
        users_without_test=users_in(dataset) - users_in(test),
        causes=_not_uploaded(dataset, test, users),
    )
    return Split(
        spec=spec,
        fold=0,
        test=test,
        history=_kept(dataset, task.is_learned(dataset)),
        left_out=left_out,
        seen=dataset.subset(task.is_target(dataset)) if task.target else None,
        **_validation(dataset, spec, seed, 0, task),
    )


def _not_uploaded(dataset: Dataset, test: Dataset, uploaded: IntArray) -> dict[str, int]:
    """Count users without test interactions, by whether they are among the users `uploaded` of the test rows."""
    trained = np.unique(dataset.interactions[USER].to_numpy())
    without = np.setdiff1d(trained, test.interactions[USER].to_numpy())
    there = int(np.isin(without, uploaded).sum())
    return {cause: n for cause, n in (("not_uploaded", len(without) - there), ("unknown_items", there)) if n}
