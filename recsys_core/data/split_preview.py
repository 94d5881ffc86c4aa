"""What a split does, before any training: when its parts happened, whom it tests, and what leaks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys_core.columns import TIMESTAMP, USER
from recsys_core.contracts import BoolArray, IntArray
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.leaks import LeakReport, count_leaks
from recsys_core.data.splits import Split

BINS = 60
"""Number of equal periods of the time line."""
TRAIN, VALIDATION, TEST, UNUSED = "train", "validation", "test", "unused"
"""Parts of a split; with several time windows `TEST` is followed by a space and the number of the window, from 1."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Number of interactions of each part per period.

    Args:
        edges: (B + 1,) borders of the periods, Unix milliseconds.
        counts: Part -> (B,) interactions of known time. Interactions in the training data of a later window count for
            the window that tests them.
    """

    edges: IntArray
    counts: dict[str, IntArray]


@dataclass(frozen=True, eq=False)
class SplitPreview:
    """What a split does.

    Args:
        leaks: Leaks and rows of the first fold or time window.
        test_users: Users with a test case in any fold or window.
        without_history: Those of whom models get no interaction, in any of them.
        timeline: None without timestamps or if all are equal.
    """

    leaks: LeakReport
    test_users: int
    without_history: int
    timeline: Timeline | None


def preview(dataset: Dataset, splits: Sequence[Split]) -> SplitPreview:
    """Return what the splits of a data set do; of k folds only the first is looked at.

    Args:
        dataset: The data that were split.
        splits: As `make_splits` returns them.
    """
    looked_at = splits if splits[0].spec.kind == "global_time" else splits[:1]
    tested, known = np.zeros(dataset.n_users, dtype=bool), np.zeros(dataset.n_users, dtype=bool)
    for split in looked_at:
        own, held = _users_of(split.test), _users_of(split.history)
        tested |= own
        known |= own & held
    cold = int((tested & ~known).sum())
    return SplitPreview(count_leaks(splits[0]), int(tested.sum()), cold, _timeline(dataset, looked_at))


def _users_of(dataset: Dataset) -> BoolArray:
    """Return (U,) which users have interactions."""
    found: BoolArray = np.bincount(dataset.interactions[USER], minlength=dataset.n_users) > 0
    return found


def _timeline(dataset: Dataset, splits: Sequence[Split]) -> Timeline | None:
    times = _times(dataset)
    if not len(times) or times.min() == times.max():
        return None
    edges = np.linspace(times.min(), times.max(), BINS + 1).astype(np.int64)
    numbered = len(splits) > 1
    parts = {TRAIN: splits[0].train, VALIDATION: splits[0].validation}
    parts |= {f"{TEST} {split.fold + 1}" if numbered else TEST: split.test for split in splits}
    counts = {name: _counted(part, edges) for name, part in parts.items() if part is not None}
    unused = np.maximum(np.histogram(times, edges)[0] - sum(counts.values()), 0)
    return Timeline(edges, counts | ({UNUSED: unused} if unused.any() else {}))


def _counted(part: Dataset, edges: IntArray) -> IntArray:
    counts: IntArray = np.histogram(_times(part), edges)[0]
    return counts


def _times(dataset: Dataset) -> IntArray:
    """Return the known timestamps."""
    if not dataset.has_timestamps:
        return np.zeros(0, dtype=np.int64)
    times = dataset.interactions[TIMESTAMP].to_numpy()
    known: IntArray = times[times != NO_TIMESTAMP]
    return known
