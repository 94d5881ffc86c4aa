"""`off-policy`, `ab plan` and `ab read`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Sixty users see item a or b with probability 0.5 each; a is clicked, b is not."""
    rows = pd.DataFrame({"user": [f"u{number}" for number in range(60)], "item": ["a", "b"] * 30, "pscore": 0.5})
    rows["click"] = (rows["item"] == "a").astype(int)
    path = tmp_path / "log.csv"
    rows.to_csv(path, index=False)
    return path


def test_lists_are_evaluated_on_a_log(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = tmp_path / "lists.csv"
    lists.write_text("user_id,item_id,rank\n" + "".join(f"u{number},a,1\nu{number},b,2\n" for number in range(60)))
    assert run("off-policy", log, "--policy", lists) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["estimates"]["ips"]["value"] == 1.0  # 30 clicks with weight 2, of 60
    assert told["logging_policy"]["value"] == 0.5
    assert told["unit"] == "item shown"
    assert told["columns"] == {"user": "user", "item": "item", "reward": "click", "propensity": "pscore"}
    assert [one["rule"] for one in told["log"]] == ["no_positions", "no_impressions"]
    assert run("off-policy", log, "--policy", lists, "--show", "epsilon", "--strength", 1) == 0
    assert json.loads(capsys.readouterr().out)["estimates"]["ips"]["value"] == pytest.approx(0.5)
    out = tmp_path / "told.json"
    assert run("off-policy", log, "--policy", "uniform", "--out", out) == 0
    assert json.loads(out.read_text())["estimates"]["ips"]["value"] == pytest.approx(0.5)


def test_a_refused_log_has_findings_and_status_1(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("off-policy", log, "--policy", "uniform", "--columns", "propensity=") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["log"][0]["rule"] == "no_propensities"
    assert "estimates" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "target"], "no column 'target'"),
        (["--policy", "missing.csv"], "There is no file"),
        (["--policy", "uniform", "--columns", "click"], "write ROLE=NAME"),
        (["--policy", "uniform", "--clip", "0"], "--clip must be above 0"),
    ],
)
def test_invalid_requests_are_one_line(
    log: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("off-policy", log, *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_test_is_planned_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=500)
    path = tmp_path / "values.csv"
    pd.DataFrame({"spent": 10 + before + rng.normal(size=500), "before": before}).to_csv(path, index=False)
    source = ["ab", "plan", "--values", path, "--column", "spent", "--covariate", "before"]
    assert run(*source, "--relative", "0.02", "--replays", "200") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["difference"] == pytest.approx(0.2, rel=0.02)
    assert told["needed"] == pytest.approx(4 * 7.849 * told["deviation"] ** 2 / told["difference"] ** 2, rel=0.001)
    assert told["saved_by_cuped"] == pytest.approx(0.5, abs=0.08)
    assert told["aa_replay"]["replays"] == 200
    assert run(*source, "--difference", "0") == 2
    assert "must not be 0" in capsys.readouterr().err
    assert run(*source, "--difference", "inf") == 2
    assert "must be a finite number" in capsys.readouterr().err
    assert run(*source, "--difference", "1", "--replays", "-1") == 2
    assert "number of A/A replays must be at least 1" in capsys.readouterr().err
    assert run("ab", "plan", "--values", path, "--difference", "1") == 2
    assert "--values needs --column" in capsys.readouterr().err
    assert run("ab", "plan", "--values", path, "--column", "sales", "--difference", "1") == 2
    assert "no column 'sales'" in capsys.readouterr().err


def test_a_test_is_planned_from_a_stored_experiment(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "result") == 0
    capsys.readouterr()
    assert run("runs") == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert run("ab", "plan", "--run", card["id"], "--model", "ease", "--relative", "0.1") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["users"] <= 30
    assert told["correlation"] is not None
    assert run("ab", "plan", "--run", card["id"], "--model", "svd", "--relative", "0.1") == 2
    assert "no finished model 'svd'" in capsys.readouterr().err


def test_a_finished_test_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ab", "read", "--control", "80,48", "--treatment", "new=70,56") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["effects"][0]["low"] == pytest.approx(0.0524, abs=5e-5)
    assert told["sentences"][1].startswith("new is higher than control by 0.20")
    assert run("ab", "read", "--control", "50,10,2", "--treatment", "40,11,3", "--shares", "0.5,0.5") == 0
    assert json.loads(capsys.readouterr().out)["effects"][0]["difference"] == 1
    assert run("ab", "read", "--control", "80", "--treatment", "70,56") == 2
    assert "neither users,conversions nor" in capsys.readouterr().err
    assert run("ab", "read", "--control", "x,1", "--treatment", "70,56") == 2
    assert "is not a list of numbers" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["0", "1", "1.5", "-0.1", "nan"])
@pytest.mark.parametrize("control", ["80,48", "50,10,2"])
def test_a_level_that_is_no_probability_is_refused(
    level: str, control: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ab", "read", "--control", control, "--treatment", control, f"--level={level}") == 2
    assert "The level must be between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize("numbers", ["nan,nan", "5000,inf", "inf,400", "5000,1e400"])
def test_counts_that_are_no_numbers_are_refused(numbers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ab", "read", "--control", numbers, "--treatment", "5000,400") == 2
    assert "is not a list of numbers" in capsys.readouterr().err


def test_settings_of_a_policy_that_do_not_apply_are_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("off-policy", log, "--policy", "lists.csv", "--strength", "0.3") == 2
    assert "--strength needs --show" in capsys.readouterr().err
    assert run("off-policy", log, "--policy", "uniform", "--show", "epsilon") == 2
    assert "--show needs lists in a file" in capsys.readouterr().err
