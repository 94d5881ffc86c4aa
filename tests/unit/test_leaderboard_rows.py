"""The leaderboard as plain values: texts, what is sorted by, and interval bars on one scale."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.viz.leaderboard_rows import leaderboard_rows


@pytest.fixture
def board() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["a", "b"],
            "title": ["EASE", "Popularity"],
            "tied": ["a", "b"],
            "mean": [0.4, 0.1],
            "low": [0.3, np.nan],
            "high": [0.5, np.nan],
            "users": [10, 10],
            "fit_seconds": [0.0123, 1234.5],
            "recommend_seconds": [0.5, 0.5],
            "peak_memory_bytes": [2**20, 2**21],
            "recall@10": [0.25, np.nan],
        }
    )


def rows_of(board: pd.DataFrame, *, differences: bool = False) -> dict:
    costs = {"fit_seconds": "Time, s", "memory": "Memory, MiB"}
    return leaderboard_rows(
        board, "ndcg@10", ["recall@10"], baseline="b", differences=differences, costs=costs, caption="Board"
    )


def test_cells_are_texts_and_numbers_sort_their_column(board: pd.DataFrame) -> None:
    data = rows_of(board)
    assert [column["title"] for column in data["columns"]] == [
        "Model", "Tied", "NDCG@10", "95% interval", "", "Recall@10", "Time, s", "Memory, MiB",
    ]  # fmt: skip
    first, second = data["rows"]
    assert first["cells"] == ["EASE", "a", "0.400", "0.3 to 0.5", "", "0.250", "0.01", "1"]
    assert first["values"] == [None, None, 0.4, None, None, 0.25, 0.0123, 1.0]
    assert second["cells"][0] == "Popularity (baseline)"
    assert (second["cells"][5], second["values"][5]) == ("", None)
    assert [column["opens"] for column in data["columns"] if column["opens"]] == ["ndcg@10", "recall@10"]


def test_a_small_metric_does_not_read_as_0(board: pd.DataFrame) -> None:
    """0.000 beside the interval 0.0002 to 0.0006 would lie outside of it."""
    small = board.assign(mean=[0.0004, 0.0], low=[0.0002, 0.0], high=[0.0006, 0.0001], fit_seconds=0.0001)
    first, second = rows_of(small)["rows"]
    assert first["cells"][2:4] == ["0.0004", "0.0002 to 0.0006"]
    assert second["cells"][2] == "0.000"
    assert first["cells"][6] == "0.00"
    assert rows_of(small, differences=True)["rows"][0]["cells"][2] == "+0.0004"


def test_bars_share_one_scale_from_zero_and_need_both_ends(board: pd.DataFrame) -> None:
    first, second = rows_of(board)["rows"]
    assert first["bar"] == pytest.approx([0.6, 1.0, 0.8])
    assert second["bar"] == [None, None, pytest.approx(0.2)]


def test_differences_have_signs_and_no_interval(board: pd.DataFrame) -> None:
    data = rows_of(board, differences=True)
    assert [column["title"] for column in data["columns"][2:4]] == ["NDCG@10", "Recall@10"]
    assert data["rows"][0]["cells"][2] == "+0.300"
    assert data["rows"][1]["cells"][2] == "+0.000"
