"""The update replay: its steps, what it counts, churn by hand, storage, and updated models that are kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from recsys_core.contracts import PAD, Progress, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import Cancelled, ConfigError, Damaged, DataError, StoreError
from recsys_core.evaluation.churn import list_churn
from recsys_core.evaluation.evaluate import Evaluation, evaluate
from recsys_core.experiments import stored_replays, update_replay
from recsys_core.experiments.artifacts import JobResult
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.newcomers import newcomers
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.update_replay import (
    REFIT,
    STALE,
    UPDATED,
    Replay,
    ReplaySettings,
    replay,
    replay_spec,
    seconds_of_a_training,
)
from recsys_core.models.base import Recommender
from recsys_core.serving.requests import ModelCache, question, stamp
from tests.engine.support import little_data, spec_of

LAST_DAYS = ReplaySettings(steps=2, share=0.6)
SETTINGS = ReplaySettings(steps=2, share=0.4)
NET = {"embedding_dim": 4, "max_length": 4, "n_layers": 1, "n_heads": 1, "epochs": 1, "patience": 0}


def days(rows: list[tuple[int, int, int]], users: int = 4, items: int = 5) -> Dataset:
    """Return interactions (user, item, day)."""
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": "int32", "item": "int32"})
    user_ids, item_ids = [f"u{n}" for n in range(users)], [f"i{n}" for n in range(items)]
    return dataset_from_frames(frame, name="days", fingerprint="d" * 16, user_ids=user_ids, item_ids=item_ids)


# Days 1 to 4 are the start; the windows are days 5, 6 and 7. User 3 and item 4 arrive on day 5, user 2 on day 6.
WEEK = days(
    [
        (0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 2, 4),
        (0, 2, 5), (3, 4, 5),
        (1, 1, 6), (2, 0, 6),
        (3, 0, 7), (2, 3, 7),
    ]
)  # fmt: skip


def played(data: Dataset = WEEK) -> Replay:
    """Return the replay of popularity over days 5, 6 and 7."""
    spec = spec_of("popular", data=data.fingerprint, k=2, cutoffs=(2,))
    return replay(spec, spec.models[0], data, LAST_DAYS, RunContext())[0]


def by_version(found: Replay) -> dict[tuple[int, str], dict[str, Any]]:
    """Return the points by step and version."""
    rows: Any = found.points.to_dict("records")
    return {(row["step"], row["version"]): row for row in rows}


def test_churn_is_one_minus_the_jaccard_similarity() -> None:
    earlier = np.array([[1, 2, 3], [1, 2, 3], [1, 2, PAD], [PAD, PAD, PAD], [PAD, PAD, PAD]])
    later = np.array([[3, 1, 2], [3, 4, 5], [3, 4, 5], [1, PAD, PAD], [PAD, PAD, PAD]])
    assert_array_equal(list_churn(earlier, later, 3), [0.0, 1 - 1 / 5, 1.0, 1.0, np.nan])
    assert_array_equal(list_churn(earlier, later, 2)[:2], [2 / 3, 1.0])


def test_the_windows_are_the_steps_and_what_arrives_is_counted() -> None:
    steps = played().steps.set_index("step")
    assert list(steps["border"]) == [5, 6, 7]
    assert list(steps["train"]) == [4, 6, 8]
    assert list(steps["fresh"]) == [0, 2, 2]
    assert list(steps["test"]) == [2, 2, 2]


def test_a_stale_popularity_does_not_see_what_arrives() -> None:
    """At step 2 (day 7) item 0 has 3 interactions and leads; user 3 comes back for it, user 2 for the cold item 3."""
    points = by_version(played())
    assert points[0, STALE]["mean"] == points[0, REFIT]["mean"]
    assert np.isnan(points[1, STALE]["seconds"])
    assert points[1, REFIT]["seconds"] > 0
    assert UPDATED not in {version for _step, version in points}
    # users 2 and 3 at step 2: user 3 has seen item 4 and finds item 0 at rank 1; item 3 is never listed for user 2
    assert points[2, REFIT]["mean"] == pytest.approx(0.5)


def test_cold_and_late_users_and_items_are_counted_and_named() -> None:
    splits = make_splits(WEEK, LAST_DAYS.split, 42)
    counts, named = newcomers(splits[0], splits[0])
    assert counts == {"cold_users": 1, "late_users": 0, "cold_items": 1, "late_items": 0, "cold_tests": 1}
    assert named[["kind", "id", "tests"]].to_numpy().tolist() == [["user", "u3", 1], ["item", "i4", 1]]
    counts, named = newcomers(splits[2], splits[0])
    assert counts == {"cold_users": 0, "late_users": 2, "cold_items": 1, "late_items": 0, "cold_tests": 1}
    assert list(named["id"]) == ["i3"]


def test_users_who_came_after_the_training_are_unknown_to_the_stale_model() -> None:
    splits = make_splits(WEEK, LAST_DAYS.split, 42)
    users = np.array([0, 3])
    assert splits[2].queries(users).user.tolist() == [0, 3]
    stale = replace(splits[2], trained_on=splits[0].train).queries(users)
    assert stale.user.tolist() == [0, PAD]
    assert stale.history[1].tolist() == [4]  # the current history, all the same


def test_each_version_is_evaluated_with_what_it_has_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start has 4 interactions; the stale model knows no others at days 6 and 7, when the refit knows 6 and 8."""
    learned: list[int] = []

    def spy(model: Recommender[Any], split: Split, **options: Any) -> Evaluation:
        assert split.trained_on is not None
        learned.append(split.trained_on.n_interactions)
        return evaluate(model, split, **options)

    monkeypatch.setattr(update_replay, "evaluate", spy)
    played()
    assert learned == [4, 4, 6, 4, 8]


def test_a_step_in_which_nothing_is_relevant_has_no_value() -> None:
    """All that is seen on day 7 was seen before."""
    data = days([*WEEK.interactions.iloc[:8].itertuples(index=False, name=None), (0, 0, 7), (1, 0, 7)])
    found = played(data=data)
    last = found.points[found.points["step"] == 2]
    assert last["mean"].isna().all()
    assert found.steps["users"].iloc[-1] == 0
    assert 2 not in set(found.differences["step"])


def test_impossible_settings_and_data_without_times_are_refused() -> None:
    for steps, share in ((0, 0.3), (20, 0.3), (3, 0.0), (3, 1.0)):
        with pytest.raises(ConfigError, match="must be"):
            ReplaySettings(steps, share)
    timeless = dataset_from_frames(WEEK.interactions.drop(columns="timestamp"), fingerprint="d" * 16)
    with pytest.raises(DataError, match="needs timestamps"):
        played(data=timeless)


def test_progress_grows_to_its_total_and_a_cancelled_replay_ends() -> None:
    reports: list[Progress] = []
    spec = spec_of("item_knn", data=WEEK.fingerprint, k=2, cutoffs=(2,))
    replay(spec, spec.models[0], WEEK, LAST_DAYS, RunContext(report=reports.append))
    steps = [report.step for report in reports]
    assert steps == sorted(steps)
    assert steps[-1] == reports[-1].total
    assert {report.total for report in reports} == {reports[-1].total}
    assert "full refit (training 2 of 2)" in {report.stage for report in reports}
    enough = len(reports) // 2
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > enough

    with pytest.raises(Cancelled):
        replay(spec, spec.models[0], WEEK, LAST_DAYS, RunContext(stop_requested=stop))


def test_its_estimate_is_that_of_as_many_trainings() -> None:
    spec = spec_of("ease", seeds=3, split={"kind": "k_fold"})
    assert (replay_spec(spec, SETTINGS).split.n_folds, replay_spec(spec, SETTINGS).seeds) == (3, 1)


def test_the_time_of_a_training_is_the_measured_one() -> None:
    """Nine trainings of a stochastic model (three folds, three seeds) and three of another one took 18 s each."""
    spec = spec_of("ease", seeds=3, split={"kind": "k_fold", "folds": 3})
    values: dict[str, Any] = dict.fromkeys(("peak_memory_bytes", "model_bytes", "work", "judging_units", "users"), 1)
    values |= {"config": {}, "metrics": {}, "overall": {}, "fit_seconds": 17.0, "recommend_seconds": 1.0, "folds": 3}
    for key, seconds in (("biased_mf", 2.0), ("ease", 6.0)):
        assert seconds_of_a_training(spec, JobResult(key=key, **values)) == seconds


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An experiment whose models are not trained: a replay trains its own."""
    store = ResultStore(tmp_path_factory.mktemp("replays"))
    return store.create(experiment(), "little")


def experiment() -> ExperimentSpec:
    return spec_of(("sasrec", NET), "item_knn", k=5, cutoffs=(5,), relevant_from=3.0, train_on="relevant")


@pytest.fixture(scope="module")
def outcome(run: Run) -> tuple[Replay, Recommender[Any]]:
    found, updated = replay(run.spec, run.spec.models[0], little_data(), SETTINGS, RunContext())
    assert updated is not None
    return found, updated


@pytest.fixture
def stored(run: Run, outcome: tuple[Replay, Recommender[Any]]) -> Replay:
    stored_replays.save_replay(run, *outcome)
    return outcome[0]


def test_a_stored_replay_is_read_back(run: Run, stored: Replay) -> None:
    found = stored_replays.read_replay(run, run.model_ids[0], SETTINGS)
    assert found is not None
    assert found.settings == SETTINGS
    assert (found.model_id, found.metric, found.k, found.updates) == (run.model_ids[0], "ndcg@5", 5, True)
    for name in stored_replays.TABLES:
        assert_frame_equal(getattr(found, name), getattr(stored, name), check_dtype=False)
    assert stored_replays.read_replay(run, run.model_ids[0], ReplaySettings(3, 0.4)) is None
    assert stored_replays.read_replay(run, run.model_ids[1], SETTINGS) is None


def test_versions_of_a_model_that_updates_are_compared_in_pairs(stored: Replay) -> None:
    pairs = stored.differences[stored.differences["step"] == 1]
    assert list(zip(pairs["version"], pairs["baseline"], strict=True)) == [
        (UPDATED, STALE), (REFIT, STALE), (UPDATED, REFIT)
    ]  # fmt: skip
    points = by_version(stored)
    rows: Any = stored.differences.to_dict("records")
    for row in rows:
        means = [points[row["step"], row[side]]["mean"] for side in ("version", "baseline")]
        assert row["difference"] == pytest.approx(means[0] - means[1])
        assert row["low"] <= row["difference"] <= row["high"]
    updates = stored.points[(stored.points["version"] == UPDATED) & (stored.points["step"] > 0)]
    assert (updates["churn"] > 0).all()
    assert (updates["seconds"] > 0).all()


def test_an_updated_model_is_kept_as_a_model_of_the_run(
    run: Run, stored: Replay, outcome: tuple[Replay, Recommender[Any]]
) -> None:
    model_id, updated = run.model_ids[0], outcome[1]
    kept = stored_replays.keep(run, model_id, SETTINGS)
    assert stored_replays.kept_models(run) == (kept,)
    assert (kept.model_id, kept.updates) == (model_id, 2)
    assert kept.interactions == stored.steps["train"].iloc[-1]
    query = little_data().queries()
    assert_array_equal(stored_replays.load_kept(run, kept.id).score(query), updated.score(query))
    root = run.path.parents[1]
    assert stamp(root, run.id, kept.id) > 0
    trained = ModelCache().get(root, run.id, kept.id)
    one = query.take(np.array([0]))
    top = question("top").answer(trained, RunContext(), query=one, k=3)
    assert top["item"].tolist() == updated.recommend(one, 3).item[0].tolist()
    stored_replays.discard(run, kept.id)
    assert stored_replays.kept_models(run) == ()
    with pytest.raises(StoreError, match="no kept model"):
        stored_replays.load_kept(run, kept.id)


def test_what_is_kept_survives_another_replay_and_damage_is_found(run: Run, stored: Replay) -> None:
    model_id = run.model_ids[0]
    kept = stored_replays.keep(run, model_id, SETTINGS)
    model = stored_replays.load_kept(run, kept.id)
    stored_replays.save_replay(run, stored, model)
    assert [one.id for one in stored_replays.kept_models(run)] == [kept.id]
    path: Path = run.path / stored_replays.REPLAYS / kept.id / stored_replays.UPDATED_MODEL
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Damaged):
        stored_replays.load_kept(run, kept.id)
    record = path.with_name(stored_replays.REPLAY)
    record.write_text(record.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert stored_replays.read_replay(run, model_id, SETTINGS) is None
    with pytest.raises(StoreError, match="replay its updates first"):
        stored_replays.keep(run, model_id, SETTINGS)


@pytest.mark.parametrize("name", ["../jobs", "..", "sasrec~00000000"])
def test_other_names_are_no_kept_models(run: Run, name: str) -> None:
    with pytest.raises(StoreError):
        stored_replays.load_kept(run, name)
