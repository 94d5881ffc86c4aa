"""Leaks of a split: test cases that a model could only foresee because it was trained on their future."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.splits import Split


@dataclass(frozen=True)
class LeakReport:
    """Leaks in numbers of test rows. Where no time is known, what depends on it is None, never 0.

    Args:
        train_rows: Rows of the training part.
        test_rows: Rows of the test part.
        tests_with_later_training: Test rows earlier than some training row, of whatever user and item.
        tests_of_unborn_items: Test rows earlier than the first training row of their item.
        tests_of_unseen_items: Test rows whose item has no training row at all.
        tests_seen_in_training: Test rows whose user has the same item in training too; they cannot be recommended.
        tests_without_time: Test rows of unknown time, which count as no leak.
    """

    train_rows: int
    test_rows: int
    tests_with_later_training: int | None
    tests_of_unborn_items: int | None
    tests_of_unseen_items: int
    tests_seen_in_training: int
    tests_without_time: int | None

    @property
    def later_share(self) -> float:
        """Share of test rows with later training rows; NaN where no time is known."""
        return (
            float("nan") if self.tests_with_later_training is None else self.tests_with_later_training / self.test_rows
        )


def count_leaks(split: Split) -> LeakReport:
    """Count what the training part of a split knows of the future of its test cases.

    'Later' is strictly later: two rows of one moment leak nothing. A training row of unknown time is older than all.
    """
    train, test = split.train.interactions, split.test.interactions
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
        tests_seen_in_training=int(_pairs(split, test).isin(_pairs(split, train)).sum()),
        tests_without_time=timeless,
    )


def _pairs(split: Split, frame: pd.DataFrame) -> "pd.Series[int]":
    """(N,) one number for each pair of user and item."""
    return frame[USER].astype(np.int64) * split.train.n_items + frame[ITEM]
