"""The default question: what is suggested for data with events, times, both, or neither."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import NO_TIMESTAMP, Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.experiments.suggestion import suggest


def events(counts: dict[str, int], *, users: int = 100, weights: dict[str, float] | None = None) -> Dataset:
    rng = np.random.default_rng(0)
    names = np.repeat(list(counts), list(counts.values()))
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, users, len(names)).astype("int32"),
            "item": rng.integers(0, 50, len(names)).astype("int32"),
            "event": names,
            "timestamp": rng.integers(0, 10**12, len(names)),
        }
    )
    frame["weight"] = frame["event"].map(weights or {}).fillna(1.0).astype("float32")
    return dataset_from_frames(frame)


def test_the_rarest_event_with_enough_test_cases_is_predicted_and_all_are_learned() -> None:
    data = events({"view": 9000, "cart": 1500, "purchase": 700, "refer": 40}, weights={"cart": 3.0, "purchase": 5.0})
    found = suggest(data)
    assert found.task.target == ("purchase",)
    assert found.task.learn_from == {"view": 1.0, "cart": 3.0, "purchase": 5.0, "refer": 1.0}
    assert {name: one.count for name, one in found.events.items()} == {
        "view": 9000, "cart": 1500, "purchase": 700, "refer": 40,
    }  # fmt: skip
    assert "'purchase' is predicted" in str(found.why_task)
    assert "about 140" in str(found.why_task)
    split = make_splits(data, SplitSpec(kind=found.split), 1, task=found.task)[0]
    assert split.test.n_interactions == pytest.approx(140, abs=2)


def test_undone_actions_are_neither_predicted_nor_learned() -> None:
    found = suggest(events({"view": 9000, "purchase": 2000, "remove": 600}, weights={"remove": 0.0}))
    assert found.task.target == ("purchase",)
    assert "remove" not in found.task.learn_from


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"view": 4000}, "only one kind"),
        ({"view": 200, "purchase": 20}, "no event would have 50"),
        ({"view": 900, "buy": 9}, "only the most frequent event, 'view'"),
    ],
)
def test_without_a_second_event_that_could_be_tested_all_are_predicted(counts: dict[str, int], words: str) -> None:
    found = suggest(events(counts))
    assert found.task.target == ()
    assert words in str(found.why_task)


def test_time_decides_the_split_where_it_can() -> None:
    data = events({"view": 4000})
    assert suggest(data).split == "global_time"
    frame = data.interactions
    without = suggest(dataset_from_frames(frame.drop(columns="timestamp")))
    assert (without.split, "no timestamps" in str(without.why_split)) == ("ratio", True)
    same = suggest(dataset_from_frames(frame.assign(timestamp=5)))
    assert (same.split, "equal" in str(same.why_split)) == ("ratio", True)
    some = frame.assign(timestamp=frame["timestamp"].where(frame.index % 4 > 0, NO_TIMESTAMP))
    untimed = suggest(dataset_from_frames(some))
    assert (untimed.split, "25 %" in str(untimed.why_split) or "25%" in str(untimed.why_split)) == ("ratio", True)


def test_no_time_split_is_suggested_that_leaves_only_new_users() -> None:
    frame = events({"view": 4000}).interactions
    frame["user"] = (frame["timestamp"].rank() // 40).astype("int32")  # users follow each other in time
    found = suggest(dataset_from_frames(frame))
    assert found.split == "ratio"
    assert "test user" in str(found.why_split)


def test_data_without_events_have_no_task() -> None:
    found = suggest(dataset_from_frames(events({"view": 4000}).interactions.drop(columns="event")))
    assert (found.task.target, found.task.learn_from, found.events, found.why_task) == ((), {}, {}, None)
