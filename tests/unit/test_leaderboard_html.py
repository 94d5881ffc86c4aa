"""The leaderboard as an HTML table: plain rows, escaped text, interval bars on one scale."""

import re

import pandas as pd
import pytest

from recsys_core.viz.leaderboard_html import leaderboard_html

EVIL = "<b onmouseover=alert(1)>"


@pytest.fixture
def board() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["a", "b"],
            "title": ["EASE", EVIL],
            "tied": ["a", "b"],
            "mean": [0.4, 0.1],
            "low": [0.3, float("nan")],
            "high": [0.5, float("nan")],
            "fit_seconds": [0.0123, 1234.5],
            "recall@10": [0.25, float("nan")],
        }
    )


def test_rows_are_text_and_nothing_from_outside_is_markup(board: pd.DataFrame) -> None:
    html = leaderboard_html(
        board, "ndcg@10", ["recall@10"], baseline="b", costs={"fit_seconds": "Time, s"}, caption=f'Board "{EVIL}'
    )
    assert EVIL not in html
    assert "&lt;b onmouseover=alert(1)&gt; (baseline)" in html
    rows = [re.sub("<[^>]*>", "|", row) for row in html.split("<tbody>")[1].split("</tr>")]
    assert [cell for cell in rows[0].split("|") if cell] == ["EASE", "a", "0.4", "0.3 to 0.5", "0.25", "0.0123"]
    assert "no interval" in rows[1]
    assert "1,234" in rows[1]


def test_bars_share_one_scale_from_zero(board: pd.DataFrame) -> None:
    html = leaderboard_html(board, "ndcg@10", [], baseline="b", costs={}, caption="Board")
    assert 'left:60.00%;width:40.00%"></i><b style="left:80.00%">' in html
    assert html.count("<i style") == 1
    assert '<b style="left:20.00%">' in html
