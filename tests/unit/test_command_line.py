"""The command line keeps its option names, reports errors in one line, and writes safe files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from recsys_core.cli import comparing, main
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import MODELS
from recsys_core.storage.processes import ProcessMark, own_mark
from tests.engine.support import ROOT, little_data


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A file with a header, 40 users, ids that look like formulas among them."""
    data = little_data()
    frame = data.interactions
    users = ["=1+1" if user == 0 else f"u{user}" for user in frame["user"]]
    items = ["@cmd" if item == 1 else "-7" if item == 2 else f"i{item}" for item in frame["item"]]
    table = pd.DataFrame(
        {"user_id": users, "item_id": items, "rating": frame["rating"], "timestamp": frame["timestamp"]}
    )
    path = tmp_path / "ratings.csv"
    table.to_csv(path, index=False)
    return path


def refused(words: list[Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a failing command and return its error line."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as end:
        status = end.code
    output = capsys.readouterr()
    assert status == 2
    assert output.err.startswith("recscope: ")
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err
    return output.err


def test_models_lists_every_algorithm_under_the_promised_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["key"] for one in found] == list(MODELS)
    for one in found:
        assert {"key", "title", "family", "needs", "abilities", "config"} <= set(one)
    ease = next(one for one in found if one["key"] == "ease")
    assert "regularization" in ease["config"]["properties"]


def test_ingest_takes_a_file_with_bad_rows_and_reports_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "messy.csv"
    rows = [f"u{n % 7},i{n % 5},{n % 5 + 1},{1_500_000_000 + n}" for n in range(40)]
    path.write_text(
        "user,item,rating,timestamp\n" + "\n".join([*rows, "u1,i1", "u2,i2,nine,1500000100"]) + "\n", encoding="utf-8"
    )
    assert main(["ingest", str(path), "--name", "messy", "--rule", "duplicates=keep"]) == 0
    report = json.loads(capsys.readouterr().out)
    names = {
        "rows_read",
        "rows_accepted",
        "rows_rejected",
        "rejected",
        "guesses",
        "warnings",
        "fingerprint",
        "users",
        "items",
    }
    assert names <= set(report)
    assert report["rows_accepted"] + report["rows_rejected"] == report["rows_read"] == 42
    assert {"line", "column", "reason", "text"} <= set(report["rejected"][0])
    assert (report["users"], report["items"]) == (7, 5)


def test_compare_writes_results_under_the_promised_names(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["compare", "--data", ratings, "--split", "ratio:0.3", "--models", "ease,item_knn", "--k", "5"]
    words += ["--set", "ease.regularization=7.5", "--relevant-from", "3", "--seed", "3", "--out", out]
    assert main([str(word) for word in words]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split()[:2] == ["model", "ndcg@5"]
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [model["key"] for model in results["models"]] == ["ease", "item_knn", "popular", "random"]
    for model in results["models"]:
        assert {"key", "config", "state", "fit_seconds", "peak_memory_bytes", "metrics"} <= set(model)
        assert model["state"] == "DONE"
        ndcg = model["metrics"]["ndcg@5"]
        assert ndcg["low"] <= ndcg["mean"] <= ndcg["high"]
        assert ndcg["users"] > 0
        assert "coverage@5" in model["metrics"]
    assert results["models"][0]["config"] == {"regularization": 7.5, "max_items": None}
    assert {"severity", "rule", "count", "message"} <= set(results["protocol"][0])
    assert set(results["ties"][0]) <= {"ease", "item_knn", "popular", "random"}
    assert results["spec"]["seed"] == 3
    per_user = pd.read_parquet(out / "per_user.parquet")
    assert list(per_user.columns[:2]) == ["model", "user_id"]
    assert "ndcg@5" in per_user
    mean = per_user.loc[per_user["model"] == "ease", "ndcg@5"].mean()
    assert mean == pytest.approx(results["models"][0]["metrics"]["ndcg@5"]["mean"])


@pytest.mark.slow
def test_compare_on_stored_data_is_kept_and_reused(ratings: Path, tmp_path: Path, own_workspace: Path) -> None:
    assert main(["ingest", str(ratings), "--name", "mine"]) == 0
    words = ["compare", "--data", "mine", "--models", "ease", "--out"]
    assert main([*words, str(tmp_path / "first")]) == 0
    (card,) = ResultStore(own_workspace).runs()
    assert (card.done, card.data_name) == (3, "mine")
    assert main([*words, str(tmp_path / "second")]) == 0
    first, second = ((tmp_path / name / "results.json").read_text(encoding="utf-8") for name in ("first", "second"))
    assert first == second
    assert main(["report", "--run", card.id, "--out", str(tmp_path / "report.html")]) == 0
    assert "mine" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_compare_takes_back_its_own_waiting_jobs_alone(
    ratings: Path, tmp_path: Path, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["ingest", str(ratings), "--name", "mine"]) == 0
    words = ["compare", "--data", "mine", "--models", "ease", "--out", str(tmp_path / "out")]

    runs: list[Run] = []

    def interrupted(store: ResultStore, run: Run, model_id: str, sources: object) -> None:
        runs.append(run)
        ease, popular, _ = run.model_ids
        another = ProcessMark(os.getppid(), psutil.Process(os.getppid()).create_time(), own_mark().host)
        run.job(popular).change({JobState.QUEUED}, process=another)
        run.job(ease).change({JobState.QUEUED}, state=JobState.DONE)
        raise KeyboardInterrupt

    monkeypatch.setattr(comparing, "_finish", interrupted)
    assert main(words) == 130
    (run,) = runs
    ease, popular, _ = run.model_ids
    assert [run.job(model).stored_status().state for model in run.model_ids] == ["DONE", "QUEUED", "CANCELLED"]
    assert not (run.job(popular).path / "cancel").exists()
    assert not (run.job(ease).path / "cancel").exists()


def test_a_threshold_that_no_rating_reaches_is_refused_before_anything_is_trained(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "compare",
        "--data",
        str(ratings),
        "--models",
        "ease",
        "--relevant-from",
        "99",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert (
        "--relevant-from: No rating in 'ratings.csv' reaches 99, so no item would be relevant: ratings range from"
        in said
    )
    assert not (tmp_path / "o").exists()


def rounded(number: float | None) -> float | None:
    """Return a number rounded so that the order of additions does not matter."""
    return None if number is None else round(number, 12)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["ratio:0.3", "leave_last_out:1", "k_fold:2"])
def test_the_same_rows_in_any_order_give_the_same_numbers(split: str, tmp_path: Path) -> None:
    """Many timestamps and scores are equal, and positions follow the order of the file."""
    rng = np.random.default_rng(5)
    lines = [
        f"u{user},i{item},{rng.integers(1, 6)},{1_500_000_000 + rng.integers(0, 6)}"
        for user in range(40)
        for item in rng.permutation(40)[: rng.integers(3, 9)]
    ]
    found = []
    for name, order in (
        ("newest", range(len(lines))),
        ("oldest", range(len(lines))[::-1]),
        ("shuffled", rng.permutation(len(lines))),
    ):
        file = tmp_path / f"{name}.csv"
        rows = [lines[place] for place in order]
        file.write_text("\n".join(["user_id,item_id,rating,timestamp", *rows]) + "\n", encoding="utf-8")
        words = ["compare", "--data", str(file), "--models", "ease,item_knn,bias,popular", "--split", split, "--k", "5"]
        assert main([*words, "--out", str(tmp_path / name)]) == 0
        results = json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))
        metrics = {model["key"]: model["metrics"] for model in results["models"]}
        found.append(
            {
                (key, name): {
                    part: None if number is None else round(number, 12) for part, number in value[name].items()
                }
                for key, value in metrics.items()
                for name in ("ndcg@5", "hit_rate@10", "auc", "recall@10:head", "novelty@5", "coverage@5")
            }
        )
        found[-1][("", "verdict")] = {"sentences": results["verdict"], "ties": results["ties"]}
    assert found[0] == found[1] == found[2]


def test_a_name_that_is_taken_is_said(
    ratings: Path, tmp_path: Path, own_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("".join(ratings.read_text().splitlines(keepends=True)[:-1]))
    assert main(["ingest", str(ratings), "--name", "mine"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["ingest", str(other), "--name", "mine"]) == 0
    assert "'mine' is taken" in capsys.readouterr().err


def test_a_model_that_cannot_be_trained_fails_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clicks = tmp_path / "clicks.csv"
    clicks.write_text(
        "user_id,item_id\n" + "\n".join(f"u{n % 11},i{n % 7}" for n in range(77)) + "\n", encoding="utf-8"
    )
    words = ["compare", "--data", str(clicks), "--out", str(tmp_path / "out"), "--models"]
    assert main([*words, "ease,biased_mf"]) == 0
    assert "biased_mf FAILED" in capsys.readouterr().err
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    states = {model["key"]: model["state"] for model in results["models"]}
    assert states == {"ease": "DONE", "biased_mf": "FAILED", "popular": "DONE", "random": "DONE"}
    assert "ratings" in next(model["reason"] for model in results["models"] if model["key"] == "biased_mf")
    assert main([*words, "biased_mf"]) == 1


def test_recommend_gives_each_user_the_best_unseen_items(ratings: Path, tmp_path: Path) -> None:
    out = tmp_path / "recs.csv"
    assert (
        main(["recommend", "--train", str(ratings), "--model", "ease", "--users", "all", "--k", "9", "--out", str(out)])
        == 0
    )
    recs = pd.read_csv(out, dtype=str)
    assert list(recs.columns) == ["user_id", "item_id", "rank", "score"]
    assert recs["user_id"].nunique() == 40
    for _, rows in recs.groupby("user_id"):
        assert rows["rank"].astype(int).tolist() == list(range(1, len(rows) + 1))
        assert rows["score"].astype(float).is_monotonic_decreasing
    train = pd.read_csv(ratings, dtype=str)
    seen = set(zip(train["user_id"], train["item_id"], strict=True))
    assert not seen & set(zip(recs["user_id"], recs["item_id"], strict=True))
    assert {"=1+1", "@cmd", "-7"} <= set(recs["user_id"]) | set(recs["item_id"])


def test_predict_answers_every_pair_within_the_scale(ratings: Path, tmp_path: Path) -> None:
    test, out = tmp_path / "test.csv", tmp_path / "predictions.csv"
    test.write_text("user_id,item_id,rating\nu3,i4,1\nnew,i4,5\nu3,unheard,2\nu4,i9,4\n", encoding="utf-8")
    for key in ("biased_mf", "item_knn", "bias"):
        assert main(["predict", "--train", str(ratings), "--test", str(test), "--model", key, "--out", str(out)]) == 0
        found = pd.read_csv(out)
        assert list(found.columns) == ["user_id", "item_id", "score"]
        assert set(zip(found["user_id"], found["item_id"], strict=True)) == {
            ("u3", "i4"), ("new", "i4"), ("u3", "unheard"), ("u4", "i9")
        }  # fmt: skip
        assert found["score"].between(1, 5).all()


def test_columns_can_be_named(tmp_path: Path) -> None:
    path, out = tmp_path / "odd.csv", tmp_path / "recs.csv"
    path.write_text("".join(f"{n % 3 + 1},x{n % 4},y{n % 6}\n" for n in range(24)), encoding="utf-8")
    words = ["recommend", "--train", str(path), "--columns", "user_id=2,item_id=1,rating=0", "--model", "popular"]
    assert main([*words, "--k", "2", "--out", str(out)]) == 0
    assert pd.read_csv(out)["user_id"].str.startswith("y").all()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["compare", "--data", "FILE", "--models", "ease"], "required: --out"),
        (
            ["compare", "--data", "nothing", "--models", "ease", "--out", "OUT"],
            "There is no file or data set named 'nothing'",
        ),
        (["compare", "--data", "FILE", "--models", "teapot", "--out", "OUT"], "There is no algorithm 'teapot'"),
        (["compare", "--data", "FILE", "--models", "ease,ease", "--out", "OUT"], "name each model once"),
        (["compare", "--data", "FILE", "--models", "ease", "--split", "magic", "--out", "OUT"], "no split 'magic'"),
        (["compare", "--data", "FILE", "--models", "ease", "--split", "ratio:2", "--out", "OUT"], "cannot be '2'"),
        (["compare", "--data", "FILE", "--models", "ease", "--k", "0", "--out", "OUT"], "--k must be from 1"),
        (["compare", "--data", "FILE", "--models", "ease", "--seed", "-1", "--out", "OUT"], "seed"),
        (
            ["compare", "--data", "FILE", "--models", "ease", "--set", "ease.size=1", "--out", "OUT"],
            "no setting 'size'",
        ),
        (
            ["compare", "--data", "FILE", "--models", "ease,lfm", "--set", "regularization=1", "--out", "OUT"],
            "ease, lfm have this setting. Write MODEL.NAME=VALUE",
        ),
        (
            ["compare", "--data", "FILE", "--models", "ease", "--set", "ease.regularization=-1", "--out", "OUT"],
            "greater",
        ),
        (["compare", "--data", "FILE", "--models", "ease", "--columns", "user_id", "--out", "OUT"], "--columns"),
        (
            ["recommend", "--train", "FILE", "--model", "ease", "--users", "nobody.txt", "--out", "OUT"],
            "no file or user named 'nobody",
        ),
        (["recommend", "--train", "EMPTY", "--model", "ease", "--out", "OUT"], "empty"),
        (["recommend", "--train", "FILE", "--model", "ease", "--out", "/nowhere/at/all.csv"], "Cannot write"),
        (["predict", "--train", "FILE", "--test", "absent.csv", "--model", "bias", "--out", "OUT"], "absent.csv"),
        (["ingest", "absent.csv", "--name", "x"], "absent.csv"),
        (["ingest", "FILE", "--name", "x", "--rule", "duplicates=burn"], "duplicates"),
        (["report", "--run", "../etc", "--out", "OUT"], "no experiment"),
        (["report", "--run", "../etc", "--out", ""], "the path is empty"),
        (["serve-engine", "--workspace", ""], "the path is empty"),
        (["serve-engine", "--workspace", "EMPTY"], "'empty.csv' is not a folder"),
        (["ingest", "", "--name", "x"], "the path is empty"),
        (["open-card", ""], "the path is empty"),
        (["ab", "read", "--control", "9,3", "--treatment", "9,4", "--out", ""], "the path is empty"),
        (["ingest", "FOLDER", "--name", "x"], "is a folder"),
        (["recommend", "--train", "FILE", "--model", "popular", "--out", "FOLDER"], "it is a folder"),
        (["recommend", "--train", "FILE", "--model", "popular", "--seed", "-1", "--out", "OUT"], "--seed must be from"),
        (["people", "--data", "FILE", "--graph", "co_rating", "--seed", str(2**31)], "--seed must be from 0"),
        (["recommend", "--train", "FILE", "--model", "popular", "--users", "FOLDER", "--out", "OUT"], "is a folder"),
        (["recommend", "--train", "FILE", "--model", "popular", "--at", "2020-01-01", "--out", "OUT"], "needs --strat"),
        (["report", "--run", "x", "--out", "/nowhere/at/all.html"], "Cannot write '/nowhere/at/all.html'"),
        (["compare", "--data", "FILE", "--models", "ease", "--relevant-from", "9", "--out", "OUT"], "reaches 9"),
        (["compare", "--data", "FILE", "--models", "ease", "--target", "buy", "--out", "OUT"], "has no events"),
        (["compare", "--data", "FILE", "--models", "ease", "--out", "EMPTY"], "'empty.csv' is not a folder"),
        (["tune", "--data", "FILE", "--models", "ease", "--trials", "1", "--out", "EMPTY"], "is not a folder"),
        (["tune", "--data", "FILE", "--models", "popular", "--trials", "1", "--out", "OUT"], "no settings to tune"),
        (["compare", "--data", "FILE", "--models", "ease", "--learn-from", "a=1,a=2", "--out", "OUT"], "given twice"),
        (["ingest", "FILE", "--name", "x", "--rule", "magic=1"], "no rule 'magic'. Known: duplicates"),
        (["ingest", "FILE", "--name", "x", "--number-format", "weight=1.234,5"], "with the role 'weight'"),
    ],
    ids=lambda value: "-".join(value)[:60] if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_said_in_one_line_with_status_2(
    words: list[str], says: str, ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.csv").touch()
    places = {"FOLDER": tmp_path, "FILE": ratings, "EMPTY": tmp_path / "empty.csv", "OUT": tmp_path / "made"}
    assert says in refused([places.get(word, word) for word in words], capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["recommend", "--train", "FILE", "--model", "popular", "--out", "FILE"],
        ["recommend", "--train", "FILE", "--model", "popular", "--out", "LINK"],
        ["recommend", "--train", "tiny", "--model", "popular", "--users", "FILE", "--out", "LINK"],
        ["recommend", "--train", "tiny", "--model", "popular", "--strategy", "FILE", "--out", "FILE"],
        ["predict", "--train", "tiny", "--test", "FILE", "--model", "bias", "--out", "FILE"],
        ["people", "--data", "tiny", "--links", "FILE", "--out", "FILE"],
        ["update", "--train", "FILE", "--data", "tiny", "--model", "rnn", "--lists", "FILE"],
        ["update", "--train", "tiny", "--data", "tiny", "--model", "rnn", "--lists", "NEW", "--out", "NEW"],
        ["replay", "--data", "FILE", "--models", "ease", "--out", "FILE"],
        ["off-policy", "FILE", "--policy", "uniform", "--out", "FILE"],
        ["off-policy", "absent.csv", "--policy", "FILE", "--out", "FILE"],
        ["ab", "plan", "--values", "FILE", "--column", "x", "--relative", "0.1", "--out", "FILE"],
        ["compare", "--data", "FOLDER/results.json", "--models", "ease", "--out", "FOLDER"],
        ["compare", "--data", "tiny", "--models", "ease", "--list", "x=FOLDER/results.json", "--out", "FOLDER"],
        ["tune", "--data", "tiny", "--models", "ease", "--trials", "1", "--split", "uploaded:FOLDER/results.json",
         "--out", "FOLDER"],
    ],
    ids=lambda words: "-".join(words)[:60],
)  # fmt: skip
def test_no_command_overwrites_what_it_reads_or_writes(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("precious", encoding="utf-8")
    Path("LINK").symlink_to("FILE")
    Path("FOLDER").mkdir()
    Path("FOLDER/results.json").write_text("precious", encoding="utf-8")
    said = refused(words, capsys)
    assert "is a file that this command reads" in said or "both name 'NEW'" in said
    assert not Path("NEW").exists()
    assert {Path(name).read_text(encoding="utf-8") for name in ("FILE", "FOLDER/results.json")} == {"precious"}


@pytest.mark.slow
def test_the_module_runs_as_a_program_and_serves_the_engine(own_workspace: Path) -> None:
    command = [sys.executable, "-m", "recsys_core"]
    outcome = subprocess.run([*command, "dance"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.count("\n") == 1
    environment = {"RECSCOPE_ENGINE_IDLE": "0.2", "RECSCOPE_WARM_UP": "0", "PATH": "/usr/bin:/bin"}
    served = [*command, "serve-engine", "--workspace", str(own_workspace)]
    outcome = subprocess.run(
        served, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert outcome.returncode == 0, outcome.stderr


def test_lists_of_other_systems_are_judged_beside_the_models(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = tmp_path / "mine.csv"
    lists.write_text("user_id,item_id,rank\nu1,i3,1\nu1,i4,2\nu2,i5,1\nstranger,i5,1\n")
    words = ["compare", "--data", str(ratings), "--models", "popular", "--split", "ratio", "--k", "5"]
    assert main([*words, "--list", f"mine={lists}", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "mine " in shown
    assert "1 of 4 rows names a user that is not in the data" in shown
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["lists"][0]["name"] == "mine"
    assert found["lists"][0]["metrics"]["ndcg@5"]["users"] > 2
    assert "mine" in set(pd.read_parquet(tmp_path / "out" / "per_user.parquet")["model"])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [("mine", "write NAME=FILE"), ("=a.csv", "write NAME=FILE"), ("mine=none.csv", "there is no file 'none.csv'")],
)
def test_a_missing_list_is_refused_before_training(
    asked: str, sentence: str, ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "--data", ratings, "--models", "popular", "--list", asked, "--out", tmp_path / "out"]
    assert sentence in refused(words, capsys)


def test_a_timestamp_format_without_timestamps_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("user_id,item_id\n" + "".join(f"u{n % 5},i{n % 7}\n" for n in range(30)))
    assert "no file has a timestamp column" in refused(["ingest", path, "--name", "x", "--time-unit", "ms"], capsys)


def test_ingest_says_an_alarm_once_and_a_new_name_of_the_same_data(
    tmp_path: Path, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.csv"
    again.write_bytes(ratings.read_bytes())
    assert main(["ingest", str(ratings), str(again), "--name", "first"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert sum("were rejected" in line for line in told) == 1
    assert main(["ingest", str(ratings), str(again), "--name", "second"]) == 0
    assert "the same data were stored as 'first'; their name is 'second' from here on" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("recsys_core.cli.output.os.access", lambda *_: False)
    words = ["compare", "--data", ratings, "--models", "ease", "--out", tmp_path]
    assert "permission denied" in refused(words, capsys)


def test_a_primary_metric_that_no_model_has_is_said(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "--data", str(ratings), "--models", "popular", "--split", "ratio", "--primary", "rmse"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    output = capsys.readouterr()
    assert "There is nothing to compare." in output.out
    assert "has the metric 'rmse'; choose another metric" in output.err


def test_a_list_of_other_users_leaves_the_results_of_the_models(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists, out = tmp_path / "mine.csv", tmp_path / "out"
    lists.write_text("user_id,item_id,rank\nstranger,i3,1\n")
    words = ["compare", "--data", str(ratings), "--models", "popular", "--split", "ratio", "--out", str(out)]
    assert main([*words, "--list", f"mine={lists}"]) == 1
    assert capsys.readouterr().err.startswith("recscope: --list mine: The list cannot be judged: none of its users")
    found = json.loads((out / "results.json").read_text())
    assert found["lists"] == []
    assert {model["state"] for model in found["models"]} == {"DONE"}


def test_a_read_only_disk_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    words = ["compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "out"]
    assert "permission denied" in refused(words, capsys)
    flags = os.statvfs(tmp_path).f_flag | os.ST_RDONLY
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=flags))
    assert "the disk is read-only" in refused(words, capsys)
