"""The command tune: results as JSON, resumed after an interruption, status 2 and one line for an invalid request."""

import json
from pathlib import Path
from typing import Any

import pytest

from recsys_core.cli.main import main
from recsys_core.errors import DataError
from recsys_core.experiments.tuning import trial
from recsys_core.experiments.tuning.store import TuningStore

TUNE = [
    "tune",
    "--data",
    "tiny",
    "--split",
    "ratio:0.2",
    "--models",
    "ease,bias",
    "--trials",
    "2",
    "--metric",
    "ndcg@5",
]


def read(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "tuning.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_an_interrupted_tuning_goes_on_and_its_test_part_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "tuned"
    honest, calls = trial.validation_value, []

    def interrupted(*arguments: Any) -> float | None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return honest(*arguments)

    monkeypatch.setattr(trial, "validation_value", interrupted)
    assert main([*TUNE, "--out", str(out)]) == 130
    assert not (out / "tuning.json").exists()
    assert main([*TUNE, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "ndcg@5 on validation data, budget per model: 2 trials." in text
    found = read(out)
    assert [one["key"] for one in found["models"]] == ["ease", "bias"]
    assert [one["state"] for one in found["models"]] == ["DONE", "DONE"]
    endings = [[row["ending"] for row in one["trials"]] for one in found["models"]]
    assert endings == [["complete", "interrupted", "complete"], ["complete", "complete"]]
    assert found["models"][0]["best"] >= found["models"][0]["first"]
    assert found["test_part"] is None
    before = len(calls)
    assert main([*TUNE, "--out", str(out), "--test"]) == 0
    assert len(calls) == before  # nothing was tuned anew
    assert (out / "results.json").exists()
    [card] = TuningStore(out).tunings()
    reading = TuningStore(out).open(card.id).guard.reading()
    assert reading is not None
    assert read(out)["test_part"]["by"] == reading.by
    assert "2 trials" in capsys.readouterr().out


def test_a_trial_that_fails_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> float | None:
        raise DataError("Too little data.")

    monkeypatch.setattr(trial, "validation_value", failing)
    main([*TUNE, "--out", str(tmp_path / "tuned")])
    assert "ease trial 0: failed (Too little data)," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--models", "ease,popular"], "These models have no settings to tune: popular."),
        (["--models", "nothing"], "nothing"),
        (["--metric", "ndgc@5"], "ndgc"),
        (["--validation", "0"], "choose a validation share above 0"),
        (["--trials", "0"], "greater than or equal to 1"),
        (["--split", "k_fold:3"], "Choose another split"),
    ],
)
def test_an_invalid_request_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    assert main([*TUNE, "--out", str(tmp_path / "tuned"), *more]) == 2
    error = capsys.readouterr().err
    assert reason in error.splitlines()[-1]
    assert sum(line.startswith("recscope:") for line in error.splitlines()) >= 1
    assert "Traceback" not in error


def test_a_folder_of_another_tuning_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["tune", "--data", "tiny", "--split", "ratio:0.2", "--models", "bias", "--out", str(tmp_path)]
    assert main([*quick, "--trials", "1"]) == 0
    assert main([*quick, "--trials", "2"]) == 2
    assert "choose another folder" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*quick, "--trials", "1", "--seconds", "2"])
    assert ended.value.code == 2
