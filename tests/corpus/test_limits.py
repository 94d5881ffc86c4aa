"""Files made to exhaust the reader: each is refused with a message, or every row is counted."""

import io
import json
import os
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys_core.data.ingest import check, inspect_files, suggest_rules
from recsys_core.data.ingest.limits import MIB, Limits
from recsys_core.data.ingest.server_path import resolve_server_path
from recsys_core.data.report import IngestReport
from recsys_core.errors import DataError
from recsys_core.serving.uploads import server_files

ROWS = [(f"u{u}", f"m{i}", 1 + (u + i) % 5) for u in range(20) for i in range(6)]
CSV = "user,item,rating\n" + "".join(f"{user},{item},{rating}\n" for user, item, rating in ROWS)


def counted(path: Path, limits: Limits | None = None) -> IngestReport:
    limits = limits or Limits()
    guesses = inspect_files([path], limits=limits)
    return check(guesses, suggest_rules(guesses), limits=limits)


def workbook(path: Path, rows: Iterable[bytes], **extra: bytes) -> Path:
    """Write a workbook whose sheet has exactly these bytes as rows."""
    plain = io.BytesIO()
    pd.DataFrame({"a": [1]}).to_excel(plain, index=False)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if name == "xl/worksheets/sheet1.xml":
                name_space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
                head = b'<worksheet xmlns="' + name_space + b'"><sheetData>'
                target.writestr(name, head + b"".join(rows) + b"</sheetData></worksheet>")
            else:
                target.writestr(name, source.read(name))
        for name, content in extra.items():
            target.writestr(name, content)
    return path


def row(number: int | None, *cells: tuple[str, object]) -> bytes:
    place = "" if number is None else f' r="{number}"'
    text = "".join(
        f'<c{f" r={chr(34)}{column}{number}{chr(34)}" if number else ""} t="inlineStr"><is><t>{value}</t></is></c>'
        for column, value in cells
    )
    return f"<row{place}>{text}</row>".encode()


def plain_rows() -> list[bytes]:
    cells = [("user", "item", "rating"), *ROWS]
    return [row(number, *zip("ABC", values, strict=True)) for number, values in enumerate(cells, start=1)]


FAR = {
    "XFD1048576": b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "single_quotes": b"<row r='1048576'><c s='1' r='XFD1048576'><v>1</v></c></row>",
    "cell_that_differs_from_its_row": b'<row r="200"><c r="XFD1048576"><v>1</v></c></row>',
    "beyond_any_sheet": b'<row r="999999999"><c r="ZZZZZ999999999"><v>1</v></c></row>',
}


@pytest.mark.parametrize("name", FAR)
def test_a_cell_far_out_is_refused_before_room_is_made_for_it(name: str, tmp_path: Path) -> None:
    path = workbook(tmp_path / "far.xlsx", [*plain_rows(), FAR[name]])
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"spans [\d,]+ rows and [\d,]+ columns; .* A far-out cell \((XFD|ZZZZZ)"):
        counted(path)


def test_every_row_is_counted_though_all_have_one_number(tmp_path: Path) -> None:
    head, *rest = plain_rows()
    same = [row(2, ("A", "u1"), ("B", "m1"), ("C", 5))] * 3000
    report = counted(workbook(tmp_path / "same.xlsx", [head, *rest, *same]))
    assert (report.rows_read, report.rows_accepted, report.rows_rejected) == (3120, 120, 3000)
    without_numbers = [row(None, ("A", "u1"), ("B", "m1"), ("C", 5))] * 3000
    assert counted(workbook(tmp_path / "none.xlsx", [head, *rest, *without_numbers])).rows_read == 3120


def test_cells_keep_their_columns_when_rows_are_numbered_anew(tmp_path: Path) -> None:
    head, *_ = plain_rows()
    rows = [row(2, ("A", user), ("C", rating), ("D", "x")) for user, _, rating in ROWS]
    path = workbook(tmp_path / "gaps.xlsx", [head, *rows])
    (guess,) = inspect_files([path])
    assert set(guess.sample[1]) == {""}
    assert list(guess.sample[0]) == [user for user, *_ in ROWS]
    assert list(guess.sample[3]) == ["x"] * len(ROWS)


def test_what_a_workbook_unpacks_to_is_bounded(tmp_path: Path) -> None:
    path = workbook(tmp_path / "bomb.xlsx", plain_rows(), **{"xl/sharedStrings.xml": bytes(20 * MIB)})
    assert path.stat().st_size < 60_000
    with pytest.raises(DataError, match="unpacks to more than 10,485,760 bytes"):
        counted(path, replace(Limits(), excel_unpacked_bytes=10 * MIB))


def test_an_ordinary_workbook_is_read_as_before(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["user", "item", "rating"])
    frame.to_excel(tmp_path / "plain.xlsx", index=False, startrow=3, startcol=2)
    report = counted(tmp_path / "plain.xlsx")
    assert (report.rows_read, report.rows_accepted) == (120, 120)


def test_a_hundred_thousand_columns_are_refused(tmp_path: Path) -> None:
    many = [f"c{number}" for number in range(100_000)]
    (tmp_path / "a.csv").write_text(",".join(many) + "\n" + ",".join(["1"] * len(many)) + "\n")
    lines = (json.dumps(dict.fromkeys(many[start : start + 500], 1)) for start in range(0, len(many), 500))
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    pq.write_table(pa.table({name: [1] for name in many[:3000]}), tmp_path / "a.parquet")
    workbook(tmp_path / "a.xlsx", [row(1, ("A", "user"), ("B", "item")), row(2, ("ZZZ", "1"))])
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.xlsx"):
        with pytest.raises(DataError, match=rf"{name}.* columns"):
            counted(tmp_path / name)


def test_a_line_of_any_length_is_one_row_or_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(CSV + "x" * (3 * MIB) + "\n" + CSV.split("\n", 1)[1])
    report = counted(path)
    assert (report.rows_read, report.rows_accepted) == (241, 120)
    assert [line.line for line in report.rejected if line.text.startswith("xxx")] == [122]
    path.write_text("x" * (3 * MIB) + "\n" + CSV)
    with pytest.raises(DataError, match=r"first line of 'long\.csv' is longer"):
        counted(path)


def test_zero_bytes_are_refused_or_rejected_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "nul.csv"
    path.write_bytes(bytes(5 * MIB))
    with pytest.raises(DataError, match="is empty"):
        counted(path)
    body = CSV.split("\n", 1)[1].encode()
    path.write_bytes(CSV.encode() + body * 1200 + bytes(5 * MIB) + b"\n" + body)
    report = counted(path)
    assert report.rows_read == 1202 * 120 + 1
    assert report.rows_accepted + report.rows_rejected == report.rows_read
    assert any("NUL" in reason or "longer" in reason for reason in report.reasons)


def test_json_nested_deeply_is_a_cell_or_a_rejected_line(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    plain = [json.dumps({"user_id": user, "item_id": item, "rating": rating}) for user, item, rating in ROWS]
    deep = [
        '{"user_id": "a", "item_id": "b", "rating": 1, "more": ' + "[" * depth + "]" * depth + "}"
        for depth in (400, 900, 100_000)
    ]
    path.write_text("\n".join([*plain, *deep]))
    report = counted(path)
    assert (report.rows_read, report.rows_accepted + report.rows_rejected) == (123, 123)
    assert any("JSON" in line.reason for line in report.rejected)


def test_a_parquet_file_says_how_large_it_is_before_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    zeros = pa.array([0] * 2_000_000, pa.int64())
    table = pa.table({"user_id": zeros, "item_id": zeros})
    pq.write_table(table, path, row_group_size=2_000_000, compression="zstd", use_dictionary=False)
    with pytest.raises(DataError, match="row group of"):
        counted(path, replace(Limits(), row_group_bytes=10 * MIB))
    pq.write_table(table, path, row_group_size=100_000, compression="zstd", use_dictionary=False)
    with pytest.raises(DataError, match="decompression bomb"):
        counted(path, replace(Limits(), row_group_bytes=10 * MIB, parquet_ratio=100.0))


def test_only_regular_files_on_the_server_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "opened"
    root.mkdir()
    (root / "ratings.csv").write_text(CSV)
    os.mkfifo(root / "pipe.csv")
    (root / "device.csv").symlink_to("/dev/zero")
    (root / "loop.csv").symlink_to(root / "loop.csv")
    (root / "inside.csv").symlink_to(root / "ratings.csv")
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(root))
    assert server_files() == ["inside.csv", "ratings.csv"]
    assert resolve_server_path("inside.csv") == root / "ratings.csv"
    for name in ("pipe.csv", "device.csv", "loop.csv"):
        with pytest.raises(DataError):
            resolve_server_path(name)
