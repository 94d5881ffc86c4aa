"""Leak counts equal an independent script on data with planted leaks, and global time leaks nothing."""

import csv
import io
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import NO_TIMESTAMP, Dataset, dataset_from_frames
from recsys_core.data.leaks import count_leaks
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits

TIMED = ["ratio:0.3", "leave_last_out:2", "global_time:0.2", "k_fold:3", "user_holdout:0.4", "item_holdout:0.3"]


def independent_count(train_csv: str, test_csv: str) -> tuple[int, int, int]:
    """Plain Python over two CSV texts with user, item, time. Shares no code with the product."""
    train = [(u, i, int(t)) for u, i, t in csv.reader(io.StringIO(train_csv))]
    test = [(u, i, int(t)) for u, i, t in csv.reader(io.StringIO(test_csv))]
    later = unborn = unseen = 0
    for _, item, time in test:
        later += any(other > time for _, _, other in train)
        births = [other for _, seen, other in train if seen == item]
        unseen += not births
        unborn += bool(births) and min(births) > time
    return later, unborn, unseen


def as_csv(dataset: Dataset) -> str:
    return dataset.interactions[["user", "item", "timestamp"]].to_csv(index=False, header=False)


def counted(split: Split) -> tuple[int | None, int | None, int]:
    report = count_leaks(split)
    return report.tests_with_later_training, report.tests_of_unborn_items, report.tests_of_unseen_items


def uploaded(train: list[tuple[int, int, int]], test: list[tuple[int, int, int]]) -> Split:
    frames = [pd.DataFrame(rows, columns=["user", "item", "timestamp"]) for rows in (train, test)]
    names = [str(position) for position in range(9)]
    first, second = (dataset_from_frames(frame, user_ids=names, item_ids=names) for frame in frames)
    return make_splits(first, SplitSpec(kind="uploaded"), 1, second)[0]


def random_world(seed: int, moments: int) -> Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, 25, 400),
            "item": rng.zipf(1.5, 400) % 60,
            "timestamp": rng.integers(0, moments, 400) * 1000,
        }
    )
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32"}), item_ids=[str(i) for i in range(60)])


def test_planted_leaks_are_counted_one_by_one() -> None:
    train = [(0, 0, 10), (0, 1, 20), (1, 2, 50), (1, 0, 100)]
    test = [
        (0, 0, 100),  # as late as the latest training row: no leak
        (0, 2, 99),  # training continues to 100
        (0, 2, 50),  # training continues; item 2 first occurs at this very time
        (0, 2, 49),  # training continues; item 2 has not occurred yet
        (1, 5, 200),  # nothing later; item 5 never occurs in training
        (1, 0, 105),  # nothing later; user 1 has item 0 in training
    ]
    split = uploaded(train, test)
    assert asdict(count_leaks(split)) == {
        "train_rows": 4,
        "test_rows": 6,
        "tests_with_later_training": 3,
        "tests_of_unborn_items": 1,
        "tests_of_unseen_items": 1,
        "tests_seen_in_training": 2,
        "tests_without_time": 0,
    }
    assert counted(split) == independent_count(as_csv(split.train), as_csv(split.test))


@pytest.mark.parametrize("text", TIMED)
@pytest.mark.parametrize("moments", [4, 50, 100_000])
def test_counts_equal_the_independent_script(text: str, moments: int) -> None:
    for split in make_splits(random_world(7, moments), SplitSpec.parse(text), seed=3):
        assert counted(split) == independent_count(as_csv(split.train), as_csv(split.test))


@pytest.mark.parametrize("moments", [2, 4, 50, 100_000])
@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_global_time_leaks_nothing_even_where_many_rows_share_a_moment(moments: int, validation: float) -> None:
    spec = SplitSpec(kind="global_time", test_fraction=0.2, validation_fraction=validation if moments > 2 else 0)
    (split,) = make_splits(random_world(11, moments), spec, seed=3)
    later, unborn, _ = counted(split)
    assert (later, unborn) == (0, 0)
    assert split.train.interactions["timestamp"].max() < split.border == split.test.interactions["timestamp"].min()


def test_a_random_ratio_split_of_timed_data_leaks() -> None:
    (split,) = make_splits(random_world(7, 100_000), SplitSpec(), seed=3)
    report = count_leaks(split)
    assert report.tests_with_later_training is not None
    assert report.tests_with_later_training > 0.9 * report.test_rows


def test_all_test_cases_of_held_out_items_are_of_unseen_items() -> None:
    (split,) = make_splits(random_world(7, 50), SplitSpec(kind="item_holdout", test_fraction=0.3), seed=3)
    report = count_leaks(split)
    assert report.tests_of_unseen_items == report.test_rows > 0
    assert (report.tests_of_unborn_items, report.tests_seen_in_training) == (0, 0)


def test_without_times_the_leaks_are_unknown_and_not_zero() -> None:
    frame = random_world(7, 50).interactions.drop(columns="timestamp")
    (split,) = make_splits(dataset_from_frames(frame), SplitSpec(), seed=3)
    report = count_leaks(split)
    assert (report.tests_with_later_training, report.tests_of_unborn_items, report.tests_without_time) == (None,) * 3


def test_rows_of_unknown_time_are_no_leak_and_are_counted() -> None:
    split = uploaded([(0, 0, NO_TIMESTAMP), (0, 1, 20)], [(0, 0, 5), (0, 1, NO_TIMESTAMP), (0, 1, 10)])
    report = count_leaks(split)
    assert (report.tests_with_later_training, report.tests_of_unborn_items, report.tests_without_time) == (2, 1, 1)
