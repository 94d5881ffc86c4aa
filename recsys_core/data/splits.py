"""Train/test splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import PAD, BoolArray, IntArray, QueryBatch, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.random_keys import Keys, mixed
from recsys_core.errors import ConfigError, DataError

SplitKind = Literal["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "item_holdout", "uploaded"]
_NUMBER_OF = {
    "ratio": ("test_fraction", float),
    "leave_last_out": ("last", int),
    "global_time": ("test_fraction", float),
    "k_fold": ("folds", int),
    "user_holdout": ("test_fraction", float),
    "item_holdout": ("test_fraction", float),
    "uploaded": ("test_data", str),
}
_ADVICE = {
    "ratio": "keeps at least one training interaction per user; choose a larger test share or use more data",
    "leave_last_out": "needs users with more interactions than are held out; hold out fewer",
    "global_time": "needs at least two different timestamps",
    "k_fold": "needs at least as many interactions as folds; choose fewer folds",
    "user_holdout": "needs users with at least two interactions; choose another share of users",
    "item_holdout": "needs at least two items with interactions; choose another share of items",
    "uploaded": "found no row whose user and item are both in the training data; check the identifiers",
}
HIDDEN_OF_HELD_OUT = 0.2
"""Share of a held-out user's history that is test data; the rest is the history given to the model."""


class SplitSpec(BaseModel):
    """Settings of a train/test split. Fields that a kind does not use stay at their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: SplitKind = "ratio"
    """Kind of split."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Test share: of each user's interactions (ratio), of all interactions (global_time), of users (user_holdout), or
    of items (item_holdout)."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training data held out by the same rule for tuning and early stopping."""
    last: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of latest interactions per user that leave_last_out holds out."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of folds of k_fold."""
    test_data: str | None = None
    """Fingerprint (or file, on the command line) of the uploaded test data."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a split from its kind and an optional number, such as `ratio:0.2` or `k_fold:5`.

        Raises:
            ConfigError: Unknown kind, or number out of bounds.
        """
        kind, _, number = text.partition(":")
        if kind not in _NUMBER_OF:
            raise ConfigError(f"There is no split '{kind}'. Known: {', '.join(_NUMBER_OF)}.")
        name, convert = _NUMBER_OF[kind]
        try:
            return cls.model_validate({"kind": kind} | ({name: convert(number)} if number else {}))
        except (ValidationError, ValueError) as error:
            raise ConfigError(f"Split '{text}': {name} cannot be '{number}'. Example: ratio:0.2.") from error


NoTest = Literal[
    "too_few", "not_in_period", "unknown_time", "other_fold", "not_held_out", "no_held_item", "not_uploaded",
    "unknown_items",
]  # fmt: skip
"""Why a user has no test interactions: too few interactions; none in the test period, or none of known time; all in
other folds; not held out; none with held-out items; not in the uploaded test data, or there with unknown items only."""


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
        fold: Fold number of k_fold, from 0; 0 for all other kinds.
        train: Training data.
        validation: Validation data for tuning, None if there are none.
        test: Test data, used once.
        history: Histories of test queries: training and validation rows, or the fold-in rows of held-out users.
        validation_history: Histories of validation queries, None without validation data.
        left_out: Counts of unused users and rows.
        border: Global time only: earliest test time, in Unix milliseconds.
        ordered_by_file: Whether 'last' means last in the file, because there are no timestamps.
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

    def test_users(self) -> IntArray:
        """Return the positions of users with test interactions, ascending."""
        return _present(self.test, USER)

    def validation_users(self) -> IntArray:
        """Return the positions of users with validation interactions, ascending; empty without validation data."""
        return np.empty(0, dtype=np.int64) if self.validation is None else _present(self.validation, USER)

    def candidates(self, part: Literal["test", "validation"] = "test") -> IntArray | None:
        """Return (C,) the candidate items of an evaluation, ascending; None for all items.

        With held-out items only those of the evaluated data are candidates: the task is to rank *new* items, and
        known items would mask the result.
        """
        judged = self.test if part == "test" else self.validation
        if self.spec.kind != "item_holdout" or judged is None:
            return None
        return _present(judged, ITEM)

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
            raise DataError("This split has no validation data; set validation_fraction.")
        return self._known(self._validation_queries.take(users))

    @cached_property
    def _queries(self) -> QueryBatch:
        return self.history.queries()

    @cached_property
    def _validation_queries(self) -> QueryBatch:
        return (self.validation_history or self.train).queries()

    @cached_property
    def _trained(self) -> BoolArray:
        """(U,) whether a user is in the training data."""
        return _per_user(self.train) > 0

    def _known(self, queries: QueryBatch) -> QueryBatch:
        return replace(queries, user=np.where(self._trained[queries.user], queries.user, PAD))


@dataclass(frozen=True, eq=False)
class _Parts:
    """Rows of one split: `held` (N,) are not training; of these, `hidden` (N,) are test data, the others history."""

    held: BoolArray
    hidden: BoolArray
    border: int | None = None


def make_splits(dataset: Dataset, spec: SplitSpec, seed: int, test_data: Dataset | None = None) -> tuple[Split, ...]:
    """Split a data set: one `Split`, or one per fold.

    The random draw depends on identifiers and row contents, so the same rows in any order give the same split. Without
    timestamps, 'last' means last in the file.

    - ratio (random per user): round(n x fraction) random interactions of each user's n, at most n - 1.
    - leave_last_out: the latest `last` interactions of each user with more than `last`; ties in random order.
    - global_time: all interactions from a cutoff on, whose test share is closest to the fraction. Rows with equal
      times stay together, so every training row is earlier than every test row. Rows of unknown time are training
      data.
    - k_fold: all interactions assigned at random to folds whose sizes differ by at most one.
    - user_holdout (user cold start): a share of the users with at least two interactions is held out; 80 % of each
      history is given to the model (the earliest, or random without timestamps), the rest is test data, at least one
      interaction.
    - item_holdout (item cold start): a share of the items is held out with all interactions. Without training rows,
      only item attributes can rank them; `Split.candidates` are these items only.
    - uploaded: the data set is the training data, `test_data` the test data; identifiers are matched.

    Validation data are held out of the training data by the same rule with `validation_fraction` in place of
    `test_fraction`; with any positive fraction, leave_last_out holds out `last` more. For k_fold they are a random
    share of all training rows, for an uploaded split a random share of each user's.

    Args:
        dataset: The data set to split; not modified.
        spec: The settings.
        seed: The same seed gives the same test rows, with or without validation data.
        test_data: The test data of kind "uploaded".

    Raises:
        DataError: Timestamps are needed but missing, or a split would be empty.
    """
    if dataset.n_interactions == 0:
        raise DataError(f"'{dataset.name}' has no interactions to split.")
    if spec.kind == "uploaded":
        return (_uploaded(dataset, spec, seed, test_data),)
    draw = _draw(seed, spec.kind)
    if spec.kind == "k_fold":
        dealt = _places(dataset.row_keys(draw)) % spec.folds
        parts = [_Parts(dealt == fold, dealt == fold) for fold in range(spec.folds)]
    else:
        parts = [_parts(dataset, spec, spec.test_fraction, draw)]
    return tuple(_split(dataset, spec, seed, fold, part) for fold, part in enumerate(parts))


def _split(dataset: Dataset, spec: SplitSpec, seed: int, fold: int, parts: _Parts) -> Split:
    """Build a split from its rows, and hold out validation data from the training rows."""
    rest = dataset.subset(~parts.held)
    test = dataset.subset(parts.hidden)
    _refuse_empty(dataset, spec, rest, test)
    train, validation, shown = _validation(rest, spec, seed, fold)
    holdout = spec.kind == "user_holdout"
    return Split(
        spec=spec,
        fold=fold,
        train=train,
        validation=validation,
        test=test,
        history=dataset.subset(parts.held & ~parts.hidden) if holdout else rest,
        validation_history=shown,
        left_out=_left_out(dataset, test, spec),
        border=parts.border,
        ordered_by_file=spec.kind == "leave_last_out" and not dataset.has_timestamps,
    )


def _left_out(dataset: Dataset, test: Dataset, spec: SplitSpec) -> LeftOut:
    """Count the users without test interactions by reason."""
    counts = _per_user(dataset)
    without = (counts > 0) & (_per_user(test) == 0)
    reasons: dict[NoTest, BoolArray] = {}
    if spec.kind in ("ratio", "leave_last_out"):
        reasons = {"too_few": without}
    elif spec.kind == "global_time":
        users, times = (dataset.interactions[name].to_numpy() for name in (USER, TIMESTAMP))
        timed = np.bincount(users[times != NO_TIMESTAMP], minlength=dataset.n_users) > 0
        reasons = {"not_in_period": without & timed, "unknown_time": without & ~timed}
    elif spec.kind == "k_fold":
        reasons = {"other_fold": without}
    elif spec.kind == "user_holdout":
        reasons = {"not_held_out": without & (counts > 1), "too_few": without & (counts == 1)}
    elif spec.kind == "item_holdout":
        reasons = {"no_held_item": without}
    causes = {str(reason): int(found.sum()) for reason, found in reasons.items() if found.any()}
    return LeftOut(users_without_test=int(without.sum()), causes=causes)


def _validation(rest: Dataset, spec: SplitSpec, seed: int, fold: int) -> tuple[Dataset, Dataset | None, Dataset | None]:
    """Return training data, validation data, and the histories of validation queries."""
    if spec.validation_fraction == 0:
        return rest, None, None
    parts = _parts(rest, spec, spec.validation_fraction, _draw(seed, "validation", str(fold)))
    train, validation = rest.subset(~parts.held), rest.subset(parts.hidden)
    if validation.n_interactions == 0 or train.n_interactions == 0:
        raise DataError(
            f"The {'validation' if train.n_interactions else 'training'} data of '{rest.name}' are empty after "
            f"holding out {spec.validation_fraction:.0%} of the training data; choose another validation_fraction."
        )
    shown = rest.subset(parts.held & ~parts.hidden) if spec.kind == "user_holdout" else train
    return train, validation, shown


def _draw(seed: int, *names: str) -> int:
    """Return the seed of one random draw."""
    return int(RunContext(seed).rng("split", *names).integers(2**63))


def _places(keys: Keys) -> IntArray:
    """(N,) rank of each key, from 0."""
    places = np.empty(len(keys), dtype=np.int64)
    places[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    return places


def _parts(dataset: Dataset, spec: SplitSpec, fraction: float, draw: int) -> _Parts:
    users = dataset.interactions[USER].to_numpy()
    if spec.kind == "global_time":
        return _after_border(dataset, fraction)
    if spec.kind == "user_holdout":
        return _held_users(dataset, fraction, draw)
    if spec.kind == "item_holdout":
        return _held_items(dataset, fraction, draw)
    if spec.kind == "k_fold":
        held = _places(dataset.row_keys(draw)) < int(len(users) * fraction + 0.5)
        return _Parts(held, held)
    counts = _per_user(dataset)
    if spec.kind == "leave_last_out":
        quota = np.where(counts > spec.last, spec.last, 0)
        held = _first_of_user(users, _newest_first(dataset, draw), quota)
    else:
        quota = np.minimum((counts * fraction + 0.5).astype(np.int64), np.maximum(counts - 1, 0))
        held = _first_of_user(users, np.argsort(dataset.row_keys(draw), kind="stable"), quota)
    return _Parts(held, held)


def _first_of_user(users: IntArray, order: IntArray, quota: IntArray) -> BoolArray:
    """(N,) whether a row is among its user's first `quota[user]` rows in the order `order` (N,) of row numbers."""
    grouped = order[np.argsort(users[order], kind="stable")]
    counts = np.bincount(users, minlength=len(quota))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(users)) - np.repeat(starts, counts)
    chosen = np.zeros(len(users), dtype=np.bool_)
    chosen[grouped[rank < np.repeat(quota, counts)]] = True
    return chosen


def _newest_first(dataset: Dataset, draw: int) -> IntArray:
    """(N,) row numbers, latest first, ties in random order; without timestamps, last in the file first."""
    if not dataset.has_timestamps:
        return np.arange(dataset.n_interactions)[::-1]
    return np.lexsort((dataset.row_keys(draw), dataset.interactions[TIMESTAMP].to_numpy()))[::-1]


def _after_border(dataset: Dataset, fraction: float) -> _Parts:
    """Hold out all interactions from a cutoff on."""
    if not dataset.has_timestamps:
        raise DataError(
            f"A global time split needs timestamps, and '{dataset.name}' has none; "
            "choose ratio, k_fold or user_holdout."
        )
    times = dataset.interactions[TIMESTAMP].to_numpy()
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < 2:
        raise DataError(f"All interactions of '{dataset.name}' have the same timestamp and cannot be split by time.")
    share = np.cumsum(counts[::-1])[::-1] / len(times)  # of rows at or after each moment
    border = int(moments[1:][np.argmin(np.abs(share[1:] - fraction))])
    held = times >= border
    return _Parts(held, held, border)


def _held_users(dataset: Dataset, fraction: float, draw: int) -> _Parts:
    """Hold out whole users, with the last part of each history as test data."""
    users, counts = dataset.interactions[USER].to_numpy(), _per_user(dataset)
    held_users = _drawn(dataset.user_vocabulary.keys, np.flatnonzero(counts >= 2), fraction, draw)
    quota = np.where(held_users, np.maximum((counts * HIDDEN_OF_HELD_OUT + 0.5).astype(np.int64), 1), 0)
    by_time = dataset.has_timestamps
    order = _newest_first(dataset, draw) if by_time else np.argsort(dataset.row_keys(draw), kind="stable")
    return _Parts(held_users[users], _first_of_user(users, order, quota))


def _held_items(dataset: Dataset, fraction: float, draw: int) -> _Parts:
    """Hold out whole items."""
    held_items = _drawn(dataset.item_vocabulary.keys, _present(dataset, ITEM), fraction, draw)
    held = held_items[dataset.interactions[ITEM].to_numpy()]
    return _Parts(held, held)


def _drawn(keys: Keys, able: IntArray, fraction: float, draw: int) -> BoolArray:
    """(n,) over the keys: whether a position is in a random share of the positions `able`."""
    order = able[np.argsort(mixed(keys[able], draw), kind="stable")]
    drawn = np.zeros(len(keys), dtype=np.bool_)
    drawn[order[: int(len(able) * fraction + 0.5)]] = True
    return drawn


def _uploaded(dataset: Dataset, spec: SplitSpec, seed: int, test_data: Dataset | None) -> Split:
    """Match the identifiers of uploaded test data with the training data."""
    if test_data is None:
        raise DataError("An uploaded split needs test data: name the data set that contains them.")
    frame = test_data.interactions
    users = dataset.user_vocabulary.positions(test_data.user_vocabulary.ids)[frame[USER].to_numpy()]
    items = dataset.item_vocabulary.positions(test_data.item_vocabulary.ids)[frame[ITEM].to_numpy()]
    known_user = (users != PAD) & (_per_user(dataset) > 0)[users]
    known = known_user & (items != PAD)
    frame = frame.assign(**{USER: users.astype(np.int32), ITEM: items.astype(np.int32)})[known].reset_index(drop=True)
    test = replace(dataset.with_interactions(frame), columns=frozenset(frame.columns))
    _refuse_empty(dataset, spec, dataset, test)
    train, validation, shown = _validation(dataset, spec, seed, 0)
    left_out = LeftOut(
        test_rows_of_unknown_users=int((~known_user).sum()),
        test_rows_of_unknown_items=int((known_user & ~known).sum()),
        users_without_test=len(_present(dataset, USER)) - len(_present(test, USER)),
        causes=_not_uploaded(dataset, test, users),
    )
    return Split(spec, 0, train, validation, test, dataset, shown, left_out)


def _not_uploaded(dataset: Dataset, test: Dataset, uploaded: IntArray) -> dict[str, int]:
    """Count users without test interactions, by whether they are among the users `uploaded` of the test rows."""
    without = np.setdiff1d(_present(dataset, USER), _present(test, USER))
    there = int(np.isin(without, uploaded).sum())
    return {cause: n for cause, n in (("not_uploaded", len(without) - there), ("unknown_items", there)) if n}


def _refuse_empty(dataset: Dataset, spec: SplitSpec, train: Dataset, test: Dataset) -> None:
    for part, name in ((test, "test"), (train, "training")):
        if part.n_interactions == 0:
            raise DataError(
                f"The {name} data are empty: '{dataset.name}' has {dataset.n_interactions} interactions of "
                f"{len(_present(dataset, USER))} users, and the split '{spec.kind}' {_ADVICE[spec.kind]}."
            )


def _present(dataset: Dataset, column: str) -> IntArray:
    """Return the positions of the users, or items, with interactions, ascending."""
    return np.unique(dataset.interactions[column].to_numpy()).astype(np.int64)


def _per_user(dataset: Dataset) -> IntArray:
    """(U,) number of interactions of each user."""
    return np.bincount(dataset.interactions[USER].to_numpy(), minlength=dataset.n_users)
