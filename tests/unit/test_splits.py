"""Each kind of split takes the documented rows, is reproducible for a seed, and refuses bad data with a message."""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import PAD
from recsys_core.data import NO_TIMESTAMP, Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.task import Task
from recsys_core.errors import ConfigError, DataError

KINDS = ["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "item_holdout"]


def small_world(rows: int = 300, seed: int = 0, **columns: object) -> Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, 20, rows).astype(np.int32),
            "item": rng.integers(0, 40, rows).astype(np.int32),
            "timestamp": rng.integers(0, 1000, rows),
            "row": np.arange(rows),
        }
    ).assign(**columns)
    return dataset_from_frames(frame, name="small")


def rows(part: Dataset) -> list[int]:
    return part.interactions["row"].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_rows_with_or_without_validation(kind: str) -> None:
    data = small_world()
    first = make_splits(data, SplitSpec(kind=kind), 5)
    again = make_splits(data, SplitSpec(kind=kind), 5)
    tuned = make_splits(data, SplitSpec(kind=kind, validation_fraction=0.25), 5)
    for a, b, c in zip(first, again, tuned, strict=True):
        assert rows(a.train) == rows(b.train)
        assert rows(a.test) == rows(b.test) == rows(c.test)
        assert c.validation is not None
        assert not set(rows(c.validation)) & set(rows(c.test))


@pytest.mark.parametrize("kind", ["ratio", "k_fold", "user_holdout", "item_holdout"])
def test_another_seed_gives_other_rows(kind: str) -> None:
    first, second = (make_splits(small_world(), SplitSpec(kind=kind), seed)[0] for seed in (1, 2))
    assert rows(first.test) != rows(second.test)


def test_ratio_takes_the_rounded_share_of_each_user_and_leaves_at_least_one() -> None:
    users = np.repeat([0, 1, 2, 3], [1, 2, 5, 12])
    data = dataset_from_frames(pd.DataFrame({"user": users, "item": np.arange(20)}))
    taken = {}
    for fraction in (0.2, 0.5, 0.99):
        (split,) = make_splits(data, SplitSpec(test_fraction=fraction), 1)
        taken[fraction] = np.bincount(split.test.interactions["user"], minlength=4).tolist()
    assert taken == {0.2: [0, 0, 1, 2], 0.5: [0, 1, 3, 6], 0.99: [0, 1, 4, 11]}


def test_ratio_chooses_each_row_of_a_user_equally_often() -> None:
    data = dataset_from_frames(pd.DataFrame({"user": np.zeros(10, int), "item": np.arange(10)}))
    chosen = np.zeros(10)
    for seed in range(500):
        (split,) = make_splits(data, SplitSpec(test_fraction=0.3), seed)
        chosen[split.test.interactions["item"]] += 1
    assert abs(chosen - 150).max() < 5 * np.sqrt(150)


def test_leave_last_out_takes_the_latest_and_of_equal_times_any() -> None:
    frame = pd.DataFrame(
        {"user": [0, 0, 0, 0, 1, 1, 1, 2, 2], "item": range(9), "timestamp": [9, 1, 5, 9, 7, 7, 7, 1, 2]}
    )
    taken = set()
    for seed in range(20):
        (split,) = make_splits(dataset_from_frames(frame), SplitSpec(kind="leave_last_out", last=2), seed)
        first, second, *others = split.test.interactions["item"].tolist()
        assert (first, second) == (0, 3)
        assert split.left_out.users_without_test == 1
        taken.add(tuple(others))
    assert taken == {(4, 5), (4, 6), (5, 6)}


@pytest.mark.parametrize(
    ("kind", "causes"),
    [
        ("ratio", {"too_few": 2}),  # users 1 and 2, with two rows and one: a fifth of them is none
        ("leave_last_out", {"too_few": 1}),
        ("global_time", {"not_in_period": 2, "unknown_time": 1}),
        ("user_holdout", {"not_held_out": 2, "too_few": 1}),
    ],
)
def test_users_without_a_test_case_are_counted_by_cause(kind: str, causes: dict[str, int]) -> None:
    frame = pd.DataFrame(
        {
            "user": [0] * 5 + [1] * 2 + [2] + [3] * 5,
            "item": range(13),
            "timestamp": [1, 2, 3, 4, 5, NO_TIMESTAMP, NO_TIMESTAMP, 1, 9, 9, 9, 9, 9],
        }
    )
    (split,) = make_splits(dataset_from_frames(frame), SplitSpec(kind=kind), 1)
    assert split.left_out.causes == causes
    assert split.left_out.users_without_test == sum(causes.values())


def test_an_uploaded_test_part_tells_absent_users_from_those_with_unknown_items() -> None:
    train = dataset_from_frames(pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2]}), name="train")
    test = dataset_from_frames(pd.DataFrame({"user": [0, 1], "item": [1, 9]}), name="test")
    (split,) = make_splits(train, SplitSpec(kind="uploaded", test_data="x"), 1, test)
    assert split.left_out.causes == {"not_uploaded": 1, "unknown_items": 1}


def test_an_uploaded_test_part_without_the_target_events_is_refused_with_the_cause() -> None:
    rows = pd.DataFrame({"user": [0, 1], "item": [0, 1]})
    train = dataset_from_frames(rows.assign(event=["buy", "view"]), name="train")
    for test, message in ((rows, "'test' has no events"), (rows.assign(event="view"), "'test' has no event 'buy'")):
        with pytest.raises(ConfigError, match=message):
            make_splits(
                train,
                SplitSpec(kind="uploaded", test_data="x"),
                1,
                dataset_from_frames(test, name="test"),
                Task(("buy",)),
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_the_same_rows_in_any_order_give_the_same_parts(kind: str, validation: float) -> None:
    """Positions follow the order of a file, identifiers do not; many timestamps are equal."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "user_id": rng.choice([f"u{number}" for number in range(20)], 300),
            "item_id": rng.choice([f"i{number}" for number in range(30)], 300),
            "timestamp": rng.integers(0, 15, 300),
            "rating": rng.integers(1, 6, 300).astype(np.float32),
        }
    )
    spec = SplitSpec(kind=kind, validation_fraction=validation)
    found = []
    for order in (np.arange(300), np.arange(300)[::-1], rng.permutation(300)):
        file = rows.iloc[order].reset_index(drop=True)
        (users, user_ids), (items, item_ids) = (pd.factorize(file[name]) for name in ("user_id", "item_id"))
        data = dataset_from_frames(
            file.assign(user=users.astype(np.int32), item=items.astype(np.int32)),
            user_ids=list(user_ids), item_ids=list(item_ids),
        )  # fmt: skip
        found.append(
            [
                sorted(part.interactions[["user_id", "item_id", "timestamp", "rating"]].itertuples(index=False))
                for split in make_splits(data, spec, 7)
                for part in (split.train, split.test, split.history, *([split.validation] if split.validation else []))
            ]
        )
        histories = data.queries(np.argsort(user_ids))
        found[-1].append([[item_ids[item] for item in history] for history in histories.history])
    assert found[0] == found[1] == found[2]


def test_leave_last_out_without_times_goes_by_the_file_and_says_so() -> None:
    frame = pd.DataFrame({"user": [0, 1, 0, 1], "item": range(4)})
    (split,) = make_splits(dataset_from_frames(frame), SplitSpec(kind="leave_last_out"), 1)
    assert split.test.interactions["item"].tolist() == [2, 3]
    assert split.ordered_by_file
    assert not make_splits(small_world(), SplitSpec(kind="leave_last_out"), 1)[0].ordered_by_file


def test_leave_last_out_validation_is_the_last_but_one_and_test_queries_show_it() -> None:
    frame = pd.DataFrame({"user": [0] * 4, "item": range(4), "timestamp": [4, 3, 2, 1]})
    spec = SplitSpec(kind="leave_last_out", validation_fraction=0.1)
    (split,) = make_splits(dataset_from_frames(frame), spec, 1)
    assert split.train.interactions["item"].tolist() == [2, 3]
    assert split.validation.interactions["item"].tolist() == [1]
    assert split.test.interactions["item"].tolist() == [0]
    assert split.queries(split.test_users()).history[0].tolist() == [3, 2, 1]
    assert split.validation_queries(split.validation_users()).history[0].tolist() == [3, 2]


@pytest.mark.parametrize("kind", ["ratio", "leave_last_out", "k_fold", "user_holdout"])
def test_rows_that_differ_in_the_event_alone_are_split_in_the_same_way_in_any_order(kind: str) -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"user": rng.integers(0, 9, 120), "item": rng.integers(0, 6, 120)}).astype("int32")
    rows["timestamp"] = rng.integers(0, 2, 120)
    rows["event"] = rng.choice(["view", "cart", "purchase"], 120)
    found = []
    for order in (np.arange(120), np.arange(120)[::-1]):
        data = dataset_from_frames(rows.iloc[order].reset_index(drop=True))
        splits = make_splits(data, SplitSpec(kind=kind, validation_fraction=0.3), seed=7)
        parts = [part for split in splits for part in (split.train, split.validation, split.test)]
        found.append([sorted(part.interactions.itertuples(index=False)) for part in parts if part is not None])
    assert found[0] == found[1]


def test_global_time_puts_the_border_where_the_share_comes_nearest() -> None:
    times = np.repeat([10, 20, 30, 40], [4, 3, 2, 1])
    data = dataset_from_frames(pd.DataFrame({"user": np.arange(10), "item": 0, "timestamp": times}))
    borders = {
        f: make_splits(data, SplitSpec(kind="global_time", test_fraction=f), 1)[0].border for f in (0.1, 0.3, 0.9)
    }
    assert borders == {0.1: 40, 0.3: 30, 0.9: 20}


def test_global_time_trains_on_rows_of_unknown_time() -> None:
    frame = pd.DataFrame({"user": [0, 0, 0], "item": [0, 1, 2], "timestamp": [5, NO_TIMESTAMP, 5]})
    (split,) = make_splits(dataset_from_frames(frame), SplitSpec(kind="global_time"), 1)
    assert split.train.interactions["item"].tolist() == [1]


def test_folds_differ_by_one_row_at_most() -> None:
    splits = make_splits(small_world(103), SplitSpec(kind="k_fold", folds=5), 1)
    assert sorted(split.test.n_interactions for split in splits) == [20, 20, 21, 21, 21]
    assert [split.fold for split in splits] == [0, 1, 2, 3, 4]


def test_held_out_users_are_unknown_to_the_model_and_show_their_earlier_part() -> None:
    data = small_world()
    (split,) = make_splits(data, SplitSpec(kind="user_holdout", test_fraction=0.25), 1)
    users = split.test_users()
    assert len(users) == 5
    assert not set(users) & set(split.train.interactions["user"])
    queries = split.queries(users)
    assert_array_equal(queries.user, PAD)
    for row, user in enumerate(users):
        shown = queries.timestamps[queries.history.offsets[row] : queries.history.offsets[row + 1]]
        hidden = split.test.interactions.loc[split.test.interactions["user"] == user, "timestamp"]
        total = len(shown) + len(hidden)
        assert len(hidden) == max(1, int(total * 0.2 + 0.5))
        assert shown.max() <= hidden.min()


def test_validation_users_of_a_hold_out_are_others_than_the_test_users() -> None:
    spec = SplitSpec(kind="user_holdout", test_fraction=0.25, validation_fraction=0.25)
    (split,) = make_splits(small_world(), spec, 1)
    trained = set(split.train.interactions["user"])
    assert not trained & set(split.validation_users())
    assert not set(split.test_users()) & set(split.validation_users())
    assert set(split.validation_queries(split.validation_users()).user) == {PAD}


def test_held_out_items_have_no_training_row_and_compete_among_themselves() -> None:
    data = small_world()
    spec = SplitSpec(kind="item_holdout", test_fraction=0.25, validation_fraction=0.2)
    (split,) = make_splits(data, spec, 1)
    parts = {name: set(getattr(split, name).interactions["item"]) for name in ("train", "validation", "test")}
    assert {name: len(items) for name, items in parts.items()} == {"train": 24, "validation": 6, "test": 10}
    assert not parts["train"] & parts["validation"] | parts["test"] & (parts["train"] | parts["validation"])
    for part in ("test", "validation"):
        assert set(split.candidates(part)) == parts[part]
        assert len(split.candidates(part)) == len(parts[part])
    assert set(rows(split.history)) == set(rows(split.train)) | set(rows(split.validation))
    assert rows(split.validation_history) == rows(split.train)
    assert make_splits(data, SplitSpec(), 1)[0].candidates() is None


def test_a_user_without_training_rows_is_asked_for_as_unknown() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0], "timestamp": [1, 9, 9]})
    (split,) = make_splits(dataset_from_frames(frame), SplitSpec(kind="global_time", test_fraction=0.5), 1)
    queries = split.queries(split.test_users())
    assert queries.user.tolist() == [0, PAD]
    assert queries.history.lengths.tolist() == [1, 0]


def test_an_uploaded_part_is_matched_by_identifier_and_strangers_are_counted() -> None:
    train = dataset_from_frames(
        pd.DataFrame({"user": [0, 1], "item": [0, 1]}), user_ids=["ann", "bob", "idle"], item_ids=["x", "y"]
    )
    test = dataset_from_frames(
        pd.DataFrame({"user": [0, 1, 1, 2, 2, 3], "item": [0, 1, 2, 0, 2, 0], "rating": [1.0, 2, 3, 4, 5, 6]}),
        user_ids=["bob", "ann", "eve", "idle"],
        item_ids=["x", "y", "z"],
    )
    (split,) = make_splits(train, SplitSpec(kind="uploaded"), 1, test)
    assert split.test.interactions.to_dict("list") == {"user": [1, 0], "item": [0, 1], "rating": [1.0, 2.0]}
    assert split.test.has_ratings
    assert split.left_out.test_rows_of_unknown_users == 3
    assert split.left_out.test_rows_of_unknown_items == 1


@pytest.mark.parametrize(
    ("spec", "frame", "words"),
    [
        ("global_time", {"user": [0, 0], "item": [0, 1]}, "needs timestamps"),
        ("global_time", {"user": [0, 0], "item": [0, 1], "timestamp": [5, 5]}, "the same timestamp"),
        ("ratio", {"user": [0, 1], "item": [0, 1]}, "The test data are empty"),
        ("leave_last_out:3", {"user": [0, 0], "item": [0, 1]}, "hold out fewer"),
        ("user_holdout", {"user": [0, 1], "item": [0, 1]}, "at least two interactions"),
        ("user_holdout:0.9", {"user": [0, 0, 1, 1], "item": [0, 1, 0, 1]}, "The training data are empty"),
        ("item_holdout", {"user": [0, 1], "item": [0, 0]}, "two items with interactions"),
        ("item_holdout:0.9", {"user": [0, 1], "item": [0, 1]}, "The training data are empty"),
        ("k_fold:4", {"user": [0, 1], "item": [0, 1]}, "choose fewer folds"),
        ("uploaded", {"user": [0, 1], "item": [0, 1]}, "needs test data"),
        ("ratio", {"user": [], "item": []}, "no interactions"),
    ],
)
def test_what_cannot_be_parted_is_refused_in_a_sentence(spec: str, frame: dict, words: str) -> None:
    split = (
        SplitSpec(kind="uploaded") if spec == "uploaded" else SplitSpec.parse(spec)
    )  # words need a name of test data
    with pytest.raises(DataError, match=words):
        make_splits(dataset_from_frames(pd.DataFrame(frame, dtype=np.int64), name="d"), split, 1)


@pytest.mark.parametrize(
    ("fields", "task", "words"),
    [
        ({"gap_days": 900.0}, Task(), "no interaction before the gap of 900 days; choose a shorter gap"),
        ({}, Task(("buy",), {"view": 1.0}), "training data are empty: .* no interaction of these events there: view;"),
    ],
)
def test_a_part_is_empty_for_its_true_cause(fields: dict, task: Task, words: str) -> None:
    frame = pd.DataFrame({"user": [0, 1] * 5, "item": range(10), "timestamp": range(10)})
    data = dataset_from_frames(frame.assign(event=["buy"] * 8 + ["view"] * 2), name="d")
    with pytest.raises(DataError, match=words):
        make_splits(data, SplitSpec(kind="global_time", **fields), 1, task=task)


def test_an_uploaded_part_of_strangers_only_is_refused() -> None:
    train, test = (
        dataset_from_frames(pd.DataFrame({"user": [0], "item": [0]}), user_ids=[name]) for name in ("ann", "Ann")
    )
    with pytest.raises(DataError, match="check the identifiers"):
        make_splits(train, SplitSpec(kind="uploaded"), 1, test)


def test_a_validation_part_that_would_be_empty_is_refused() -> None:
    with pytest.raises(DataError, match=r"The validation data .* are empty"):
        make_splits(small_world(100), SplitSpec(validation_fraction=0.001), 1)


def test_a_million_rows_are_parted_without_a_loop_over_users() -> None:
    """200,000 users cost at most 6 times the CPU time of 20 users, for the same rows."""
    rng = np.random.default_rng(0)
    seconds = []
    for users in (20, 200_000):
        frame = pd.DataFrame(
            {"user": rng.integers(0, users, 400_000), "item": 0, "timestamp": rng.integers(0, 9, 400_000)}
        )
        data = dataset_from_frames(frame.astype({"user": "int32", "item": "int32"}))
        begin = time.process_time()
        for kind in ("ratio", "leave_last_out", "user_holdout"):
            make_splits(data, SplitSpec(kind=kind), 1)
        seconds.append(time.process_time() - begin)
    assert all(later < 6 * max(earlier, 0.3) for earlier, later in pairwise(seconds))
