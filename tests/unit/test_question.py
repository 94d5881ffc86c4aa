"""`compare` on the user's own question: purchases of a shop, learned from all events, tested later in time."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main
from recsys_core.columns import TRAINING
from recsys_core.data.ingest import load_file
from recsys_core.data.splits import make_splits
from recsys_core.data.task import Task
from recsys_core.data.workspace import Workspace
from recsys_core.engine.estimate import DataSize, estimate
from recsys_core.engine.settings import EngineSettings
from recsys_core.experiments.analysis import compare_run, exploratory_metrics, users_of
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import held_out_user, history_of
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.recommendations import query_of


@cache
def events() -> str:
    """Return a file of events: 70 users with tastes, who purchase every third item that they view."""
    rng = np.random.default_rng(4)
    rows = []
    for user in range(70):
        liked = np.flatnonzero(np.arange(40) % 4 == user % 4)
        for place, item in enumerate(rng.permutation(np.concatenate([liked, rng.integers(0, 40, 4)]))):
            day = int(rng.integers(0, 200))
            rows.append((f"u{user}", f"i{item}", "view", day))
            if place % 3 == 0:
                rows.append((f"u{user}", f"i{item}", "purchase", day + 1))
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "day"])
    frame["timestamp"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), unit="D")
    content: str = frame.to_csv(index=False)
    return content


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(events(), encoding="utf-8")
    return path


QUESTION = ("--target", "purchase", "--learn-from", "view=1,purchase=5", "--split", "global_time:0.3")


def compared(data: Path, out: Path, *words: str, models: str = "ease") -> dict[str, Any]:
    assert main(["compare", "--data", str(data), "--models", models, "--out", str(out), *words]) == 0
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    return results


def stored_run(workspace: Path) -> Run:
    store = ResultStore(workspace)
    return store.open(next(iter(store.runs())).id)


@pytest.fixture(scope="module")
def workspace_with_ease(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a run of EASE on the question."""
    folder = tmp_path_factory.mktemp("question")
    (folder / "events.csv").write_text(events(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RECSCOPE_WORKSPACE", str(folder / "workspace"))
        assert main(["ingest", str(folder / "events.csv"), "--name", "shop"]) == 0
        words = ["compare", "--data", "shop", "--models", "ease", "--out", str(folder / "o"), *QUESTION]
        assert main(words) == 0
    return folder / "workspace"


def test_the_question_is_part_of_the_spec_and_of_the_result(shop: Path, tmp_path: Path) -> None:
    found = compared(shop, tmp_path / "out", *QUESTION, "--windows", "2", "--primary", "recall@10")
    spec = found["spec"]
    assert (spec["target"], spec["learn_from"]) == (["purchase"], {"view": 1.0, "purchase": 5.0})
    assert (spec["split"]["windows"], spec["primary"]) == (2, "recall@10")
    assert "Recall@10" in found["verdict"][0]
    events = pd.read_csv(shop)
    tested = sum(fold["test"] for fold in found["split"]["folds"])
    assert tested / (events["event"] == "purchase").sum() == pytest.approx(0.3, abs=0.02)
    assert len(found["split"]["folds"]) == 2
    assert any(one["rule"] == "windows" and "2 time windows" in one["message"] for one in found["protocol"])


@pytest.mark.slow
def test_models_that_depend_on_the_seed_are_trained_again_and_the_others_once(
    shop: Path, tmp_path: Path, own_workspace: Path
) -> None:
    assert main(["ingest", str(shop), "--name", "shop"]) == 0
    words = [*QUESTION, "--seeds", "3", "--set", "lfm.epochs=2"]
    assert main(["compare", "--data", "shop", "--models", "ease,lfm", "--out", str(tmp_path / "o"), *words]) == 0
    run = stored_run(own_workspace)
    trainings = {run.model_spec(model).key: rows[TRAINING].nunique() for model, rows in run.per_user().items()}
    assert trainings == {"ease": 1, "lfm": 3, "popular": 1, "random": 3}
    comparison = compare_run(run)
    table = comparison.table.assign(key=[run.model_spec(model).key for model in comparison.table["model"]])
    table = table.set_index("key")
    assert table["trainings"].to_dict() == trainings
    for model, rows in run.per_user().items():
        key = run.model_spec(model).key
        judged = rows[rows["n_history"] > 0]
        means = judged.groupby(TRAINING)["ndcg@10"].mean()
        assert table.loc[key, "mean"] == pytest.approx(means.mean())
        if trainings[key] > 1:
            assert table.loc[key, "training_std"] == pytest.approx(means.std(ddof=1))
    assert not any("One training per model" in str(sentence) for sentence in comparison.verdict)
    lists = run.lists(next(model for model in run.model_ids if model.startswith("lfm")))
    assert not lists.duplicated(["user", "fold", "rank"]).any()


@pytest.mark.slow
def test_one_training_is_stated_for_models_that_depend_on_the_seed(shop: Path, tmp_path: Path) -> None:
    words = "One training per model: variation between trainings is not included."
    assert words not in compared(shop, tmp_path / "a", *QUESTION)["verdict"]
    found = compared(shop, tmp_path / "b", *QUESTION, "--set", "lfm.epochs=2", models="lfm")
    assert words in found["verdict"]


@pytest.mark.slow
def test_the_verdict_can_be_about_users_without_history(shop: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(shop)
    late = frame["timestamp"].sort_values().iloc[-40:].index
    frame.loc[late, "user_id"] = [f"new{number % 12}" for number in range(40)]
    frame.to_csv(shop, index=False)
    groups = {
        users: compared(shop, tmp_path / users, *QUESTION, "--users", users)
        for users in ("with-history", "without-history", "all")
    }
    sizes = {users: found["models"][0]["metrics"]["ndcg@10"]["users"] for users, found in groups.items()}
    assert sizes["all"] == sizes["with-history"] + sizes["without-history"]
    assert min(sizes.values()) > 0
    said = {
        users: next(one for one in found["protocol"] if one["rule"] == "no_history") for users, found in groups.items()
    }
    assert "are reported separately" in said["with-history"]["message"]
    assert "without training history" in said["without-history"]["message"]
    assert "covers all" in said["all"]["message"]
    judged = {users: found["users"]["judged"] for users, found in groups.items()}
    assert judged == {"with-history": "with history", "without-history": "without history", "all": "all"}


def test_other_metrics_are_exploratory(workspace_with_ease: Path) -> None:
    run = stored_run(workspace_with_ease)
    number = exploratory_metrics(users_of(run), run.spec.metric)
    assert number == 10 * 5 + 1 - 1  # ten accuracy metrics at five cut-offs and AUC, without the primary one
    assert compare_run(run).metrics == 1
    assert compare_run(run, "recall@20").metrics == number
    assert f"{number} exploratory metrics" in str(compare_run(run, "recall@20").verdict[-1])


@pytest.mark.slow
def test_the_history_of_a_test_user_is_what_the_models_learned_from(workspace_with_ease: Path) -> None:
    run = stored_run(workspace_with_ease)
    dataset = Workspace(workspace_with_ease).open(run.spec.data)
    split = make_splits(dataset, run.spec.split, run.spec.seed, task=run.spec.task)[0]
    learned = split.history.interactions
    later = 0
    for user in split.test_users():
        user_id = dataset.user_vocabulary.ids[user]
        shown = held_out_user(run, dataset, run.finished(), user_id, k=10).history
        own = learned[learned["user"] == user]
        assert sorted(shown["item"]) == sorted(own["item"])
        assert sorted(shown["weight"]) == sorted(own["weight"])
        later += len(history_of(dataset, int(user))) - len(shown) - len(split.test.interactions.query("user == @user"))
    assert later > 0  # some have views after the border, which no model knew


def test_recommendations_now_keep_viewed_items_and_use_the_weights_of_the_question(shop: Path) -> None:
    data = load_file(shop)
    task = Task(("purchase",), {"view": 1.0, "purchase": 7.0})
    rows = history_of(data, 3)
    query = query_of(3, task.history(rows), known=True, seen=task.targets(rows)["item"].to_numpy())
    purchased = set(rows.loc[rows["event"] == "purchase", "item"])
    assert set(query.seen[0]) == purchased
    assert purchased < set(query.history[0])
    assert query.weights is not None
    assert set(query.weights) == {1.0, 7.0}
    assert len(task.history(rows)) == len(rows)
    assert set(Task(("purchase",), {"view": 1.0}).history(rows)["event"]) == {"view"}


def test_the_estimate_grows_with_windows_and_with_the_trainings_of_models_that_depend_on_the_seed() -> None:
    def seconds(**question: Any) -> dict[str, float]:
        spec = ExperimentSpec.model_validate({"data": "x", "models": [{"key": "ease"}, {"key": "lfm"}]} | question)
        size = DataSize(users=1000, items=500, interactions=50_000)
        found = estimate(spec, size, EngineSettings.from_environment({}), Path("none"))
        return {model.key: model.seconds for model in found.models}

    once = seconds()
    again = seconds(seeds=3)
    assert again["ease"] == once["ease"]
    assert again["lfm"] > 2 * once["lfm"]
    windows = seconds(split={"kind": "global_time", "windows": 4})
    assert all(windows[key] > once[key] for key in once)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--target", "buy"], "no event 'buy'. Known: purchase, view"),
        (["--learn-from", "purchase"], "write EVENT=WEIGHT"),
        (["--learn-from", "purchase=-1"], "greater than 0"),
        (["--split", "ratio:0.2", "--windows", "2"], "need --split global_time"),
        (["--primary", "ndcg@7"], "cut-off 7"),
        (["--primary", "novelty@10"], "cannot be the primary metric"),
        (["--primary", "speed"], "no metric 'speed'"),
        (["--seeds", "0"], "greater than or equal to 1"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_before_anything_is_trained(
    words: list[str], reason: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "refused"
    assert main(["compare", "--data", str(shop), "--models", "ease", "--out", str(out), *words]) == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_a_spec_without_a_question_keeps_its_id() -> None:
    """The id of an experiment stored before these fields existed."""
    spec = {"data": "x", "models": [{"key": "ease"}]}
    assert ExperimentSpec.model_validate(spec).id == "12a7dff4e37d49e0"
    for change in ({"target": ["a"]}, {"learn_from": {"a": 2.0}}, {"seeds": 3}, {"users": "all"}, {"primary": "auc"}):
        assert ExperimentSpec.model_validate(spec | change).id != "12a7dff4e37d49e0"


def test_what_is_not_asked_for_follows_the_data_with_the_reason(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = compared(shop, tmp_path / "data")["spec"]
    told = capsys.readouterr().err
    assert (spec["split"]["kind"], spec["target"]) == ("global_time", ["purchase"])
    assert spec["learn_from"] == {"view": 1.0, "purchase": 5.0}
    assert "'purchase' is predicted" in told
    assert "--target chooses others" in told
    assert "The latest 20% are test cases" in told
    spec = compared(shop, tmp_path / "all", "--target", "all", "--split", "ratio:0.2")["spec"]
    assert (spec["split"]["kind"], spec["target"]) == ("ratio", [])
    assert "recscope:" not in capsys.readouterr().err
