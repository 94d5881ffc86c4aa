"""The command line with files that crash a reader: one line on standard error and exit status 2."""

from pathlib import Path

import pytest

from recsys_core.cli.main import UNUSABLE, main
from tests.corpus.test_limits import FAR, plain_rows, workbook

CSV = "user,item,rating\n" + "".join(f"u{u},m{i},{1 + (u + i) % 5}\n" for u in range(20) for i in range(6))


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == UNUSABLE
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    return said.err


def test_a_workbook_that_would_abort_the_process_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook(tmp_path / "far.xlsx", [*plain_rows(), FAR["XFD1048576"]])
    for command in (["ingest", str(path), "--name", "x"], ["recommend", "--train", str(path), "--model", "popular"]):
        assert "A far-out cell (XFD1048576)" in refusal([*command, *_rest(command, tmp_path)], capsys)


def _rest(command: list[str], folder: Path) -> list[str]:
    return ["--users", "all", "--k", "3", "--out", str(folder / "out.csv")] if command[0] == "recommend" else []


@pytest.mark.parametrize("error", [ZeroDivisionError("by design"), MemoryError(), RecursionError("by design")])
@pytest.mark.parametrize(
    "where", ["recsys_core.data.ingest.inspection.guess_table", "recsys_core.data.ingest.build.dataset_warnings"]
)
def test_any_exception_in_reading_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "ratings.csv").write_text(CSV)
    monkeypatch.setattr(where, fails)
    assert "ratings.csv" in refusal(["ingest", str(tmp_path / "ratings.csv"), "--name", "x"], capsys)
