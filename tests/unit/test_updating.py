"""Incremental updates: evaluated before and after, on old and new data, with new items and users."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import PAD, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.data.task import Task
from recsys_core.data.workspace import Workspace
from recsys_core.errors import CannotScore, DataError
from recsys_core.evaluation.evaluate import Evaluation, evaluate
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.models.base import Recommender
from recsys_core.serving import incremental_updates
from recsys_core.serving.incremental_updates import _compared, _join, _new_split, incremental_update
from tests.engine.support import spec_of

USERS, ITEMS, OLD_STEPS, NEW_STEPS = 60, 20, 10, 6
NET = {
    "embedding_dim": 16,
    "max_length": 16,
    "n_layers": 1,
    "n_heads": 1,
    "epochs": 20,
    "patience": 0,
    "dropout": 0.0,
    "batch_size": 8,
}


def rows(step: int, count: int, start: int, users: range) -> pd.DataFrame:
    """Every user goes round the catalog by `step` items at a time, each from another start."""
    found = [(user, (3 * user + step * time) % ITEMS, 1000 * (start + time)) for user in users for time in range(count)]
    frame = pd.DataFrame(found, columns=["user", "item", "timestamp"])
    return frame.astype({"user": "int32", "item": "int32"})


def world(*frames: pd.DataFrame, name: str, items: int = ITEMS, users: int = USERS) -> Dataset:
    frame = pd.concat(frames, ignore_index=True)
    ids = {"user_ids": [f"u{one}" for one in range(users)], "item_ids": [f"i{one}" for one in range(items)]}
    return dataset_from_frames(frame, name=name, fingerprint=name * 8, **ids)


OLD = world(rows(1, OLD_STEPS, 0, range(USERS)), name="old")
NEWER = world(
    OLD.interactions, rows(3, NEW_STEPS, 500, range(USERS)), name="new",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("updating")
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(OLD)
    split = {"kind": "leave_last_out"}
    run = store.create(spec_of(("sasrec", NET), "ease", data=data.fingerprint, split=split, k=5, cutoffs=(5,)), "old")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    return run


def model(run: Run, key: str) -> str:
    return next(one for one in run.model_ids if one.startswith(key))


def test_what_is_new_is_learned_and_both_parts_are_judged_before_and_after(trained: Run) -> None:
    stored = (trained.job(model(trained, "sasrec")).path / "model.safetensors").read_bytes()
    report = incremental_update(trained, model(trained, "sasrec"), OLD, NEWER, RunContext())
    table = report.table.set_index("part")
    fresh = NEWER.n_interactions - OLD.n_interactions
    assert report.metric == "ndcg@5"
    assert (report.users, report.items) == (0, 0)
    assert table.loc["new", "users"] == USERS  # the last of 6 new ones each, and one of these is an old test item
    assert (report.learned, report.given_away) == (4 * USERS, USERS)
    assert fresh == (4 + 1 + 1) * USERS
    assert table.loc["new", "difference"] > 0.05
    assert table.loc["new", "after"] == pytest.approx(table.loc["new", "before"] + table.loc["new", "difference"])
    assert table.loc["old", "users"] == USERS
    kept = trained.result(model(trained, "sasrec")).metrics["ndcg@5"]
    assert table.loc["old", "before"] == pytest.approx(kept)
    assert (trained.job(model(trained, "sasrec")).path / "model.safetensors").read_bytes() == stored


def test_new_questions_show_all_that_people_did_before() -> None:
    """The old test rows are in the history, too; interactions that would leak them are not trained on."""
    split = make_splits(OLD, SplitSpec(kind="leave_last_out"), 42)[0]
    joined = _join(split, OLD, NEWER, Task())
    part = _new_split(joined)
    query, whole = part.queries(part.test_users()), NEWER.histories()
    assert len(query) == USERS
    for user in range(USERS):
        answer = OLD.histories()[user][-1]
        before, since = whole[user][:OLD_STEPS], whole[user][OLD_STEPS:-1]
        assert query.history[user].tolist() == [*before, *since[since != answer]]
        assert part.test.histories()[user].tolist() == [whole[user][-1]]
    tested = {*zip(split.test.interactions["user"], split.test.interactions["item"], strict=True)}
    learned = {*zip(joined.learned.interactions["user"], joined.learned.interactions["item"], strict=True)}
    assert not tested & learned


def test_users_without_old_training_rows_are_unknown_to_the_model_before(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameters of users whose first rows are old test data are not trained: only the updated model knows them."""
    joined = _join(make_splits(OLD, SplitSpec(kind="leave_last_out"), 42)[0], OLD, NEWER, Task())
    train = joined.train.subset(joined.train.interactions["user"].to_numpy() != 3)
    asked = []

    def recorded(model: Recommender[Any], split: Split, **settings: Any) -> Evaluation:
        asked.append(split.queries(np.array([2, 3])).user.tolist())
        return evaluate(model, split, **settings)

    monkeypatch.setattr(incremental_updates, "evaluate", recorded)
    stored = trained.model(model(trained, "ease"))
    joined = replace(joined, train=train)
    _compared(trained, _new_split(joined), joined, stored, stored, RunContext())
    assert asked == [[2, PAD], [2, 3]]


def test_the_fallback_of_the_experiment_is_that_of_what_each_model_has_learned(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = _join(make_splits(OLD, SplitSpec(kind="leave_last_out"), 42)[0], OLD, NEWER, Task())
    given = []

    def recorded(model: Recommender[Any], split: Split, **settings: Any) -> Evaluation:
        given.append(settings["fallback"])
        return evaluate(model, split, **settings)

    monkeypatch.setattr(incremental_updates, "evaluate", recorded)
    run = Run(trained.path)
    run.spec = trained.spec.model_copy(update={"fallback": "popularity"})
    stored = trained.model(model(trained, "ease"))
    _compared(run, _new_split(joined), joined, stored, stored, RunContext())
    before = np.bincount(joined.train.interactions["item"], minlength=ITEMS)
    since = np.bincount(joined.learned.interactions["item"], minlength=ITEMS)
    assert [one.tolist() for one in given] == [before.tolist(), (before + since).tolist()]


def with_events(*events: tuple[int, int, int, str]) -> Dataset:
    frame = pd.DataFrame(events, columns=["user", "item", "timestamp", "event"])
    return dataset_from_frames(
        frame.astype({"user": "int32", "item": "int32"}),
        user_ids=["u0", "u1"],
        item_ids=[f"i{one}" for one in range(9)],
    )


def test_new_rows_are_read_as_the_task_says() -> None:
    """Weights and events are those of the task: impressions are not learned from, and purchases alone are predicted."""
    before = [(user, item, time, event) for user in (0, 1) for item, time, event in
              [(0, 0, "view"), (0, 1, "buy"), (1, 2, "view"), (2, 3, "impression"), (3, 4, "buy")]]  # fmt: skip
    after = [(0, 4, 10, "view"), (0, 4, 10, "impression"), (0, 1, 11, "buy"), (0, 5, 12, "view"), (1, 6, 10, "view")]
    old, newer = with_events(*before), with_events(*before, *after)
    task = Task(("buy",), {"view": 0.5, "buy": 4.0})
    split = make_splits(old, SplitSpec(kind="leave_last_out"), 42, task=task)[0]
    joined = _join(split, old, newer, task)
    learned = joined.learned.interactions[["user", "item", "event", "weight"]]
    assert list(learned.itertuples(index=False, name=None)) == [(0, 4, "view", 0.5), (1, 6, "view", 0.5)]
    assert joined.held.interactions[["user", "item", "event"]].to_numpy().tolist() == [
        [0, 1, "buy"]
    ]  # viewed, not bought
    query = _new_split(joined).queries(np.array([0]))
    assert query.history[0].tolist() == [0, 0, 1, 3, 4]
    assert query.weights is not None
    assert query.weights.tolist() == [0.5, 4.0, 0.5, 4.0, 0.5]
    assert query.seen[0].tolist() == [0, 3]


def test_people_and_items_that_came_later_have_a_place(trained: Run) -> None:
    later = rows(1, 5, 900, range(USERS, USERS + 3))
    later["item"] += ITEMS - 2  # some known items, and some new ones
    newer = world(OLD.interactions, rows(3, 4, 500, range(USERS)), later, name="lat", items=2 * ITEMS, users=USERS + 3)
    shuffled = reordered(newer)
    report = incremental_update(trained, model(trained, "sasrec"), OLD, shuffled, RunContext(), freeze_embeddings=True)
    assert report.users == 3
    assert report.items == ITEMS
    assert np.isfinite(report.table[["before", "after", "low", "high"]].to_numpy(float)).all()


def reordered(data: Dataset) -> Dataset:
    """Return the same data with other positions: two uploads rarely agree in them."""
    users, items = (np.random.default_rng(5).permutation(count) for count in (data.n_users, data.n_items))
    frame = data.interactions.copy()
    frame["user"] = np.argsort(users)[frame["user"]].astype("int32")
    frame["item"] = np.argsort(items)[frame["item"]].astype("int32")
    return dataset_from_frames(
        frame,
        name=data.name,
        user_ids=[data.user_vocabulary.ids[one] for one in users],
        item_ids=[data.item_vocabulary.ids[one] for one in items],
    )


def test_the_order_of_positions_in_the_newer_data_says_nothing(trained: Run) -> None:
    one, other = (
        incremental_update(trained, model(trained, "sasrec"), OLD, data, RunContext())
        for data in (NEWER, reordered(NEWER))
    )
    assert one.learned == other.learned
    assert list(one.table["users"]) == list(other.table["users"])
    assert one.table["before"].to_numpy() == pytest.approx(other.table["before"].to_numpy())


def test_nothing_new_is_refused_in_words(trained: Run) -> None:
    with pytest.raises(DataError, match="'old' has no interactions that are not in 'old'"):
        incremental_update(trained, model(trained, "sasrec"), OLD, OLD, RunContext())
    once = world(OLD.interactions, rows(3, 1, 500, range(1)), name="one")
    with pytest.raises(DataError, match="has 1 new interactions, but too few per user"):
        incremental_update(trained, model(trained, "sasrec"), OLD, once, RunContext())


def test_a_model_that_cannot_learn_on_says_so(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(CannotScore, match="EASE does not update incrementally; train it again on all data"):
        incremental_update(trained, model(trained, "ease"), OLD, NEWER, RunContext())
