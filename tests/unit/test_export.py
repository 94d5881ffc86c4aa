"""What leaves the product: CSV that no spreadsheet runs, and figures that stand alone."""

import io

import pandas as pd
import plotly.graph_objects as go

from recsys_core.viz.export import csv_bytes, figure_html


def test_cells_that_begin_like_formulas_are_escaped_and_numbers_are_not() -> None:
    frame = pd.DataFrame({"title": ["=1+1", "+x", "-x", "@x", "fine", "中文"], "score": [-1.5, 2, 3, 4, 5, 6]})
    back = pd.read_csv(io.BytesIO(csv_bytes(frame)))
    assert list(back["title"]) == ["'=1+1", "'+x", "'-x", "'@x", "fine", "中文"]
    assert list(back["score"]) == [-1.5, 2, 3, 4, 5, 6]


def test_a_column_name_that_begins_like_a_formula_is_escaped() -> None:
    assert csv_bytes(pd.DataFrame({"=cmd": [1]})).decode("utf-8-sig").startswith("'=cmd")


def test_a_downloaded_figure_stands_alone_and_its_title_is_text() -> None:
    page = figure_html(go.Figure(go.Bar(x=[1], y=[2])), "<script>alert(1)</script>")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page
    assert "cdn.plot.ly" not in page.split("<body")[0]
    assert 'src="http' not in page
