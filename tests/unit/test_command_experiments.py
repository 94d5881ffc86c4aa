"""`runs`, `export-card`, `export-model`, `open-card`, `rerun` and `diff`, through a workspace of another machine."""

import json
from pathlib import Path

import pytest

from recsys_core.cli import main
from recsys_core.experiments.annotations import annotate
from recsys_core.experiments.store import ResultStore
from recsys_core.models.portable import load_model


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run card of EASE on a sample, exported from another workspace."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("RECSCOPE_WORKSPACE", str(tmp_path / "elsewhere"))
        assert run("compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "result") == 0
        capsys.readouterr()
        assert run("runs") == 0
        (listed,) = json.loads(capsys.readouterr().out)
        assert run("export-card", "--run", listed["id"], "--out", tmp_path / "ease.zip") == 0
    return tmp_path / "ease.zip"


@pytest.mark.slow
def test_a_card_is_opened_rerun_and_compared_in_an_empty_workspace(
    card: Path, own_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("open-card", card) == 0
    opened = json.loads(capsys.readouterr().out)
    assert opened["verified"]
    assert run("rerun", "--run", opened["run"], "--out", tmp_path / "difference.json") == 0
    found = json.loads((tmp_path / "difference.json").read_text(encoding="utf-8"))
    assert found["identical"]
    assert [model["largest_difference"] for model in found["models"]] == [0.0, 0.0, 0.0]
    assert found["models"][0]["lists"] > 10
    assert run("diff", "--run", opened["run"], "--other", found["second"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]
    assert len(ResultStore(own_workspace).runs()) == 2


def test_a_flipped_byte_is_one_line_on_standard_error(
    card: Path, own_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(card.read_bytes())
    content[len(content) // 2] ^= 1
    card.write_bytes(content)
    for more in ([], ["--verify-only"]):
        assert run("open-card", card, *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "at least one byte was changed" in line
    assert not ResultStore(own_workspace).runs()


def test_verifying_stores_nothing(card: Path, own_workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("open-card", card, "--verify-only") == 0
    assert "per_user.parquet" in capsys.readouterr().out
    assert not ResultStore(own_workspace).runs()


def test_runs_are_searched_by_words_and_archived_ones_are_hidden(
    card: Path, own_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("open-card", card)
    store = ResultStore(own_workspace)
    annotate(store.open(store.runs()[0].id).path, add_tags=["Final"], archived=True)
    capsys.readouterr()
    for words, count in ((["--search", "FINAL ease"], 0), (["--archived", "--search", "FINAL ease"], 1)):
        assert run("runs", *words) == 0
        assert len(json.loads(capsys.readouterr().out)) == count
    assert run("runs", "--archived", "--search", "sasrec") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_rerun_without_the_data_says_what_to_do(
    card: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("open-card", card)
    opened = json.loads(capsys.readouterr().out)
    monkeypatch.setattr("recsys_core.experiments.rerun.SAMPLES", {})
    assert run("rerun", "--run", opened["run"]) == 2
    assert "Upload the same files" in capsys.readouterr().err


def test_a_trained_model_is_exported_and_recommends_in_python(
    own_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "ease.zip"
    assert run("compare", "--data", "tiny", "--models", "ease", "--out", tmp_path / "result") == 0
    [card] = ResultStore(own_workspace).runs()
    capsys.readouterr()
    assert run("export-model", "--run", card.id, "--model", "ease", "--out", target) == 0
    model = load_model(target)
    assert len(model.recommend([model.user_ids[0]], k=3)) == 3
    assert run("export-model", "--run", card.id, "--model", "bpr", "--out", target) == 2
    assert "has no finished model 'bpr'. Finished: ease" in capsys.readouterr().err
    assert run("export-model", "--run", card.id, "--model", "ease", "--out", tmp_path / "absent" / "x.zip") == 2
    assert "does not exist. Create it first." in capsys.readouterr().err


def test_a_run_card_has_no_models_to_export(
    card: Path, own_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("open-card", card) == 0
    opened = json.loads(capsys.readouterr().out)["run"]
    assert run("export-model", "--run", opened, "--model", "ease", "--out", tmp_path / "model.zip") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "re-run it to download its models" in line
    assert not (tmp_path / "model.zip").exists()


def test_wrong_names_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (
        ("export-card", "--run", "0" * 16, "--out", tmp_path / "x.zip"),
        ("export-model", "--run", "0" * 16, "--model", "ease", "--out", tmp_path / "x.zip"),
        ("rerun", "--run", "../x"),
        ("diff", "--run", "a", "--other", "a"),
        ("open-card", tmp_path / "absent.zip"),
    ):
        assert run(*words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
