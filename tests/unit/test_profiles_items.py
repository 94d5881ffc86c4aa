"""Item profiles: counts, confidence, the long tail, similarity by content and by users, and attached features."""

import errno
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.workspace import Workspace
from recsys_core.errors import ConfigError, DataError
from recsys_core.profiles import items as module
from recsys_core.profiles.attach import attach_pictures, attach_vectors, thumbnails
from recsys_core.profiles.features import item_features
from recsys_core.profiles.items import item_profiles
from recsys_core.profiles.stored import derived, read_json, write_json
from recsys_core.profiles.streams import ranges
from recsys_core.profiles.timeline import item_over_time

DAY = 86_400_000


def shop() -> Dataset:
    """Item 0: ratings 5, 3, 4 of users 0, 1, 2; item 1: 2 of user 0, 4 of user 1; item 2: 1 of user 2; item 3: none."""
    frame = pd.DataFrame(
        {
            "user": [0, 1, 2, 0, 1, 2],
            "item": [0, 0, 0, 1, 1, 2],
            "rating": [5.0, 3, 4, 2, 4, 1],
            "timestamp": [DAY, 2 * DAY, 40 * DAY, DAY, 3 * DAY, NO_TIMESTAMP],
        }
    )
    items = pd.DataFrame(
        {
            "title": ["Red lamp", "Red chair", "Blue chair", "Green sofa"],
            "categories": ["light|new", "seat", "seat", None],
            "price": [10.0, 20, 30, None],
        }
    )
    return dataset_from_frames(frame, name="shop", items=items, item_ids=list("wxyz"))


def test_ratings_with_confidence_by_hand() -> None:
    """Six ratings with mean 19 / 6. Item 0: mean 4, deviation 1, confidence 3 / (3 + 2), shrunk mean
    (12 + 2 * 19 / 6) / 5; item 2: one rating, no deviation, confidence 1 / 3; item 3: only the overall mean is known.
    """
    table = item_profiles(shop(), None, RunContext(), shrinkage=2).table
    first, third, last = table.iloc[0], table.iloc[2], table.iloc[3]
    assert (first["mean"], first["deviation"], first["confidence"]) == (4, 1, 0.6)
    assert first["shrunk_mean"] == pytest.approx((12 + 2 * 19 / 6) / 5)
    assert third["confidence"] == pytest.approx(1 / 3)
    assert np.isnan(third["deviation"])
    assert np.isnan(last["mean"])
    assert last["confidence"] == 0
    assert last["shrunk_mean"] == pytest.approx(19 / 6)
    assert (first["first"], first["last"]) == (DAY, 40 * DAY)
    assert np.isnan(third["first"])
    assert item_profiles(shop(), None, RunContext(), shrinkage=0).table["confidence"].tolist() == [1, 1, 1, 0]
    with pytest.raises(ConfigError):
        item_profiles(shop(), None, RunContext(), shrinkage=-1)


def test_the_place_in_the_long_tail() -> None:
    """3, 2, 1, 0 interactions: items 0 and 1 have 5 / 6 of all, so they are the head with 80 %."""
    table = item_profiles(shop(), None, RunContext()).table
    assert table["place"].tolist() == [1, 2, 3, 4]
    assert table["share"].tolist() == pytest.approx([3 / 6, 2 / 6, 1 / 6, 0])
    assert table["running"].tolist() == pytest.approx([3 / 6, 5 / 6, 1, 1])
    assert table["head"].tolist() == [True, True, False, False]
    assert table["category"].tolist() == ["light", "seat", "seat", ""]


def test_groups_of_users_add_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = item_profiles(shop(), None, RunContext()).table
    monkeypatch.setattr(ranges, "__defaults__", (1,))
    stored = Workspace(tmp_path).store(shop())
    assert_frame_equal(item_profiles(stored, None, RunContext()).table, whole)


def test_likeness_by_people_by_hand() -> None:
    """Items 0 and 1 share users 0 and 1: 2 / sqrt(3 * 2) * 2 / 12; lift 2 * 3 / (3 * 2) = 1. Item 2 shares user 2:
    1 / sqrt(3) * 1 / 11.
    """
    found = item_profiles(shop(), None, RunContext()).similar_by_people(0)
    assert found["item"].tolist() == [1, 2]
    assert found["together"].tolist() == [2, 1]
    assert found["similarity"].tolist() == pytest.approx([2 / np.sqrt(6) / 6, 1 / np.sqrt(3) / 11])
    assert found["lift"].tolist() == pytest.approx([1, 1])
    assert found.attrs["asked"] == 3
    assert len(item_profiles(shop(), None, RunContext()).similar_by_people(3)) == 0


def test_of_a_popular_item_some_people_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": np.repeat(np.arange(400), 2), "item": np.tile([0, 1], 400)})
    frame = frame[(frame["item"] == 0) | (rng.random(800) < 0.5)].reset_index(drop=True)
    profiles = item_profiles(dataset_from_frames(frame), None, RunContext())
    exact = profiles.similar_by_people(0)
    monkeypatch.setattr(module, "MOST_ASKED", 150)
    found = profiles.similar_by_people(0)
    assert found.attrs["asked"] == 134
    assert found["together"][0] == pytest.approx(exact["together"][0], rel=0.2)


def test_likeness_by_content_says_why() -> None:
    profiles = item_profiles(shop(), None, RunContext())
    found = profiles.similar_by_content(1)
    assert found["item"][0] == 2
    assert found["title"][0] == "Blue chair"
    shared = found["shared"][0]
    assert {"categories: seat", "chair"} == {one.name for one in shared[:2]}
    assert sum(one.amount for one in profiles._shared(1, 2, 1000)) >= found["similarity"][0]
    assert len(profiles.similar_by_content(3)) == 0


@pytest.mark.parametrize(("item", "expected"), [(0, False), (2, True)])
def test_a_number_below_the_median_of_both_items_is_named_as_below(item: int, expected: bool) -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 2, 3]})
    prices = pd.DataFrame({"price": [1.0, 2, 80, 90]})
    found = item_profiles(dataset_from_frames(frame, items=prices), None, RunContext()).similar_by_content(item)
    assert [(one.name, one.above) for one in found["shared"][0]] == [("price", expected)]


def test_vectors_and_maps() -> None:
    profiles = item_profiles(shop(), None, RunContext())
    assert {"categories", "terms", "numbers", "behavior"} <= set(profiles.features.parts)
    vector = profiles.vector(0)
    assert "categories: light" in vector["name"].tolist()
    assert (vector["value"] != 0).all()
    assert profiles.attributes(3) == {"title": "Green sofa"}
    assert "attribute: price" in profiles.export().columns


def test_without_an_item_table() -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 1, 2], "item": [0, 1, 0, 1, 2]})
    profiles = item_profiles(dataset_from_frames(frame, item_ids=list("abcd")), None, RunContext())
    assert profiles.table["title"].tolist() == list("abcd")
    assert "mean" not in profiles.table
    assert len(profiles.similar_by_content(0)) == 0
    assert profiles.similar_by_people(0)["item"].tolist() == [1]
    assert "no item table" in str(profiles.missing[0])
    assert set(profiles.features.parts) <= {"behavior", "directions"}


def test_an_item_over_time() -> None:
    found = item_over_time(shop(), 0)
    assert found.attrs["unit"] == "day"
    assert len(found) == 40
    assert found["interactions"].sum() == 3
    assert found["mean"].iloc[-1] == 4


def test_kept_and_read_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    dataset = workspace.store(shop())
    made = item_profiles(dataset, workspace.root, RunContext())
    read = item_profiles(dataset, workspace.root, RunContext())
    assert_frame_equal(made.table, read.table)
    assert [str(axis) for axis in made.facts.axes] == [str(axis) for axis in read.facts.axes]
    kept = {folder.name for folder in (workspace.root / "derived" / dataset.fingerprint).iterdir()}
    assert kept == {"items-v2", "item-features-v1", "directions-v1"}


def test_only_whole_folders_of_the_present_version_stay(tmp_path: Path) -> None:
    def made(version: int, fingerprint: str = "f") -> object:
        return derived(
            tmp_path,
            fingerprint,
            "kind",
            version,
            make=lambda: version,
            write=lambda folder, value: write_json(folder, "value", value),
            read=lambda folder: read_json(folder, "value"),
        )

    assert made(1) == 1
    (tmp_path / "derived" / "f" / "other-v1").mkdir()
    assert made(2) == 2
    assert {path.name for path in (tmp_path / "derived" / "f").iterdir()} == {"kind-v2", "other-v1"}
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "g").mkdir()
    assert made(1, "g") == 1
    assert {path.name for path in (tmp_path / "derived").iterdir()} == {"g"}
    for odd in ("", "..", "a/b"):
        assert made(3, odd) == 3
    assert {path.name for path in (tmp_path / "derived").iterdir()} == {"g"}


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path, value: int) -> None:
        (folder / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        derived(tmp_path, "f", "kind", 1, make=lambda: 1, write=fail, read=lambda folder: 2)
    assert list((tmp_path / "derived").iterdir()) == []


def test_a_disk_that_takes_nothing_costs_the_cache_alone(tmp_path: Path) -> None:
    def full(folder: Path, value: int) -> None:
        (folder / "half").write_text("x")
        raise OSError(errno.EROFS, "by design")

    assert derived(tmp_path, "f", "kind", 1, make=lambda: 1, write=full, read=lambda folder: 2) == 1
    assert list((tmp_path / "derived").iterdir()) == []


def picture(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (90, 60), colour).save(out, format="JPEG")
    return out.getvalue()


def test_pictures_make_another_data_set(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    before = workspace.store(shop())
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("all/w.jpg", picture((250, 0, 0)))
        zipped.writestr("all/x.jpg", picture((0, 0, 250)))
        zipped.writestr("all/y.jpg", b"broken")
    attached = attach_pictures(workspace, "shop", archive)
    assert (attached.found, attached.missing, attached.broken) == (2, 1, 1)
    assert attached.dataset.fingerprint != before.fingerprint
    assert attached.dataset.name == "shop (with images)"
    assert_frame_equal(attached.dataset.interactions, before.interactions)
    features = item_features(attached.dataset)
    red = features.names.index("image: red")
    assert features.matrix[[0]].toarray()[0, red] > features.matrix[[1]].toarray()[0, red]
    assert features.names_of("pictures")[-1] == "image missing"
    profiles = item_profiles(attached.dataset, None, RunContext())
    assert "Images: 2 read, 0 broken, 2 missing." in [str(one) for one in profiles.missing]
    assert set(thumbnails(attached.dataset, [0, 1, 2, 3])) == {0, 1}
    assert "attribute: image" not in profiles.export().columns
    again = attach_pictures(workspace, "shop", archive)
    assert again.dataset.fingerprint == attached.dataset.fingerprint
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("w.jpg", picture((0, 250, 0)))
        zipped.writestr("x.jpg", picture((0, 0, 250)))
    assert attach_pictures(workspace, "shop", archive).dataset.fingerprint != attached.dataset.fingerprint
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("nothing.txt", "x")
    with pytest.raises(DataError, match="no readable image of an item"):
        attach_pictures(workspace, "shop", archive)
    with pytest.raises(DataError, match="no column 'cover'"):
        attach_pictures(workspace, "shop", archive, column="cover")


def test_vectors_make_another_data_set(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    workspace.store(shop())
    file = tmp_path / "vectors.npy"
    np.save(file, np.array([[3.0, 4], [0, 1], [np.nan, 0], [1, 0]]))
    attached = attach_vectors(workspace, "shop", file)
    assert (attached.found, attached.missing) == (3, 1)
    part = item_features(attached.dataset).part("embedding").toarray()
    assert part == pytest.approx(np.array([[0.6, 0.8], [0, 1], [0, 0], [1, 0]]))
    np.save(file, np.ones((3, 2)))
    with pytest.raises(DataError, match="there are 4 items"):
        attach_vectors(workspace, "shop", file)
    np.save(file, np.array([{"a": 1}] * 4), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        attach_vectors(workspace, "shop", file)
