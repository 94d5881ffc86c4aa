"""Users covered by a verdict: those with training history; the others are counted and reported separately."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.engine.client import Engine
from recsys_core.errors import ConfigError, DataError
from recsys_core.experiments import leaderboard
from recsys_core.experiments.analysis import compare_run, findings, metric_intervals, users_of, without_history
from recsys_core.experiments.audience import audience
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import held_out_user, require_same_split
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore, read_card
from recsys_core.experiments.thresholds import scale_refusal, threshold_refusal
from recsys_core.viz.report import report_content, slice_table


class Source:
    """One data set in memory."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def open(self, name: str, /) -> Dataset:
        return self.dataset


def late_users(old: int, new: int) -> Dataset:
    """Users of two tastes; the new ones start after the others, and choose popular items."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(old + new):
        items = rng.permutation(15)[:8] + 15 * (user % 2)
        times = np.arange(8) * 10 + (1000 if user >= old else 0)
        times[6:] = 2000 + user  # every user returns in the test period
        rows += [(user, int(item), int(time), 5.0) for item, time in zip(items, times, strict=True)]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp", "rating"])
    kept = frame[(frame["user"] < old) | (frame["timestamp"] >= 2000)]
    return dataset_from_frames(kept, name="late", fingerprint="late")


def trained(folder: Path, data: Dataset, split: SplitSpec, **spec: object) -> Run:
    store = ResultStore(folder)
    experiment = ExperimentSpec.model_validate(
        {"data": "late", "split": split.model_dump(), "models": [{"key": "ease"}], "k": 5, "cutoffs": (5,)} | spec
    )
    run = store.create(experiment, "late")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, Source(data), 1)
        assert status.state is JobState.DONE, status.reason
    return store.open(run.id)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """40 users with history, 25 without, in a common test period."""
    split = SplitSpec(kind="global_time", test_fraction=0.351)
    return trained(tmp_path_factory.mktemp("late"), late_users(40, 25), split)


def test_users_without_a_training_row_are_counted_and_left_out_of_the_verdict(run: Run) -> None:
    users = users_of(run)
    assert (users.users, users.n_without) == (65, 25)
    comparison = compare_run(run)
    assert len(comparison.users) == 40
    found = {finding.rule: finding for finding in findings(run, users_of(run), comparison=comparison)}
    assert found["no_history"].message.startswith(
        "25 of 65 test users (38%) have no training history: the verdict covers"
    )
    assert "popularity_leads" not in found


def test_they_stand_in_a_table_of_their_own_with_who_can_serve_them(run: Run) -> None:
    table = without_history(run, "ndcg@5", users_of(run)).set_index("title")
    assert set(table["users"]) == {25}
    assert table.loc["EASE", "listed"] == 0.0
    assert table.loc["Popularity", "listed"] == 1.0
    assert table.loc["EASE", "mean"] == 0.0
    assert table.loc["EASE", "high"] > 0.05  # 25 users are too few to prove zero


def test_each_screen_shows_the_number_of_the_verdict(run: Run) -> None:
    users = users_of(run)
    table = compare_run(run).table.set_index("model")
    shown = leaderboard.leaderboard(leaderboard.contenders(run), compare_run(run)).set_index("model")
    report = report_content(run)
    for model_id in run.finished():
        mean = table.loc[model_id, "mean"]
        assert shown.loc[model_id, "ndcg@5"] == pytest.approx(mean, abs=1e-12)
        assert run.result(model_id).metrics["ndcg@5"] == pytest.approx(mean, abs=1e-12)
        stored = metric_intervals(run, model_id, users)["ndcg@5"]
        assert (stored["mean"], stored["low"], stored["high"]) == pytest.approx(
            tuple(table.loc[model_id, ["mean", "low", "high"]]), abs=1e-12
        )
    assert "40 users compared" in report.context
    assert len(report.without_history) == 3
    card = read_card(run.path)
    assert (card.best, card.best_value) == (table.index[0], pytest.approx(table["mean"].iloc[0]))


def test_where_nobody_has_a_history_all_are_judged_and_that_is_said() -> None:
    frame = pd.DataFrame({"user": [3, 4], "user_id": ["a", "b"], "fold": 0, "ndcg@5": [0.1, 0.2], "n_history": [0, 0]})
    found = audience({"m": frame})
    assert found.no_user_has_history
    assert len(found.judged["m"]) == 2
    assert not found.without


def test_results_of_earlier_versions_without_counts_stay_readable() -> None:
    frame = pd.DataFrame({"user": [3, 4], "user_id": ["a", "b"], "fold": 0, "ndcg@5": [0.1, math.nan]})
    found = audience({"m": frame})
    assert (found.users, found.n_without, len(found.judged["m"])) == (2, 0, 2)


def test_folds_are_joined_to_one_value_a_user_on_every_screen(tmp_path: Path) -> None:
    """Users have different numbers of rows, so the mean over the rows of folds differs."""
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(30), rng.integers(2, 12, 30))
    frame = pd.DataFrame({"user": users, "item": rng.integers(0, 25, len(users))}).drop_duplicates(ignore_index=True)
    data = dataset_from_frames(frame.assign(rating=4.0), name="late", fingerprint="late")
    run = trained(tmp_path, data, SplitSpec(kind="k_fold", folds=3))
    table = compare_run(run).table.set_index("model")
    people = users_of(run)
    slices = slice_table(run, leaderboard.contenders(run), people.judged, metric="ndcg@5", baseline=run.model_ids[1])
    for model_id in run.finished():
        rows = run.per_user_of(model_id)
        mean = table.loc[model_id, "mean"]
        assert rows.loc[rows["n_history"] > 0, "ndcg@5"].mean() != pytest.approx(mean, abs=1e-6)
        assert leaderboard.leaderboard(leaderboard.contenders(run), compare_run(run)).set_index("model").loc[
            model_id, "ndcg@5"
        ] == pytest.approx(mean, abs=1e-12)
        assert metric_intervals(run, model_id, people)["ndcg@5"]["mean"] == pytest.approx(mean, abs=1e-12)
        assert run.result(model_id).metrics["ndcg@5"] == pytest.approx(mean, abs=1e-12)
    everybody = slices[slices["key"] == "all"].set_index("model")
    for model_id, row in everybody.iterrows():
        expected = table.loc[model_id, "mean"] - table.loc[run.model_ids[1], "mean"]
        assert row["difference"] == pytest.approx(expected, abs=1e-12)
    assert "share training data" in " ".join(finding.message for finding in findings(run, users_of(run)))


def test_of_several_folds_one_with_relevant_test_items_is_shown_and_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": np.repeat(np.arange(12), 6), "item": np.tile(np.arange(6), 12)})
    ratings = np.where(np.arange(len(frame)) % 6 == 0, 5.0, 1.0)  # one relevant item a user
    data = dataset_from_frames(frame.assign(rating=ratings), name="folds", fingerprint="folds")
    run = trained(tmp_path, data, SplitSpec(kind="k_fold", folds=3), relevant_from=4.0)
    later = 0
    for user in data.user_vocabulary.ids:
        shown = held_out_user(run, data, run.finished(), user, k=5)
        assert shown.held_out["liked"].sum() == 1
        assert str(shown.note) == (f"Shown is fold {shown.fold + 1} of 3; values of users are means over their folds.")
        later += shown.fold > 0
    assert later


def test_a_threshold_that_no_rating_reaches_is_refused_before_training(tmp_path: Path) -> None:
    data = late_users(10, 0)
    assert threshold_refusal(data, 5.0) is None
    assert threshold_refusal(data, None) is None
    reason = threshold_refusal(data, 6.0)
    assert reason == (
        "No rating in 'late' reaches 6, so no item would be relevant: ratings range from 5 to 5. Choose a threshold of "
        "at most 5."
    )
    store = ResultStore(tmp_path)
    spec = ExperimentSpec.model_validate({"data": "late", "models": [{"key": "ease"}], "relevant_from": 6})
    run = store.create(spec, "late")
    status = execute(store, run.id, run.model_ids[0], Source(data), 1)
    assert (status.state, status.reason) == (JobState.FAILED, reason)
    assert "fit" not in " ".join(run.progress(run.model_ids[0])["stage"])
    no_ratings = dataset_from_frames(data.interactions.drop(columns="rating"))
    assert threshold_refusal(no_ratings, 6.0) is None


def test_the_scale_alone_refuses_before_anything_is_queued(tmp_path: Path) -> None:
    data = late_users(10, 0)
    assert scale_refusal("late", data.rating_scale, 5.0) is None
    engine = Engine(tmp_path)
    fingerprint = Workspace(tmp_path).store(data).fingerprint
    spec = ExperimentSpec.model_validate({"data": fingerprint, "models": [{"key": "ease"}], "relevant_from": 6})
    with pytest.raises(
        ConfigError, match="No rating in 'late' can reach 6, so no item would be relevant: the scale ranges"
    ):
        engine.submit(spec)
    assert not ResultStore(tmp_path).runs()


def test_a_run_whose_split_was_drawn_otherwise_is_not_gone_on_with(run: Run) -> None:
    data, spec = late_users(40, 25), run.spec.split
    require_same_split(run, make_splits(data, spec, run.spec.seed)[0])
    other = make_splits(data, spec.model_copy(update={"test_fraction": 0.5}), run.spec.seed)[0]
    with pytest.raises(DataError, match="split by an earlier version"):
        require_same_split(run, other)


def test_a_threshold_that_only_training_ratings_reach_is_refused_too(tmp_path: Path) -> None:
    data = late_users(10, 0)
    frame = data.interactions.assign(rating=np.where(data.interactions["timestamp"] >= 2000, 3.0, 5.0))
    store = ResultStore(tmp_path)
    split = {"kind": "global_time", "test_fraction": 0.25}
    values = {"data": "late", "models": [{"key": "ease"}], "relevant_from": 4, "split": split}
    spec = ExperimentSpec.model_validate(values)
    run = store.create(spec, "late")
    status = execute(store, run.id, run.model_ids[0], Source(data.with_interactions(frame)), 1)
    assert status.state is JobState.FAILED
    assert str(status.reason).startswith("No rating in the test set of 'late' reaches 4")
