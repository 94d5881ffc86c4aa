"""Splits of tasks that predict certain events: what is tested and learned, and that nothing reveals a test case."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.data.task import Task
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.models.registry import make_model

WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 5.0}
BUY = Task(target=("purchase",), learn_from=WEIGHTS)


def shop(users: int = 60, seed: int = 0) -> Dataset:
    """Users who view many items, put some into the cart, and purchase few of those; one row an hour."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for item in rng.permutation(40)[: rng.integers(6, 15)]:
            steps = ["view", "cart", "purchase"][: rng.choice([1, 2, 3], p=[0.5, 0.2, 0.3])]
            start = int(rng.integers(0, 10_000))
            rows += [(user, item, step, start + place) for place, step in enumerate(steps)]
    frame = pd.DataFrame(rows, columns=["user", "item", "event", "timestamp"])
    frame["timestamp"] *= 3_600_000
    frame["weight"] = np.float32(1.0)
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32"}))


def row_of(lists: Ragged, row: int) -> set[int]:
    return set(lists.values[lists.offsets[row] : lists.offsets[row + 1]])


def pairs_of(part: Dataset) -> set[tuple[int, int]]:
    return set(zip(part.interactions["user"], part.interactions["item"], strict=True))


def only(spec: SplitSpec, task: Task = BUY, data: Dataset | None = None) -> Split:
    return make_splits(data or shop(), spec, 1, task=task)[0]


@pytest.mark.parametrize("kind", ["ratio", "leave_last_out", "global_time", "k_fold", "user_holdout", "item_holdout"])
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_only_target_events_are_tested_and_all_chosen_events_are_learned(kind: str, validation: float) -> None:
    split = only(SplitSpec(kind=kind, validation_fraction=validation))  # type: ignore[arg-type]
    assert set(split.test.interactions["event"]) == {"purchase"}
    assert set(split.train.interactions["event"]) == set(WEIGHTS)
    if split.validation is not None:
        assert set(split.validation.interactions["event"]) == {"purchase"}
    weights = split.train.interactions.groupby("event")["weight"].unique()
    assert {event: list(values) for event, values in weights.items()} == {event: [w] for event, w in WEIGHTS.items()}


@pytest.mark.parametrize("kind", ["ratio", "k_fold"])
def test_no_other_event_with_the_item_of_a_test_case_is_learned(kind: str) -> None:
    for split in make_splits(shop(), SplitSpec(kind=kind), 1, task=BUY):  # type: ignore[arg-type]
        assert not pairs_of(split.train) & pairs_of(split.test)


def test_leave_last_out_learns_nothing_after_the_last_purchase() -> None:
    split = only(SplitSpec(kind="leave_last_out"))
    purchased = split.test.interactions.set_index("user")["timestamp"]
    assert purchased.index.is_unique
    trained = split.train.interactions[split.train.interactions["user"].isin(purchased.index)]
    assert (trained["timestamp"].to_numpy() < purchased.loc[trained["user"]].to_numpy()).all()
    everything = shop().interactions
    last = everything[everything["event"] == "purchase"].groupby("user")["timestamp"].max()
    assert purchased.sort_index().equals(last.loc[purchased.index].sort_index())


def test_held_out_users_show_nothing_after_their_first_test_case() -> None:
    split = only(SplitSpec(kind="user_holdout"))
    first = split.test.interactions.groupby("user")["timestamp"].min()
    shown = split.history.interactions
    assert len(shown) > 0
    assert (shown["timestamp"].to_numpy() < first.loc[shown["user"]].to_numpy()).all()


def test_the_share_of_a_time_split_is_one_of_target_events() -> None:
    data = shop(200)
    split = only(SplitSpec(kind="global_time", test_fraction=0.25), data=data)
    purchases = data.interactions[data.interactions["event"] == "purchase"]
    assert split.test.n_interactions / len(purchases) == pytest.approx(0.25, abs=0.01)
    assert split.train.interactions["timestamp"].max() < split.border


def test_a_viewed_item_can_be_recommended_and_a_purchased_one_cannot() -> None:
    split = only(SplitSpec(kind="global_time"), data=shop(200))
    users = split.test_users()
    queries = split.queries(users)
    frame = split.train.interactions
    for row, user in enumerate(users[:40]):
        own = frame[frame["user"] == user]
        assert row_of(queries.seen, row) == set(own.loc[own["event"] == "purchase", "item"])
        assert row_of(queries.history, row) == set(own["item"])
    model = make_model("popular")
    model.fit(split.train, RunContext(0))
    found = evaluate(model, split, cutoffs=(40,))
    viewed = [row_of(queries.history, row) - row_of(queries.seen, row) for row in range(len(users))]
    listed = [set(row[row >= 0]) for row in found.lists.item]
    assert all(one <= other for one, other in zip(viewed, listed, strict=True))
    assert not any(row_of(queries.seen, row) & listed[row] for row in range(len(users)))


def test_events_that_are_predicted_need_not_be_learned() -> None:
    split = only(SplitSpec(kind="global_time"), Task(("purchase",), {"view": 1.0}))
    assert set(split.train.interactions["event"]) == {"view"}
    assert set(split.test.interactions["event"]) == {"purchase"}
    assert split.seen is not None
    assert set(split.seen.interactions["event"]) == {"purchase"}


def test_without_a_task_the_split_is_that_of_all_interactions() -> None:
    for kind in ("ratio", "leave_last_out", "global_time", "k_fold", "user_holdout"):
        spec = SplitSpec(kind=kind, validation_fraction=0.1)  # type: ignore[arg-type]
        for one, other in zip(make_splits(shop(), spec, 3), make_splits(shop(), spec, 3, task=Task()), strict=True):
            pd.testing.assert_frame_equal(one.test.interactions, other.test.interactions)
            assert one.train.n_interactions + one.validation.n_interactions + one.test.n_interactions <= 2000
            assert one.queries(one.test_users()).known is None


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task(("buy",)), "no event 'buy'. Known: cart, purchase, view."),
        (Task(("purchase",), {"view": 1.0, "like": 2.0}), "no event 'like'"),
    ],
)
def test_unknown_events_are_refused_with_the_known_ones(task: Task, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        only(SplitSpec(), task)


def test_data_without_events_are_refused() -> None:
    frame = shop().interactions.drop(columns="event")
    with pytest.raises(ConfigError, match="has no events"):
        only(SplitSpec(), BUY, dataset_from_frames(frame))


def test_users_without_the_event_are_counted_by_their_cause() -> None:
    split = only(SplitSpec(kind="leave_last_out"))
    everything = shop().interactions
    buyers = everything.loc[everything["event"] == "purchase", "user"].nunique()
    assert split.left_out.causes["no_target"] == everything["user"].nunique() - buyers


WINDOWS = SplitSpec(kind="global_time", test_fraction=0.3, windows=3)


def test_windows_follow_each_other_and_learn_what_precedes_them() -> None:
    data = shop(200)
    splits = make_splits(data, WINDOWS, 1, task=BUY)
    assert [split.fold for split in splits] == [0, 1, 2]
    one = only(SplitSpec(kind="global_time", test_fraction=0.3), data=data)
    assert splits[0].border == one.border
    assert sum(split.test.n_interactions for split in splits) == one.test.n_interactions
    sizes = [split.test.n_interactions for split in splits]
    assert max(sizes) - min(sizes) <= 2
    for before, after in pairwise(splits):
        assert before.test.interactions["timestamp"].max() < after.border
        assert after.train.n_interactions > before.train.n_interactions
    for split in splits:
        assert split.train.interactions["timestamp"].max() < split.border


def test_a_fixed_window_forgets_as_much_as_it_gains() -> None:
    splits = make_splits(shop(200), WINDOWS.model_copy(update={"window_training": "fixed"}), 1, task=BUY)
    spans = [split.train.interactions["timestamp"].agg(["min", "max"]) for split in splits]
    lengths = [span["max"] - span["min"] for span in spans]
    assert max(lengths) - min(lengths) < 0.02 * max(lengths)
    assert spans[2]["min"] > spans[0]["min"]


def test_a_gap_is_neither_learned_nor_tested() -> None:
    day = 24 * 3_600_000
    for split in make_splits(shop(200), WINDOWS.model_copy(update={"gap_days": 5.0}), 1, task=BUY):
        assert split.train.interactions["timestamp"].max() < split.border - 5 * day
        assert split.test.interactions["timestamp"].min() >= split.border


def test_more_windows_than_moments_are_refused() -> None:
    frame = shop().interactions
    frame["timestamp"] = np.where(frame["timestamp"] < frame["timestamp"].median(), 0, 1)
    with pytest.raises(DataError, match="too few for 3 windows"):
        make_splits(dataset_from_frames(frame), WINDOWS, 1)
