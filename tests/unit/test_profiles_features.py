"""Feature vectors of items and users: manual results, kinds of columns, broken images."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from threadpoolctl import threadpool_limits

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import ConfigError, DataError
from recsys_core.profiles.features import item_features, user_attributes
from recsys_core.profiles.kinds import Kind, kinds_of, vector
from recsys_core.profiles.pictures import MEASURES, measure, read_pictures, shrunk
from recsys_core.profiles.scaling import flags, robust_scale, scaled, years
from recsys_core.profiles.words import topics, weighted_terms, words


def with_tables(items: pd.DataFrame | None = None, users: pd.DataFrame | None = None) -> Dataset:
    size = len(items) if items is not None else 2
    frame = pd.DataFrame({"user": [0, 0], "item": [0, 1], "rating": [3.0, 5.0]})
    return dataset_from_frames(
        frame,
        items=items,
        users=users,
        item_ids=[f"i{n}" for n in range(size)],
        user_ids=[f"u{n}" for n in range(len(users) if users is not None else 1)],
    )


def png(colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, format="PNG")
    return out.getvalue()


def test_what_columns_hold() -> None:
    table = pd.DataFrame(
        {
            "title": ["The night", "A day", "One more"],
            "categories": ["Drama|Crime", None, "Drama"],
            "price": [1.0, 2.5, None],
            "year": [1995, 1999, 2003],
            "released": ["1995-01-01", "01-Feb-1999", None],
            "image": ["a.jpg", "b.png", None],
            "poster": ["http://x/a.jpg", "http://x/b.jpg", "http://x/c.jpg"],
            "embedding": ["[1, 2]", "[0.5, -1]", None],
            "imdb_id": [1, 2, 3],
            "occupation": [1, 7, 7],
            "nothing": [None, None, None],
            "city": ["Bergen", "Oslo", "Oslo"],
            "hobbies": ["chess|running", "chess", "sailing"],
            "adult": [True, False, True],
        }
    )
    assert kinds_of(table) == {
        "title": Kind.TEXT,
        "categories": Kind.CATEGORIES,
        "price": Kind.NUMBER,
        "year": Kind.DATE,
        "released": Kind.DATE,
        "image": Kind.PICTURE,
        "poster": Kind.CODE,
        "embedding": Kind.EMBEDDING,
        "imdb_id": Kind.CODE,
        "occupation": Kind.CATEGORIES,
        "nothing": Kind.EMPTY,
        "city": Kind.CATEGORIES,
        "hobbies": Kind.CATEGORIES,
        "adult": Kind.CATEGORIES,
    }


def test_vectors_in_cells() -> None:
    assert vector("[1, 2.5]").tolist() == [1, 2.5]  # type: ignore[union-attr]
    assert vector("1|2").tolist() == [1, 2]  # type: ignore[union-attr]
    assert vector([3, 4]).tolist() == [3, 4]  # type: ignore[union-attr]
    assert vector("[a]") is vector("[1, nan]") is vector(None) is vector("[]") is None


def test_categories_become_flags_in_the_order_of_the_alphabet() -> None:
    block = flags(pd.Series(["b|a", None, "b", " a | b | a "]), "kind")
    assert block.names == ("kind: a", "kind: b")
    assert block.matrix.toarray().tolist() == [[1, 1], [0, 0], [0, 1], [1, 1]]


def test_numbers_are_scaled_by_median_and_quartiles() -> None:
    """1, 2, 3, 4, 5: median 3, quartiles 2 and 4, scale 2 / 1.349; 1 lies (1 - 3) * 1.349 / 2 = -1.349 off.

    A missing number is 0 beside its flag, and nothing is farther off than 5.
    """
    assert robust_scale(np.array([1.0, 2, 3, 4, 5])) == (3, pytest.approx(2 / 1.349))
    block = scaled(np.array([1.0, 2, 3, 4, 5, np.nan]), "price")
    assert block.names == ("price", "price missing")
    assert block.matrix.toarray()[:, 0] == pytest.approx([-1.349, -0.6745, 0, 0.6745, 1.349, 0])
    assert block.matrix.toarray()[:, 1].tolist() == [0, 0, 0, 0, 0, 1]
    assert scaled(np.array([1.0, 2, 3, 4, 1000]), "x").matrix.toarray().max() == 5
    assert scaled(np.array([2.0, 2, 2]), "x").names == ()


def test_dates_become_years() -> None:
    """July 1, 2001, not a leap year, is day 182 from 0: 181 / 365 = 0.4959."""
    found = years(pd.Series(["2001-07-01", "2000-01-01", None, "no date"]))
    assert found[:2] == pytest.approx([2001 + 181 / 365, 2000])
    assert np.isnan(found[2:]).all()
    assert years(pd.Series([1995, 946_684_800, 946_684_800_000])) == pytest.approx([1995, 2000, 2000], abs=0.01)


def test_words_are_weighted_by_how_rare_they_are() -> None:
    """Three texts; 'night' is in all and is dropped (over half), 'train' in one: idf = log(4 / 2) + 1 = 1.6931.

    The first text has 'train' twice (1 + log 2) and 'ghost' once: (1.6931, 1) scaled to length 1.
    """
    weights, terms = weighted_terms(["Night train, train ghost", "the night", "night moon"])
    assert terms == ("ghost", "moon", "train")
    first = np.array([1.0, 0, 1 + np.log(2)])
    assert weights.toarray()[0] == pytest.approx(first / np.linalg.norm(first))
    assert weights.toarray()[1].tolist() == [0, 0, 0]
    assert weighted_terms(["", ""])[1] == ()


def test_writing_without_spaces_is_cut_into_pairs() -> None:
    assert words("The Star 星际穿越") == ["star", "星际", "际穿", "穿越"]


def test_topics_hold_no_more_than_there_is() -> None:
    weights, terms = weighted_terms(["a cat bites", "a cat sleeps", "dogs bark", "dogs bite"])
    places, names = topics(weights, terms, 50)
    assert places.shape == (4, len(names)) == (4, 3)
    assert topics(weights[:1], terms, 2)[0].shape == (1, 0)


def test_topics_are_the_same_on_any_number_of_cores() -> None:
    """The decomposition splits its sums among threads with this many texts."""
    rng, vocabulary = (
        np.random.default_rng(0),
        [f"{first}{second}" for first in "abcdefghij" for second in "klmnopqrst"],
    )
    weights, terms = weighted_terms([" ".join(rng.choice(vocabulary, 6)) for _ in range(3000)])
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(topics(weights, terms, 32)[0])
    assert_array_equal(found[0], found[1])


def test_the_parts_of_an_item() -> None:
    table = pd.DataFrame(
        {
            "title": ["Red train (1990)", "Blue train (2000)", "Blue moon (2010)", "Red sun (2020)"],
            "categories": ["Drama", "Drama|Crime", "Crime", None],
            "price": [1.0, 2.0, 3.0, 4.0],
            "embedding": [[3.0, 4.0], [0.0, 2.0], [1.0, 0.0], None],
        }
    )
    features = item_features(with_tables(table))
    assert list(features.parts) == ["categories", "terms", "numbers", "dates", "embedding"]
    assert features.names_of("categories") == ("categories: Crime", "categories: Drama")
    assert features.names_of("dates") == ("year in the title",)
    assert features.part("embedding").toarray().tolist() == [[0.6, 0.8], [0, 1], [1, 0], [0, 0]]
    assert features.part("categories").toarray().tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert "2010" not in features.names_of("terms")
    assert list(features.only(["numbers", "categories"]).parts) == ["categories", "numbers"]
    assert list(item_features(with_tables(table), parts=["numbers", "pictures"]).parts) == ["numbers"]


def test_topics_stand_in_place_of_terms() -> None:
    table = pd.DataFrame({"title": ["red train", "blue train", "blue moon", "red sun"]})
    features = item_features(with_tables(table), parts=["terms"], components=2)
    assert list(features.parts) == ["topics"]
    assert features.matrix.shape == (4, 2)


def test_items_in_another_order_have_the_same_vectors() -> None:
    rng = np.random.default_rng(1)
    names = ["red", "blue", "train", "moon", "sun", "night", "day"]
    table = pd.DataFrame(
        {
            "title": [" ".join(rng.choice(names, 3)) for _ in range(60)],
            "categories": rng.choice(["a|b", "b", "c"], 60),
            "price": rng.random(60),
        }
    )
    order = rng.permutation(60)
    for components in (0, 3):
        plain = item_features(with_tables(table), components=components)
        moved = item_features(with_tables(table.iloc[order].reset_index(drop=True)), components=components)
        assert plain.names == moved.names
        assert moved.matrix.toarray() == pytest.approx(plain.matrix.toarray()[order], abs=1e-9)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(DataError, match="no item table"):
        item_features(with_tables())
    with pytest.raises(DataError, match="no user table"):
        user_attributes(with_tables())
    table = pd.DataFrame({"embedding": ["[1, 2]", "[1]"]})
    with pytest.raises(DataError, match="different lengths: 1 to 2"):
        item_features(with_tables(table))
    with pytest.raises(ConfigError, match="Unknown part of item features 'colours'"):
        item_features(with_tables(table), parts=["colours"])
    with pytest.raises(DataError, match="no part 'terms'"):
        item_features(with_tables(pd.DataFrame({"price": [1, 2]}))).part("terms")


def test_what_is_known_of_users() -> None:
    table = pd.DataFrame(
        {
            "sex": ["f", "m", None],
            "age": pd.array([20, 40, None], dtype="Int64"),
            "hobbies": ["chess|poetry", "chess", None],
            "zip_code": ["04001", "04002", "04003"],
        }
    )
    features = user_attributes(with_tables(users=table))
    assert list(features.parts) == ["sex", "age", "hobbies"]
    assert features.names == ("sex: f", "sex: m", "age", "age missing", "hobbies: chess", "hobbies: poetry")
    assert features.part("sex").toarray().tolist() == [[1, 0], [0, 1], [0, 0]]
    assert features.part("age").toarray()[2].tolist() == [0, 1]


def test_a_picture_in_numbers() -> None:
    """A red picture, twice as wide as high: luma 0.299, red - green = 1, (red + green) / 2 - blue = 0.5.

    colourfulness = 0 + 0.3 sqrt(1 + 0.25) = 0.3354; no edges; log(2) for its shape.
    """
    found = dict(zip(MEASURES, measure(png((255, 0, 0), (16, 8))), strict=True))  # type: ignore[arg-type]
    assert found["brightness"] == pytest.approx(0.299)
    assert found["saturation"] == 1
    assert found["colourfulness"] == pytest.approx(0.3 * np.sqrt(1.25))
    assert [found[name] for name in ("red", "green", "edges", "contrast")] == pytest.approx([1, 0, 0, 0])
    assert found["width to height"] == pytest.approx(np.log(2))


def test_upright_lines_are_upright_edges() -> None:
    stripes = np.zeros((32, 32, 3), dtype=np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    out = io.BytesIO()
    Image.fromarray(stripes).save(out, format="PNG")
    found = dict(zip(MEASURES, measure(out.getvalue()), strict=True))  # type: ignore[arg-type]
    assert found["upright edges"] > 0.4
    assert found["level edges"] == 0


def test_broken_pictures_are_counted(tmp_path: Path) -> None:
    whole = png((10, 200, 30), (300, 200))
    found = read_pictures([whole, whole[: len(whole) // 2], b"no picture", None, "a.png"])
    assert (found.missing, found.broken) == (2, 2)
    assert np.isfinite(found.measures[0]).all()
    assert np.isnan(found.measures[1:]).all()
    small = shrunk(whole)
    assert small is not None
    assert len(small) < len(whole) or len(whole) < 1000
    assert measure(small) == pytest.approx(found.measures[0])
    assert shrunk(b"no picture") is None


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_by_their_path(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "secret.png").write_bytes(png((1, 1, 1)))
    source = tmp_path / "pictures"
    (source / "in").mkdir(parents=True)
    (source / "in" / "a.png").write_bytes(png((255, 255, 255)))
    (source / "in" / "b.png").write_bytes(b"broken")
    if packed:
        source = tmp_path / "pictures.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in ("a.png", "b.png"):
                archive.write(tmp_path / "pictures" / "in" / name, f"in/{name}")
    found = read_pictures(["in/a.png", "in/b.png", "../secret.png", "/etc/hosts", None, "in/c.png"], source)
    assert found.measures[0, 0] == pytest.approx(1)
    assert (found.missing, found.broken) == (4, 1)
    table = pd.DataFrame({"image": ["in/a.png", "in/b.png", None, "in/a.png"]})
    features = item_features(with_tables(table), pictures=source)
    assert features.part("pictures").toarray()[:, -1].tolist() == [0, 1, 1, 0]
    assert features.names[-1] == "image missing"
    assert list(item_features(with_tables(table)).parts) == []


def test_neither_folder_nor_zip(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        read_pictures(["a.png"], tmp_path / "x.txt")
