"""The command line reads published files unchanged, and reports what is uncertain."""

import json
from pathlib import Path
from typing import Any

import pytest

from recsys_core.cli import main

FILES = Path(__file__).parents[1] / "corpus" / "files"


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(tmp_path / "workspace"))


def taken_in(folder: str, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    files = [str(path) for path in sorted((FILES / folder).iterdir())]
    assert main(["ingest", *files, "--name", folder, *words]) == 0
    output = capsys.readouterr()
    return json.loads(output.out), output.err


def test_an_export_of_a_shop_needs_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    report, said = taken_in("shop", capsys)
    columns = report["guesses"]["shop_export.csv"]["columns"]
    assert columns == {
        "user_id": "Kunde",
        "item_id": "Artikelnr",
        "title": "Artikelname",
        "categories": "Warengruppe",
        "event": "Ereignis",
        "timestamp": "Zeitpunkt",
        "price": "Betrag",
    }
    assert (report["rows_read"], report["rows_rejected"]) == (1510, 22)
    assert report["events"]["purchase"] == {"count": 367, "weight": 5.0}
    assert "Event weights: click 1 (1,121 rows), purchase 5 (367 rows)." in said
    assert "uncertain" not in said


def test_columns_that_are_not_certain_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, said = taken_in("d05_amazon2018", capsys)
    assert "column 'column_2' is read as user_id, which is uncertain" in said
    assert "column 'column_1'" in said


def test_named_columns_are_not_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    report, said = taken_in("d05_amazon2018", capsys, "--columns", "user_id=0,item_id=1,rating=2")
    assert report["guesses"]["AMAZON_FASHION.csv"]["columns"] == {
        "user_id": "column_1",
        "item_id": "column_2",
        "rating": "column_3",
    }
    assert "uncertain" not in said


def test_a_weight_of_events_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = taken_in("d09_taobao", capsys, "--rule", 'event_weights={"pv": 0.5, "buy": 9}')
    weights = {kind: values["weight"] for kind, values in report["events"].items()}
    assert weights == {"pv": 0.5, "cart": 1.0, "buy": 9.0}
