"""Groups of users and paired differences, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import PAD, Ragged, TopK
from recsys_core.evaluation.slices import disagreements, shared_share, slice_differences, user_slices


def lists(rows: list[list[int]]) -> TopK:
    return TopK(np.array(rows), np.zeros((len(rows), len(rows[0]))))


def test_halves_part_users_by_length_and_by_popularity_of_their_history() -> None:
    history = Ragged.from_rows([[0], [0, 1], [0, 1, 2], [3, 4, 5, 6]])
    parts = {part.key: part for part in user_slices(np.array([10, 11, 12, 13]), history, n_items=7)}
    assert parts["new"].users.tolist() == [10, 11]
    assert parts["active"].users.tolist() == [12, 13]
    assert parts["mainstream"].users.tolist() == [10, 11]  # item 0 is in 3 of 4 histories, item 1 in 2
    assert parts["niche"].users.tolist() == [12, 13]
    assert parts["new"].border == 2.5


def test_a_user_without_history_has_no_taste() -> None:
    parts = user_slices(np.array([0, 1]), Ragged.from_rows([[], [0]]), n_items=1)
    assert 0 not in np.concatenate([part.users for part in parts if part.key in ("mainstream", "niche")])


def test_differences_are_paired_and_leave_out_undefined_users() -> None:
    per_user = {
        "popular": pd.DataFrame({"user": [0, 1, 2, 3], "ndcg@10": [0.1, 0.2, np.nan, 0.4]}),
        "ease": pd.DataFrame({"user": [3, 2, 1, 0], "ndcg@10": [0.5, 0.9, 0.4, 0.1]}),
    }
    table = slice_differences(
        per_user,
        {"all": None, "some": np.array([0, 1])},
        metrics={"all": "ndcg@10", "some": "ndcg@10"},
        baseline="popular",
    ).set_index("slice")
    assert table.loc["all", "difference"] == pytest.approx(0.1)
    assert table.loc["all", "users"] == 3
    assert table.loc["some", "difference"] == pytest.approx(0.1)
    assert table.loc["all", "low"] == pytest.approx(0.1 - 1.959964 * 0.1 / 3**0.5)


def test_shared_share_counts_items_and_no_padding() -> None:
    share = shared_share(
        lists([[1, 2, 3], [1, PAD, PAD], [PAD, PAD, PAD]]), lists([[3, 9, 1], [2, PAD, PAD], [1, 2, 3]])
    )
    assert share[:2] == pytest.approx([2 / 3, 0.0])
    assert np.isnan(share[2])


def test_disagreements_begin_with_the_largest_difference() -> None:
    table = disagreements(
        np.array([5, 6, 7]),
        lists([[1, 2], [1, 2], [1, 2]]),
        lists([[1, 2], [3, 4], [3, 4]]),
        np.array([0.5, 0.5, 0.1]),
        np.array([0.5, 0.5, 0.9]),
    )
    assert table["user"].tolist() == [7, 6, 5]
    assert table["difference"].tolist() == pytest.approx([-0.8, 0.0, 0.0])
    assert table["shared"].tolist() == [0.0, 0.0, 1.0]
