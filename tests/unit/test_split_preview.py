"""The preview of a split: counts per period, test users without history, several windows."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_preview import SplitPreview, preview
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.task import Task

DAY = 86_400_000


def data(rows: list[tuple[int, int, int]], events: list[str] | None = None) -> Dataset:
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    frame = frame.assign(timestamp=frame["timestamp"] * DAY).astype({"user": "int32", "item": "int32"})
    if events:
        frame["event"] = events
    return dataset_from_frames(frame, name="little", fingerprint="little")


@pytest.fixture
def months() -> Dataset:
    """Users 0..4 act on each of 100 days, user 5 in the last ten days alone."""
    old = [(day % 5, day % 7, day) for day in range(100)]
    return data(old + [(5, day % 3, day) for day in range(90, 100)])


def previewed(dataset: Dataset, task: Task | None = None, **split: object) -> SplitPreview:
    return preview(dataset, make_splits(dataset, SplitSpec.model_validate(split), 1, task=task))


def test_parts_of_a_time_split_follow_each_other_and_cover_all_rows(months: Dataset) -> None:
    found = previewed(months, kind="global_time", test_fraction=0.18, validation_fraction=0.1)
    assert found.timeline is not None
    counts = found.timeline.counts
    assert list(counts) == ["train", "validation", "test"]
    assert {part: int(rows.sum()) for part, rows in counts.items()} == {"train": 81, "validation": 9, "test": 20}
    assert np.flatnonzero(counts["train"]).max() <= np.flatnonzero(counts["validation"]).min()
    assert np.flatnonzero(counts["validation"]).max() < np.flatnonzero(counts["test"]).min()
    assert len(found.timeline.edges) == len(counts["test"]) + 1


def test_test_users_without_history_are_counted(months: Dataset) -> None:
    assert (
        previewed(months, kind="global_time").test_users,
        previewed(months, kind="global_time").without_history,
    ) == (
        6,
        1,
    )
    assert previewed(months, kind="leave_last_out").without_history == 0


def test_each_window_is_a_part_and_a_user_known_in_one_of_them_has_history(months: Dataset) -> None:
    found = previewed(months, kind="global_time", test_fraction=0.18, windows=2)
    assert found.timeline is not None
    assert list(found.timeline.counts) == ["train", "test 1", "test 2"]
    assert found.timeline.counts["test 1"].sum() == found.timeline.counts["test 2"].sum() == 10
    assert (found.test_users, found.without_history) == (6, 0)


def test_rows_of_a_gap_and_events_that_are_no_target_are_unused() -> None:
    rows = [(day % 5, day, day) for day in range(100)]
    gap = previewed(data(rows), kind="global_time", test_fraction=0.2, gap_days=10)
    assert gap.timeline is not None
    assert gap.timeline.counts["unused"].sum() == 10
    events = previewed(
        data(rows, ["buy" if day % 2 else "view" for day in range(100)]),
        Task(("buy",), {"buy": 1.0, "view": 1.0}),
        kind="global_time",
    )
    assert events.timeline is not None
    assert events.timeline.counts["test"].sum() == 10
    assert events.timeline.counts["unused"].sum() > 0


def test_data_without_a_time_line_have_none() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 0, 1]}).astype("int32")
    timeless = dataset_from_frames(frame, name="little", fingerprint="little")
    assert previewed(timeless, test_fraction=0.5).timeline is None
    assert previewed(data([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)]), test_fraction=0.5).timeline is None
