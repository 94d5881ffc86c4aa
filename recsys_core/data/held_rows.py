"""Which interactions a split holds out of the training data."""

from dataclasses import dataclass

import numpy as np

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import PAD, BoolArray, IntArray
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.random_keys import Keys, mixed
from recsys_core.errors import DataError
from recsys_core.text import _

MILLISECONDS_A_DAY = 24 * 60 * 60 * 1000
HIDDEN_OF_HELD_OUT = 0.2
"""Share of a held-out user's history that is test data; the rest is the history given to the model."""


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows of one split.

    Args:
        held: (N,) rows that are not training data.
        hidden: (N,) held rows that models never see; those of the target events are test data. The other held rows are
            the histories of held-out users.
        border: Global time only: earliest test time, in Unix milliseconds.
    """

    held: BoolArray
    hidden: BoolArray
    border: int | None = None


def places_of(keys: Keys) -> IntArray:
    """(N,) rank of each key, from 0."""
    places = np.empty(len(keys), dtype=np.int64)
    places[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    return places


def with_same_pairs(dataset: Dataset, hidden: BoolArray, target: BoolArray) -> HeldRows:
    """Also hold out other events of these user-item pairs, which would reveal the test cases."""
    if target.all():
        return HeldRows(hidden, hidden)
    frame = dataset.interactions
    pairs = frame[USER].to_numpy(np.int64) * dataset.n_items + frame[ITEM].to_numpy()
    held = hidden | (~target & np.isin(pairs, pairs[hidden]))
    return HeldRows(held, held)


def last_targets(users: IntArray, order: IntArray, quota: IntArray, target: BoolArray) -> BoolArray:
    """(N,) each user's last `quota[user]` target rows and all later rows of this user; `order` (N,) is newest first."""
    chosen = first_of_user(users, order[target[order]], quota)
    if target.all():
        return chosen
    place = np.empty(len(users), dtype=np.int64)
    place[order] = np.arange(len(users))
    earliest = np.full(len(quota), PAD)  # of the chosen rows of each user
    np.maximum.at(earliest, users[chosen], place[chosen])
    held: BoolArray = place <= earliest[users]
    return held


def first_of_user(users: IntArray, order: IntArray, quota: IntArray) -> BoolArray:
    """(N,) whether a row is among its user's first `quota[user]` of the rows `order` (M,), in this order."""
    grouped = order[np.argsort(users[order], kind="stable")]
    counts = np.bincount(users[order], minlength=len(quota))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    chosen = np.zeros(len(users), dtype=np.bool_)
    chosen[grouped[rank < np.repeat(quota, counts)]] = True
    return chosen


def newest_first(dataset: Dataset, draw: int) -> IntArray:
    """(N,) row numbers, latest first, ties in random order; without timestamps, last in the file first."""
    if not dataset.has_timestamps:
        return np.arange(dataset.n_interactions)[::-1]
    return np.lexsort((dataset.row_keys(draw), dataset.interactions[TIMESTAMP].to_numpy()))[::-1]


def after_border(dataset: Dataset, fraction: float, target: BoolArray) -> HeldRows:
    """Hold out all interactions from a cutoff on."""
    times = _times(dataset)
    moments, counts = np.unique(times[target], return_counts=True)
    if len(moments) < 2:
        raise DataError(
            _("All interactions of '{dataset_name}' have the same timestamp and cannot be split by time.").format(
                dataset_name=dataset.name
            )
        )
    share = np.cumsum(counts[::-1])[::-1] / counts.sum()  # of target rows at or after each moment
    border = int(moments[1:][np.argmin(np.abs(share[1:] - fraction))])
    held = times >= border
    return HeldRows(held, held, border)


def time_windows(
    dataset: Dataset, fraction: float, target: BoolArray, *, windows: int, gap_days: float, fixed: bool
) -> list[HeldRows]:
    """Return one part per test window; see `make_splits`."""
    whole = after_border(dataset, fraction, target)
    assert whole.border is not None
    if windows == 1 and gap_days == 0:
        return [whole]
    times = _times(dataset)
    moments, counts = np.unique(times[target & whole.held], return_counts=True)
    if len(moments) < windows:
        raise DataError(
            _(
                "The test period of '{dataset_name}' has {n_moments} different timestamps, too few "
                "for {windows} windows; choose fewer windows or a larger test share."
            ).format(dataset_name=dataset.name, n_moments=len(moments), windows=windows)
        )
    before = (np.cumsum(counts) - counts) / counts.sum()  # share of test rows before each moment
    first = np.searchsorted(before, np.arange(windows) / windows)
    first = np.maximum.accumulate(np.minimum(first, np.arange(len(moments) - windows, len(moments))))
    borders = [int(border) for border in moments[np.maximum(first, np.arange(windows))]]
    gap = int(gap_days * MILLISECONDS_A_DAY)
    known = times[times != NO_TIMESTAMP]
    period = borders[0] - int(known.min())
    parts = []
    for border, end in zip(borders, [*borders[1:], None], strict=True):
        trained = times < border - gap
        if fixed:
            trained &= times >= border - period
        hidden = times >= border
        if end is not None:
            hidden &= times < end
        parts.append(HeldRows(~trained, hidden, border))
    return parts


def _times(dataset: Dataset) -> IntArray:
    if not dataset.has_timestamps:
        raise DataError(
            _(
                "A global time split needs timestamps, and '{dataset_name}' has none; choose ratio, "
                "k_fold or user_holdout."
            ).format(dataset_name=dataset.name)
        )
    return dataset.interactions[TIMESTAMP].to_numpy(np.int64)


def held_users(dataset: Dataset, fraction: float, draw: int, target: BoolArray) -> HeldRows:
    """Hold out whole users, with the last part of each history as test data."""
    users = dataset.interactions[USER].to_numpy()
    counts = np.bincount(users, minlength=dataset.n_users)
    targets = np.bincount(users[target], minlength=dataset.n_users)
    able = np.flatnonzero((counts >= 2) & (targets > 0))
    drawn = able[np.argsort(mixed(dataset.user_vocabulary.keys[able], draw), kind="stable")]
    chosen = drawn[: int(len(able) * fraction + 0.5)]
    is_held = np.zeros(dataset.n_users, dtype=np.bool_)
    is_held[chosen] = True
    quota = np.where(is_held, np.maximum((targets * HIDDEN_OF_HELD_OUT + 0.5).astype(np.int64), 1), 0)
    by_time = dataset.has_timestamps
    order = newest_first(dataset, draw) if by_time else np.argsort(dataset.row_keys(draw), kind="stable")
    return HeldRows(is_held[users], last_targets(users, order, quota, target))


def held_items(dataset: Dataset, fraction: float, draw: int) -> HeldRows:
    """Hold out whole items."""
    items = dataset.interactions[ITEM].to_numpy()
    present = np.unique(items)
    is_held = np.zeros(dataset.n_items, dtype=np.bool_)
    drawn = present[np.argsort(mixed(dataset.item_vocabulary.keys[present], draw), kind="stable")]
    is_held[drawn[: int(len(present) * fraction + 0.5)]] = True
    return HeldRows(is_held[items], is_held[items])
