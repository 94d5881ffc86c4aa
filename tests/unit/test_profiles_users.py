"""User profiles: manual habits, preferences and tags; segments of a planted world; missing data; storage."""

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.sparse import csr_array

from recsys_core.contracts import Progress, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled
from recsys_core.profiles.behavior import habits_of_users, popularity_places
from recsys_core.profiles.cached import cached_item_features
from recsys_core.profiles.directions import Products, directions
from recsys_core.profiles.map import principal_axes, sparse_axes
from recsys_core.profiles.segments import group
from recsys_core.profiles.streams import ranges
from recsys_core.profiles.tags import preference_tags, tag_table
from recsys_core.profiles.taste import entropy, relevance_weights
from recsys_core.profiles.timeline import activity_of, common_items, item_ratings, ratings_of
from recsys_core.profiles.users import ranks_in, user_profiles

HOUR = 3_600_000
DAY = 24 * HOUR


def club() -> Dataset:
    """Three people and a fourth who did nothing; four items, the last one unknown to all.

    user 0: item 0 (5), 1 (3) within a session, item 0 (1) two days later; user 1: item 0 (4); user 2: item 0 (2),
    item 2 (4) at an unknown time.
    """
    frame = pd.DataFrame(
        {
            "user": [0, 0, 0, 1, 2, 2],
            "item": [0, 1, 0, 0, 0, 2],
            "rating": [5.0, 3, 1, 4, 2, 4],
            "timestamp": [10 * DAY, 10 * DAY + HOUR // 2, 12 * DAY, 11 * DAY, 10 * DAY, NO_TIMESTAMP],
        }
    )
    items = pd.DataFrame(
        {
            "title": ["Red train", "Blue moon", "Blue train", "Sun"],
            "categories": ["a", "b", "a|b", None],
            "price": [1.0, 3, 2, 4],
        }
    )
    users = pd.DataFrame({"sex": ["f", "m", "f", None], "age": [20, 30, 40, 50]})
    return dataset_from_frames(
        frame, name="club", items=items, users=users, user_ids=list("ABCD"), item_ids=list("wxyz")
    )


def planted(groups: int = 3, people: int = 40, seed: int = 0) -> tuple[Dataset, np.ndarray]:
    """Users of `groups` tastes, each with 20 items of its own, of which a user has 12, and 3 others."""
    rng = np.random.default_rng(seed)
    taste = np.repeat(np.arange(groups), people)
    pairs = []
    for user, own in enumerate(taste):
        others = np.flatnonzero(np.arange(groups * 20) // 20 != own)
        chosen = [*(own * 20 + rng.choice(20, 12, replace=False)), *rng.choice(others, 3, replace=False)]
        pairs += [(user, item) for item in chosen]
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    names = ["Comedy", "Horror", "Western", "Musical", "War"]
    table = pd.DataFrame({"categories": [names[item // 20] for item in range(groups * 20)]})
    return dataset_from_frames(frame, name="planted", items=table), taste


def test_habits_by_hand() -> None:
    """Means of items: item 0 (5 + 1 + 4 + 2) / 4 = 3, item 1 3, item 2 4; item 0 was born on day 10, item 1 half an
    hour later.

    User 0: ratings 5, 3, 1: mean 3, deviation 2, against others (2 + 0 - 2) / 3 = 0, disagreement sqrt(8 / 3). Two
    sessions, on two days, 1.5 each; of three interactions two items, so a third are repeats; ages 0, 0, 2 days.

    Places among the active items by 4, 1, 1 interactions: 1, 0, 0 (equal ones share the lower). Head: items 0 and 1
    (the first holds 4 / 6 < 0.8, the second is taken too), tail: item 2. Surprise: item 0 has 4 interactions of 3
    people, 0 bits; items 1 and 2 log2(3) bits.
    """
    found = habits_of_users(club(), RunContext())
    first = found.iloc[0]
    assert (first["interactions"], first["items"], first["sessions"], first["active_days"]) == (3, 2, 2, 2)
    assert first["per_session"] == 1.5
    assert first["span_days"] == 2
    assert first["repeats"] == pytest.approx(1 / 3)
    assert (first["mean"], first["deviation"], first["against_others"]) == (3, 2, 0)
    assert first["disagreement"] == pytest.approx(np.sqrt(8 / 3))
    assert first["popularity"] == pytest.approx(2 / 3)
    assert first["novelty"] == pytest.approx(np.log2(3) / 3)
    assert first["age_days"] == pytest.approx(2 / 3)
    assert found["tail"].tolist()[:3] == [0, 0, 0.5]
    third = found.iloc[2]
    assert (third["interactions"], third["sessions"], third["active_days"], third["span_days"]) == (2, 1, 1, 0)
    assert third["against_others"] == -0.5
    assert np.isnan(found.iloc[1]["deviation"])
    assert found.iloc[3][["interactions", "sessions"]].tolist() == [0, 0]
    assert np.isnan(found.iloc[3]["mean"])


def test_habits_do_not_depend_on_where_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = habits_of_users(club(), RunContext())
    monkeypatch.setattr("recsys_core.profiles.streams.ROWS_GROUPED", 2)
    monkeypatch.setattr(ranges, "__defaults__", (2,))
    assert ranges(np.array([3, 1, 1, 0])) == [(0, 1), (1, 4)]
    stored = Workspace(tmp_path).store(club())
    assert_frame_equal(habits_of_users(stored, RunContext()), whole)


def test_places_of_popularity() -> None:
    assert popularity_places(np.array([5, 1, 1, 9])).tolist() == [2 / 3, 0, 0, 1]
    assert popularity_places(np.array([7])).tolist() == [0]


def test_what_is_liked() -> None:
    values = np.array([3.0, 2, np.nan])
    assert relevance_weights(values, np.array([3.0, 3, 3]), rated=True).tolist() == [1, 0, 0]
    assert relevance_weights(values[:2], values[:2], rated=False).tolist() == [3, 2]


def test_entropy() -> None:
    found = entropy(np.array([[1.0, 1], [2, 0], [0, 0], [3, 1]]))
    assert found[[0, 1]].tolist() == [1, 0]
    assert np.isnan(found[2])
    assert found[3] == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))


def test_tags_by_hand() -> None:
    """User 2 liked item 2 alone (4 is over their mean of 3): half a, half b.

    Everybody's shares over six interactions: item 0 four times, 1 and 2 once: a = (4 + 0.5) / 6 = 0.75, b = 0.25. With
    beta = 5: share(b) = (0.5 + 5 * 0.25) / 6 = 0.2917, lift 1.1667, weight 0.2917 * log2(1.1667) = 0.06487;
    share(a) = (0.5 + 3.75) / 6 is below 0.75: no tag.
    """
    dataset = club()
    items = cached_item_features(dataset, None, RunContext())
    assert items is not None
    found = preference_tags(dataset, 2, tag_table(dataset, items))
    tag = found[found["name"] == "b"].iloc[0]
    assert tag["share"] == pytest.approx(1.75 / 6)
    assert tag["lift"] == pytest.approx(7 / 6)
    assert tag["weight"] == pytest.approx(1.75 / 6 * np.log2(7 / 6))
    assert tag["liked"] == 1
    assert "a" not in found["name"].tolist()
    assert (found["weight"] > 0).all()
    assert found["weight"].is_monotonic_decreasing
    assert set(found["kind"]) == {"category", "term", "number"}
    assert len(preference_tags(dataset, 3, tag_table(dataset, items))) == 0


def test_weights_of_all_categories_are_a_divergence() -> None:
    """Over all categories the weights, including negative ones, sum to the Kullback-Leibler divergence, which is not
    negative.
    """
    dataset = club()
    items = cached_item_features(dataset, None, RunContext())
    assert items is not None
    table = tag_table(dataset, items)
    inside = [place for place, kind in enumerate(table.kinds) if kind == "category"]
    assert table.everybody[inside].sum() == pytest.approx(1)


def test_planted_tastes_are_found_again() -> None:
    dataset, taste = planted()
    profiles = user_profiles(dataset, None, RunContext())
    assert len(profiles.facts.segments) == 3
    found = profiles.table["segment"].to_numpy()
    agreement = pd.crosstab(taste, found).to_numpy()
    assert agreement.max(axis=1).sum() >= 0.98 * len(taste)
    for segment in profiles.facts.segments:
        own = taste[found == segment.number][0]
        best = next(trait for trait in segment.traits if trait.part == "categories" and trait.effect > 0)
        assert best.name == f"categories: {['Comedy', 'Horror', 'Western'][own]}"
        assert best.here > 2 * best.everybody
        assert str(best.short) == f"more {['Comedy', 'Horror', 'Western'][own]}"
    assert profiles.facts.silhouettes.set_index("segments")["silhouette"].idxmax() == 3


def test_people_of_one_taste_are_alike_and_it_is_said_why() -> None:
    dataset, taste = planted()
    profiles = user_profiles(dataset, None, RunContext())
    alike = profiles.similar(0, 10)
    assert (taste[alike["user"]] == taste[0]).all()
    assert alike["similarity"].is_monotonic_decreasing
    assert 0 not in alike["user"].tolist()
    rows = profiles.facts.space.rows.astype(np.float64)
    other = int(alike["user"][0])
    cosine = rows[0] @ rows[other] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[other])
    assert alike["similarity"][0] == pytest.approx(cosine, abs=1e-5)
    everything = profiles.facts.space.shared(0, other, profiles.features, most=10_000)
    below = (rows[0] * rows[other]).clip(max=0).sum() / np.linalg.norm(rows[0]) / np.linalg.norm(rows[other])
    assert sum(one.amount for one in everything) + below == pytest.approx(cosine)
    assert any(one.name == "categories: Comedy" and one.above for one in everything[:4])


def test_the_vector_has_named_parts() -> None:
    profiles = user_profiles(club(), None, RunContext())
    assert {"attributes", "behavior"} <= set(profiles.features.parts)
    assert len(profiles.features) == 4
    vector = profiles.vector(0)
    assert vector["name"].tolist() == list(profiles.features.names)
    assert vector.set_index("name").loc["sex: f", "value"] == 1
    assert vector.set_index("name").loc["age", "own"] == 20
    habits = profiles.habits(0).set_index("habit")
    assert habits.loc["mean", "value"] == 3
    assert habits.loc["mean", "middle"] == 3
    assert habits.loc["interactions", ["rank", "below", "above"]].tolist() == pytest.approx([2.5 / 3, 2 / 3, 0])
    assert profiles.attributes(0) == {"sex": "f", "age": "20"}
    assert profiles.table["segment"].tolist()[3] == 0
    assert len(profiles.similar(3)) == 0
    assert "attribute: sex" in profiles.export().columns
    assert profiles.missing == ()


def test_ranks_by_hand() -> None:
    """Column 1 holds 0, 2, 2: a 2 has one smaller and two equal: (1 + 2 / 2) / 3; a 0 has only itself: 0.5 / 3.

    Column 2 holds -1, 0, 0: a 0 has one smaller and two equal.
    """
    rows = csr_array(np.array([[0.0, -1], [2, 0], [2, 0]]))
    assert ranks_in(rows, np.array([2.0, 0])).tolist() == pytest.approx([2 / 3, 2 / 3])
    assert ranks_in(rows, np.array([0.0, -1])).tolist() == pytest.approx([0.5 / 3, 0.5 / 3])
    assert np.isnan(ranks_in(rows[:0], np.array([2.0, 0]))).all()


def test_from_behaviour_alone() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 1, 2, 2, 3], "item": [0, 1, 0, 1, 2, 3, 2]})
    profiles = user_profiles(dataset_from_frames(frame), None, RunContext())
    assert set(profiles.features.parts) <= {"behavior", "directions"}
    assert profiles.attributes(0) == {}
    assert len(profiles.tags(0)) == 0
    assert profiles.similar(0)["user"][0] == 1
    said = " ".join(str(words) for words in profiles.missing)
    for what in ("no user table", "no ratings", "no times", "no item table"):
        assert what in said


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_data(rows: int) -> None:
    frame = pd.DataFrame({"user": [0] * rows, "item": [0] * rows, "rating": [1.0] * rows}).astype({"rating": float})
    profiles = user_profiles(dataset_from_frames(frame, user_ids=["a", "b"], item_ids=["x"]), None, RunContext())
    assert len(profiles.table) == 2
    assert len(profiles.facts.segments) == rows
    assert len(profiles.similar(0)) == 0
    assert profiles.members(1).shape[0] == rows
    assert len(profiles.habits(0)) > 3


def test_profiles_are_kept_and_the_same(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    dataset = workspace.store(club())
    made = user_profiles(dataset, workspace.root, RunContext())
    folder = workspace.root / "derived" / dataset.fingerprint / "users-v2"
    assert folder.is_dir()
    seen: list[Progress] = []
    read = user_profiles(dataset, workspace.root, RunContext(report=seen.append))
    assert seen == []
    assert_frame_equal(made.table, read.table)
    assert read.features.names == made.features.names
    assert read.features.matrix.toarray() == pytest.approx(made.features.matrix.toarray(), abs=1e-6)
    assert [str(one) for one in read.facts.axes] == [str(one) for one in made.facts.axes]
    assert read.facts.segments == made.facts.segments
    (folder / "table.parquet").write_bytes(b"damaged")
    assert_frame_equal(user_profiles(dataset, workspace.root, RunContext()).table, made.table)
    assert (folder / "facts.json").exists()


def test_the_same_from_file_and_from_memory(tmp_path: Path) -> None:
    stored = user_profiles(Workspace(tmp_path).store(club()), None, RunContext(seed=1))
    assert_frame_equal(stored.table, user_profiles(club(), None, RunContext(seed=2)).table)


def test_work_stops_on_request_and_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    dataset = workspace.store(club())
    stop = threading.Event()
    ctx = RunContext(report=lambda progress: stop.set(), stop_requested=stop.is_set)
    with pytest.raises(Cancelled):
        user_profiles(dataset, workspace.root, ctx)
    assert not list((workspace.root / "derived").glob("*")) if (workspace.root / "derived").exists() else True


def test_members_of_a_segment_come_from_its_middle() -> None:
    dataset, _ = planted()
    profiles = user_profiles(dataset, None, RunContext())
    members = profiles.members(1, 5)
    assert len(members) == 5
    assert members["distance"].is_monotonic_increasing
    assert (members["segment"] == 1).all()


def test_no_segments_among_few() -> None:
    places = np.array([[0.0], [1.0], [2.0]])
    assert group(places, np.ones(3, dtype=bool), RunContext()).number.tolist() == [1, 1, 1]


def test_principal_axes_by_hand() -> None:
    """Points on the line y = x: the axis is (1, 1) / sqrt(2), all variance is on it."""
    rows = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [9.0, 9.0]])
    axes = principal_axes(rows, np.array([True, True, True, False]), 2)
    assert axes.loadings[:, 0] == pytest.approx([np.sqrt(0.5)] * 2)
    assert axes.places[:, 0] == pytest.approx(np.sqrt(2) * np.array([-1, 0, 1, 8]))
    assert axes.explained == pytest.approx([1, 0])


def test_sparse_axes_are_near_the_exact_ones() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.random((300, 60)) < 0.1) * np.where(np.arange(300)[:, None] < 150, 1.0, 0.2)
    rows[:150, :5] += 1
    exact = principal_axes(rows, np.ones(300, dtype=bool), 2)
    near = sparse_axes(csr_array(rows))
    assert abs(np.corrcoef(exact.places[:, 0], near.places[:, 0])[0, 1]) > 0.99
    assert near.explained[0] == pytest.approx(exact.explained[0], rel=0.1)


def test_directions_part_two_camps(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, taste = planted(groups=2)
    found = directions(dataset, RunContext(), 3)
    first = found.users[:, 0]
    assert (first[taste == 0] > 0).all() != (first[taste == 1] > 0).all()
    assert (np.diff(found.strength) <= 0).all()
    monkeypatch.setattr("recsys_core.profiles.directions.IN_MEMORY", 400)
    monkeypatch.setattr("recsys_core.profiles.streams.ROWS_AT_ONCE", 100)
    in_pieces = directions(dataset, RunContext(), 3)
    assert abs(np.corrcoef(in_pieces.users[:, 0], first)[0, 1]) > 0.99
    assert in_pieces.strength[0] == pytest.approx(found.strength[0], rel=0.02)


def test_directions_equal_a_full_decomposition() -> None:
    dataset, _ = planted(groups=2, people=10)
    counts = dataset.matrix("binary").toarray().astype(np.float64)
    users, items, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    scaled = counts - np.outer(users, items) / total
    scaled /= np.sqrt(np.outer(users + total / len(users), items + total / len(items)))
    _, strength, _ = np.linalg.svd(scaled)
    assert directions(dataset, RunContext(), 4).strength == pytest.approx(strength[:4], rel=0.02)
    products, thin = Products(dataset, RunContext()), np.random.default_rng(1).normal(size=(60, 3))
    assert products.of_users(thin[: len(items)]) == pytest.approx(scaled @ thin[: len(items)], abs=1e-5)
    assert products.of_items(thin[: len(users)]) == pytest.approx(scaled.T @ thin[: len(users)], abs=1e-5)


def test_what_happened_over_time() -> None:
    found = activity_of(club(), 0)
    assert found.attrs["unit"] == "day"
    assert found["interactions"].tolist() == [2, 0, 1]
    assert found["mean"].tolist()[::2] == [4, 1]
    assert len(activity_of(club(), 3)) == 0


def test_the_first_and_last_moment_are_those_of_interactions_not_of_spans() -> None:
    """On a Thursday at noon and on a Wednesday 104 days later: counted by weeks, which begin on Mondays."""
    noon = pd.Timestamp("2024-02-01 12:00")
    times = [noon, noon + pd.Timedelta(days=104)]
    frame = pd.DataFrame({"user": [0, 0], "item": [0, 1]}).astype("int32")
    frame["timestamp"] = [int(time.timestamp() * 1000) for time in times]
    found = activity_of(dataset_from_frames(frame), 0)
    assert found.attrs["unit"] == "week"
    assert [found.attrs["first"], found.attrs["last"]] == times
    assert found["start"].iloc[0] == pd.Timestamp("2024-01-29")


def test_ratings_beside_everybody() -> None:
    found = ratings_of(club(), 0).set_index("rating")
    assert found["user"].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3])
    assert found["everybody"].tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 2 / 6, 1 / 6])
    assert item_ratings(club(), 2)["item"].tolist() == [0, 0, 0, 1, 0]


def test_common_items() -> None:
    found = common_items(club(), 0, 2)
    assert found["item"].tolist() == [0]
    assert found.iloc[0][["title", "users", "rating_user", "rating_other"]].tolist() == ["Red train", 4, 3, 2]
    assert len(common_items(club(), 0, 3)) == 0


def test_many_different_ratings_are_counted_in_intervals_of_a_stated_width() -> None:
    """Ratings 0, 1, .., 40: 20 intervals of 2; user 0 has the first five, which lie in three of them."""
    rows = pd.DataFrame({"user": [0] * 5 + [1] * 36, "item": range(41), "rating": np.arange(41, dtype=np.float32)})
    found = ratings_of(dataset_from_frames(rows.astype({"user": "int32", "item": "int32"})), 0)
    assert found.attrs["width"] == 2.0
    assert found["rating"].tolist()[:3] == [1.0, 3.0, 5.0]
    assert found["user"].tolist()[:4] == pytest.approx([0.4, 0.4, 0.2, 0.0])
    assert ratings_of(club(), 0).attrs["width"] == 0.0
