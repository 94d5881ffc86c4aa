"""Exports: CSV without runnable formulas, and self-contained figures."""

import csv
import io
import zipfile
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from recsys_core.columns import EVENT
from recsys_core.data import dataset_from_frames
from recsys_core.data.spreadsheet_cells import STARTS, escaped_cell
from recsys_core.data.workspace import Workspace
from recsys_core.viz.export import csv_bytes, figure_html

FORMULAS = [f"{start}1+cmd()" for start in STARTS]
NUMBERS = ["-5", "+1.5", "-1e9", "+49301234", "0", "1.", "12"]


def rows_of(content: bytes) -> list[list[str]]:
    """Return the cells of every row, for a reader that ends rows at a lone CR or LF outside quotes."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_every_start_of_a_formula_is_escaped_and_numbers_are_not() -> None:
    assert [escaped_cell(text) for text in FORMULAS] == [f"'{text}" for text in FORMULAS]
    assert [escaped_cell(text) for text in [*NUMBERS, "fine", "", "a=1"]] == [*NUMBERS, "fine", "", "a=1"]
    assert escaped_cell(-1.5) == -1.5
    for text in ("-", "-inf", "+1+1", "-5 ", "-5\n=1", "-٣"):
        assert escaped_cell(text) == f"'{text}"


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_cells_of_text_are_escaped_whatever_their_kind(kind: str) -> None:
    harmless = [*NUMBERS, "fine\r=1", "中文", "fine\r=1"]
    frame = pd.DataFrame({"title": [*FORMULAS, *harmless], "score": -1.5})
    back = rows_of(csv_bytes(frame.astype({"title": kind})))
    assert [row[0] for row in back[1:]] == [f"'{text}" for text in FORMULAS] + [
        *NUMBERS,
        "fine\r=1",
        "中文",
        "fine\r=1",
    ]
    assert {row[1] for row in back[1:]} == {"-1.5"}


def test_names_of_columns_and_rows_are_escaped() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["=cmd", "\nx"], index=pd.Index(["=1", "a"], name="@index"))
    assert rows_of(csv_bytes(frame, index=True)) == [["'@index", "'=cmd", "'\nx"], ["'=1", "1", "2"], ["a", "3", "4"]]
    assert rows_of(csv_bytes(frame))[0] == ["'=cmd", "'\nx"]
    frame.columns = pd.MultiIndex.from_tuples([("=a", "b"), ("c", "-d")], names=["+n", "m"])
    flat = [cell for row in rows_of(csv_bytes(frame, index=True)) for cell in row]
    assert {"'=a", "'-d", "'+n", "'=1"} <= set(flat)
    assert not {cell for cell in flat if cell.startswith(tuple(STARTS))}


def test_the_archive_of_stored_data_escapes_every_table(tmp_path: Path) -> None:
    """Identifiers, events, attributes (plain and categorical) and names of columns."""
    count = len(FORMULAS)
    frame = pd.DataFrame({"user": range(count), "item": range(count), EVENT: FORMULAS}).astype(
        {"user": "int32", "item": "int32", EVENT: "category"}
    )
    attributes = pd.DataFrame({"=head": FORMULAS, "kind": pd.Categorical(FORMULAS), "size": -1.5})
    social = pd.DataFrame({"source": [0], "target": [1], "weight": [1.0]}).astype(
        {"source": "int32", "target": "int32"}
    )
    data = dataset_from_frames(
        frame, name="odd", user_ids=FORMULAS, item_ids=[*FORMULAS[:-1], "-5"], items=attributes, users=attributes,
        social=social,
    )  # fmt: skip
    workspace = Workspace(tmp_path / "workspace")
    workspace.store(data)
    with zipfile.ZipFile(workspace.download_archive("odd", tmp_path / "odd.zip")) as archive:
        tables = {name: rows_of(archive.read(name)) for name in archive.namelist()}
    assert set(tables) == {"interactions.csv", "users.csv", "items.csv", "social.csv"}
    cells = [cell for rows in tables.values() for row in rows for cell in row]
    assert {cell for cell in cells if cell.startswith(tuple(STARTS))} == {"-1.5", "-5"}
    assert [row[0] for row in tables["interactions.csv"][1:]] == [f"'{text}" for text in FORMULAS]
    assert tables["items.csv"][0] == ["item_id", "'=head", "kind", "size"]
    assert tables["social.csv"][1][:2] == [f"'{FORMULAS[0]}", f"'{FORMULAS[1]}"]


def test_a_downloaded_figure_stands_alone_and_its_title_is_text() -> None:
    page = figure_html(go.Figure(go.Bar(x=[1], y=[2])), "<script>alert(1)</script>")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page
    assert "cdn.plot.ly" not in page.split("<body")[0]
    assert 'src="http' not in page
