"""Groups of users and paired differences, against manual results."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.slices import border_text, disagreements, slice_differences, user_slices, user_values


def lists(by_user: dict[int, list[int]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"user": user, "fold": 0, "rank": rank, "item": item}
            for user, items in by_user.items()
            for rank, item in enumerate(items, start=1)
        ]
    )


def test_halves_part_users_by_length_and_by_popularity_of_their_history() -> None:
    people = pd.DataFrame({"user": [10, 11, 12, 13], "n_history": [1, 2, 2, 4], "taste": [0.7, 0.6, 0.5, 0.4]})
    parts = {part.key: part for part in user_slices(people)}
    assert parts["new"].users.tolist() == [10, 11, 12]  # users at the median are new
    assert parts["active"].users.tolist() == [13]
    assert parts["mainstream"].users.tolist() == [10, 11]
    assert parts["niche"].users.tolist() == [12, 13]
    assert parts["new"].border == 2.0


def test_a_user_without_history_has_no_taste() -> None:
    parts = user_slices(pd.DataFrame({"user": [0, 1], "n_history": [0, 1], "taste": [np.nan, 0.5]}))
    assert [part.users.tolist() for part in parts] == [[0], [1], [], [1]]


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
    assert table.loc["all", "low"] == pytest.approx(0.1 - stats.t.isf(0.025, 2) * 0.1 / 3**0.5)


def test_errors_are_pooled_over_ratings_as_on_the_leaderboard() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 30, 200)
    per_user = {
        model: pd.DataFrame({"user": np.arange(200), "rmse": level + rng.random(200), "n_ratings": counts})
        for model, level in (("popular", 1.0), ("mf", 0.8))
    }
    pair = compare(per_user, metric="rmse").against("popular").iloc[0]
    slices = slice_differences(per_user, {"all": None}, metrics={"all": "rmse"}, baseline="popular").iloc[0]
    assert slices["difference"] == pytest.approx(pair["difference"], abs=1e-12)
    assert slices["low"] == pytest.approx(pair["low"], abs=0.01)
    assert slices["high"] == pytest.approx(pair["high"], abs=0.01)


def test_equal_differences_of_all_users_still_have_an_interval_with_a_width() -> None:
    frame = pd.DataFrame({"user": [0, 1, 2], "ndcg@10": [0.0, 0.0, 0.0]})
    row = slice_differences({"a": frame, "b": frame}, {"all": None}, metrics={"all": "ndcg@10"}, baseline="b").iloc[0]
    assert row["low"] < 0.0 < row["high"]


def test_a_user_of_several_folds_counts_once() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1], "fold": [0, 1, 0], "ndcg@10": [0.2, 0.4, 0.5]})
    assert user_values(frame, "ndcg@10").to_dict() == pytest.approx({0: 0.3, 1: 0.5})


def test_disagreements_begin_with_the_largest_difference_then_the_least_shared() -> None:
    first, second = lists({5: [1, 2], 6: [1, 2], 7: [1, 2]}), lists({5: [2, 9], 6: [3, 4], 7: [3, 4]})
    quality = [pd.Series(values, index=[5, 6, 7]) for values in ([0.5, 0.5, 0.1], [0.5, 0.5, 0.9])]
    table = disagreements(first, second, *quality, k=2)
    assert table["user"].tolist() == [7, 6, 5]
    assert table["difference"].tolist() == pytest.approx([-0.8, 0.0, 0.0])
    assert table["shared"].tolist() == [0.0, 0.0, 0.5]
    assert disagreements(first, second, *quality, k=1)["shared"].tolist() == [0.0, 0.0, 0.0]


def test_the_border_of_short_histories_is_the_longest_of_them() -> None:
    """A median of 27.5 lies between histories of 27 and 28 items; means over folds have fractions of their own."""
    assert [border_text(border) for border in (27.0, 27.5, 34 / 3)] == ["27", "27", "11.3"]
