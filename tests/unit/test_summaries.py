"""Summaries of a data set equal those of pandas, from Parquet files and from memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from recsys_core.data import dataset_from_frames, summaries
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.summaries import Stored
from recsys_core.data.workspace import Workspace

DAY = 86_400_000


def made() -> Dataset:
    rng = np.random.default_rng(3)
    n = 400
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, 40, n).astype(np.int32),
            "item": (rng.random(n) ** 3 * 25).astype(np.int32),
            "rating": rng.integers(1, 6, n).astype(np.float32),
            "timestamp": 1_600_000_000_000 + rng.integers(0, 60, n) * DAY,
        }
    )
    frame.loc[0, "timestamp"] = NO_TIMESTAMP
    titles = pd.DataFrame({"title": [f"Film {number}" for number in range(29)] + [None]})
    links = pd.DataFrame({"source": [0, 1], "target": [1, 2], "weight": [1.0, 1.0]})
    return dataset_from_frames(
        frame,
        name="made",
        user_ids=[f"u{n}" for n in range(41)],
        item_ids=[f"i{n}" for n in range(30)],
        items=titles,
        social=links,
    )


@pytest.fixture(params=["memory", "stored", "folder"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    if request.param == "memory":
        return made()
    workspace = Workspace(tmp_path)
    stored = workspace.store(made())
    return stored if request.param == "stored" else workspace.folder("made")


def test_the_numbers_of_the_card(data: Stored) -> None:
    frame = made().interactions
    found = summaries.summary(data)
    per_user, per_item = frame["user"].value_counts(), frame["item"].value_counts()
    known = frame[frame["timestamp"] != NO_TIMESTAMP]
    assert (found.users, found.items, found.interactions, found.links) == (41, 30, 400, 2)
    assert found.density == pytest.approx(len(frame.drop_duplicates(["user", "item"])) / (41 * 30))
    assert found.median_per_user == per_user.median()
    assert found.single_users == int((per_user == 1).sum())
    assert found.most_per_user == per_user.max()
    assert found.rating_mean == pytest.approx(frame["rating"].mean())
    assert (found.first, found.last) == (known["timestamp"].min(), known["timestamp"].max())
    assert found.tied == int(known.duplicated(["user", "timestamp"], keep=False).sum())
    assert found.head_holds >= 0.8 > per_item.iloc[: found.head_items - 1].sum() / 400


def test_gini_of_known_counts() -> None:
    assert summaries.gini(np.array([5, 5, 5, 5])) == pytest.approx(0.0)
    assert summaries.gini(np.array([0, 0, 0, 12])) == pytest.approx(0.75)
    assert np.isnan(summaries.gini(np.array([])))


def test_curves_and_histograms(data: Stored) -> None:
    frame = made().interactions
    curve = summaries.popularity_curve(data)
    assert curve.iloc[0].tolist() == [0.0, 0.0]
    assert curve.iloc[-1].tolist() == pytest.approx([1.0, 1.0])
    assert (curve["interactions"].diff().dropna() >= 0).all()
    bins = summaries.activity(data)
    assert bins["users"].sum() == frame["user"].nunique()
    ratings = summaries.rating_histogram(data)
    assert ratings.set_index("rating")["interactions"].to_dict() == frame["rating"].value_counts().to_dict()
    periods = summaries.over_time(data)
    assert periods["interactions"].sum() == 399
    assert periods.attrs["unit"] == "day"


def test_items_known_together_and_the_sample_of_the_matrix(data: Stored) -> None:
    frame = made().interactions.drop_duplicates(["user", "item"])
    top = summaries.top_items(data, 3)
    assert (
        top["item"].tolist()
        == made()
        .interactions["item"]
        .value_counts()
        .sort_index()
        .sort_values(ascending=False, kind="stable")
        .index[:3]
        .tolist()
    )
    pairs = summaries.co_occurrence(data, 3).set_index(["first", "second"])
    first, second = (set(frame.loc[frame["item"] == item, "user"]) for item in top["item"][:2])
    people = frame["user"].nunique()
    assert pairs.loc[(0, 1), "together"] == len(first & second)
    assert pairs.loc[(0, 1), "lift"] == pytest.approx(len(first & second) * people / (len(first) * len(second)))
    cells = summaries.density_sample(data, users=100, items=100)
    assert len(cells) == len(frame)
    assert_frame_equal(cells, summaries.density_sample(data, users=100, items=100))


def test_search_and_history(data: Stored) -> None:
    frame = made().interactions
    assert summaries.item_search(data, "film 1")["title"].str.startswith("Film 1").all()
    assert summaries.item_search(data, "'; DROP TABLE items; --").empty
    assert summaries.item_search(data, "i29")["title"].tolist() == ["i29"]
    assert summaries.user_search(data, "u40")["interactions"].tolist() == [0]
    history = summaries.user_history(data, 5)
    assert len(history) == int((frame["user"] == 5).sum())
    assert history["timestamp"].is_monotonic_decreasing
    habits = summaries.user_habits(data)
    assert len(habits) == frame["user"].nunique()
    assert habits["value_name"].eq("Mean rating").all()


def of_lengths(lengths: list[int], *, untitled: frozenset[int] = frozenset()) -> Dataset:
    """Users with these numbers of interactions; the items of untitled users have no title."""
    longest = max(lengths, default=1)
    rows = [(user, item + longest * (user in untitled)) for user, n in enumerate(lengths) for item in range(n)]
    titles = [f"Film {item}" if item < longest else None for item in range(2 * longest)]
    return dataset_from_frames(
        pd.DataFrame(rows, columns=["user", "item"]).astype("int32"),
        name="lengths",
        user_ids=[f"u{user}" for user in range(len(lengths))],
        item_ids=[f"i{item}" for item in range(2 * longest)],
        items=pd.DataFrame({"title": titles}),
    )


@pytest.mark.parametrize(
    ("lengths", "untitled", "expected"),
    [
        ([300, 3, 19, 12, 12], set(), "u3"),
        ([300, 3, 19, 12, 12], {3}, "u4"),
        ([300, 3, 19, 12, 12], {3, 4}, "u2"),
        ([300, 23, 3, 1], set(), "u1"),
        ([300, 40, 0], {1}, "u1"),
    ],
    ids=["closest to typical", "with titles", "titles before length", "closest to the range", "range before titles"],
)
def test_the_readable_user_has_a_short_history_with_titles(
    lengths: list[int], untitled: set[int], expected: str
) -> None:
    assert summaries.readable_user(of_lengths(lengths, untitled=frozenset(untitled))) == expected


def test_with_links_the_readable_user_has_some() -> None:
    plain = of_lengths([300, 12, 12, 9, 3])
    links = pd.DataFrame({"source": [0, 4], "target": [3, 3], "weight": [1.0, 1.0]})
    users = list(plain.user_vocabulary.ids)
    linked = dataset_from_frames(plain.interactions, name="linked", fingerprint="linked", user_ids=users, social=links)
    assert summaries.readable_user(plain) == "u1"
    assert summaries.readable_user(linked) == "u3"


def test_the_readable_user_is_the_same_in_memory_and_on_disk(data: Stored) -> None:
    social = made().social
    assert social is not None
    counts = made().interactions["user"].value_counts()
    counts = counts[counts.index.isin(np.unique(social[["source", "target"]]))]
    found = int(str(summaries.readable_user(data))[1:])
    assert abs(counts[found] - 12) == (counts - 12).abs().min()
