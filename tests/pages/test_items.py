"""The page Items: no data, no item table, the one the address names, two kinds of likeness, and text from outside."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.pages.finished import EVIL, no_exception, open_page, words
from tests.pages.test_users import address, answered, club, club_template, headers, stored, stored_copy

__all__ = ["club_template", "open_page", "stored", "stored_copy"]
Open = Callable[..., AppTest]


@pytest.fixture
def bare(own_workspace: Path) -> str:
    """Who did what, and nothing else."""
    frame = club().interactions[["user", "item"]]
    return Workspace(own_workspace).store(dataset_from_frames(frame, name="bare")).fingerprint


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("items")
    assert "No data yet" in words(app)
    no_exception(app.button(key="empty_go_data").click().run())
    assert [title.value for title in app.title] == ["Data"]


def test_the_item_in_the_address_is_shown_with_its_numbers(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored, item="film-3"))
    assert headers(app) == ["Film 3"]
    ratings = club().interactions.query("item == 3")["rating"]
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Interactions"] == str(len(ratings))
    assert numbers["Mean rating"] == f"{ratings.mean():.2f}"
    text = words(app)
    assert "the items up to this rank have" in text
    assert "By content" in text
    assert "By common users" in text
    assert address(app, "item") == "film-3"


def test_of_the_most_popular_item_one_share_is_stated(open_page: Open, stored: str) -> None:
    items = club().interactions["item"].value_counts()
    app = answered(open_page("items", data=stored))
    assert headers(app) == [f"Film {items.index[0]}"]
    share = items.iloc[0] / items.sum()
    assert f"Popularity rank 1 of 20, in the head: this item has {share:.2%} of all interactions." in words(app)


def test_a_similar_item_can_be_opened_from_either_side(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored, item="film-3"))
    for side in ("content", "people"):
        button = next(one for one in app.button if str(one.key).startswith(f"open_{side}_"))
        other = int(button.key.rsplit("_", 1)[1])
        app = answered(button.click().run())
        assert address(app, "item") == f"film-{other}"
    assert other % 2 == 1, "the same people know items of one kind"


def test_an_item_that_is_not_there_is_said_to_be_missing(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored, item="film-99"))
    assert "Item 'film-99' is not in this data set; another one is shown." in words(app)


def test_the_search_finds_a_title(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored))
    app = answered(app.text_input(key="items_search").input("film 17").run())
    assert headers(app) == ["Film 17"]
    app = answered(app.text_input(key="items_search").input("nothing").run())
    assert "No item title or ID contains 'nothing'." in words(app)


def test_without_item_table_ratings_and_times_it_says_what_is_missing(open_page: Open, bare: str) -> None:
    app = answered(open_page("items", data=bare, item="7"))
    text = words(app)
    assert "This data set has no table of items" in text
    assert "This data set has no table of items." in text
    assert "This data set has no timestamps." in text
    assert "Mean rating" not in {metric.label for metric in app.metric}
    assert any(str(button.key).startswith("open_people_") for button in app.button)


def test_text_from_outside_is_shown_letter_by_letter(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored, item="film-0"))
    assert EVIL in words(app)
    raw = " ".join(str(element.value) for element in [*app.markdown, *app.header, *app.info])
    assert "[link](" not in raw
    assert "<b>Evil" not in raw
    charts = " ".join(chart.proto.spec for chart in app.get("plotly_chart"))
    assert "<b>Evil" not in charts
    assert "\\u003cb\\u003eEvil" not in charts


def test_what_goes_wrong_is_said_instead_of_a_profile(
    open_page: Open, stored_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_core.profiles import items

    def refuse(*_: object) -> None:
        raise DataError("The table <b>broke</b>.")

    monkeypatch.setattr(items, "item_profiles", refuse)
    assert "The table <b>broke</b>." in words(answered(open_page("items", data=stored_copy)))


@pytest.mark.parametrize(
    "key", ["items_export", "items_vectors", "items_map_csv", "item_ratings_csv", "items_content_csv"]
)
def test_what_is_looked_at_can_be_downloaded(open_page: Open, stored: str, key: str) -> None:
    app = answered(open_page("items", data=stored))
    assert key in {button.proto.id.rsplit("-", 1)[-1] for button in app.get("download_button")}


def test_pictures_further_down_wait_until_somebody_comes_near(open_page: Open, stored: str) -> None:
    app = answered(open_page("items", data=stored, view=""))
    before = len(app.get("plotly_chart"))
    app.session_state["near_item_tail"] = True
    assert len(answered(app.run()).get("plotly_chart")) == before + 1


def pictures(names: list[str]) -> bytes:
    """A zip with a red square under each name, and one file that is no picture."""
    square, archive = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(square, "PNG")
    with zipfile.ZipFile(archive, "w") as target:
        for name in names:
            target.writestr(name, square.getvalue())
        target.writestr("film-9.png", b"broken")
    return archive.getvalue()


def test_pictures_that_are_brought_become_another_data_set_and_are_shown(open_page: Open, stored_copy: str) -> None:
    app = answered(open_page("items", data=stored_copy, item="film-3"))
    app = app.file_uploader[0].upload("p.zip", pictures(["film-3.png", "film-4.png"]), "application/zip").run()
    app = answered(app.button(key="items_attach_go").click().run())
    text = "".join(str(one.value) for one in app.success).replace("\\", "")
    assert "2 items matched, 17 items without a match, 1 unreadable image." in text
    assert address(app, "data") != stored_copy
    assert headers(app) == ["Film 3"]
    assert len(app.get("image")) == 1


def test_a_file_that_is_no_picture_is_refused_with_the_reason(open_page: Open, stored_copy: str) -> None:
    app = answered(open_page("items", data=stored_copy, item="film-3"))
    app = app.file_uploader[0].upload("v.npy", b"nothing", "application/octet-stream").run()
    app = answered(app.button(key="items_attach_go").click().run())
    assert "cannot be read as a .npy file of numbers" in words(app)
    assert address(app, "data") == stored_copy
