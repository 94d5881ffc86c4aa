"""Temporal leakage of a split: test rows that are earlier than training rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.splits import Split


@dataclass(frozen=True)
class LeakReport:
    """Leak counts, in test rows. Counts that need timestamps are None without them, never 0.

    Args:
        train_rows: Rows of the training data.
        test_rows: Rows of the test data.
        tests_with_later_training: Test rows earlier than some training row of any user and item.
        tests_of_unborn_items: Test rows earlier than the first training row of their item.
        tests_of_unseen_items: Test rows whose item has no training row.
        tests_seen_in_training: Test rows whose user-item pair is in the user's history, which includes validation data
            (as a target event, if the task names some), so it cannot be recommended.
        tests_without_time: Test rows with unknown time, which are not counted as leaks.
    """

    train_rows: int
    test_rows: int
    tests_with_later_training: int | None
    tests_of_unborn_items: int | None
    tests_of_unseen_items: int
    tests_seen_in_training: int
    tests_without_time: int | None


def count_leaks(split: Split) -> LeakReport:
    """Count the temporal leaks and the unusable test rows of a split.

    'Later' is strict: rows with equal times do not leak. Training rows of unknown time sort before all others.
    """
    train, test = split.train.interactions, split.test.interactions
    seen = (split.history if split.seen is None else split.seen).interactions
    items = test[ITEM].to_numpy()
    born = np.bincount(train[ITEM].to_numpy(), minlength=split.train.n_items) > 0
    later = unborn = timeless = None
    if split.train.has_timestamps and split.test.has_timestamps:
        times = test[TIMESTAMP].to_numpy()
        timed = times != NO_TIMESTAMP
        first = np.full(split.train.n_items, np.iinfo(np.int64).max)
        np.minimum.at(first, train[ITEM].to_numpy(), train[TIMESTAMP].to_numpy())
        later = int((timed & (times < train[TIMESTAMP].max())).sum())
        unborn = int((timed & born[items] & (times < first[items])).sum())
        timeless = int((~timed).sum())
    return LeakReport(
        train_rows=len(train),
        test_rows=len(test),
        tests_with_later_training=later,
        tests_of_unborn_items=unborn,
        tests_of_unseen_items=int((~born[items]).sum()),
        tests_seen_in_training=int(_pairs(split, test).isin(_pairs(split, seen)).sum()),
        tests_without_time=timeless,
    )


def _pairs(split: Split, frame: pd.DataFrame) -> "pd.Series[int]":
    """(N,) one integer per (user, item) pair."""
    return frame[USER].astype(np.int64) * split.train.n_items + frame[ITEM]
