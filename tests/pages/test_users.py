"""The page Users: no data, no user table, the one the address names, segments, links, and text from outside."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.users_parts.user_profile import _rank
from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.pages.finished import EVIL, Finished, finished_template, looking_at, no_exception, open_page, words
from tests.pages.finished import finished_shared as finished

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def answered(app: AppTest) -> AppTest:
    """Run until everything is there that is computed beside the page."""
    for _ in range(80):
        if not app.get("progress"):
            break
        app.run()
    return no_exception(app)


def club(*, links: bool = True) -> Dataset:
    """Forty people of two tastes with attributes; the first is called by a text that must be shown letter by letter."""
    rng = np.random.default_rng(5)
    pairs = [
        (user, item)
        for user in range(40)
        for item in rng.choice(20, size=8, replace=False, p=np.where(np.arange(20) % 2 == user % 2, 9, 1) / 100)
    ]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    liked = frame["user"] % 2 == frame["item"] % 2
    frame["rating"] = np.where(liked, 5.0, 2.0).astype("float32")
    frame["timestamp"] = 86_400_000 * rng.integers(1, 500, len(frame))
    kinds = {"title": [EVIL, *(f"Film {n}" for n in range(1, 20))], "categories": ["Drama", f"War|{EVIL}"] * 10}
    users = {"age": [30, 50] * 20, "city": [EVIL, "Rome"] * 20, "hobbies": ["chess|poetry"] * 40}
    pairs_of_friends = pd.DataFrame({"source": range(38), "target": range(2, 40), "weight": 1.0})
    return dataset_from_frames(
        frame,
        name="Club",
        user_ids=[EVIL, *(f"member-{n}" for n in range(1, 40))],
        item_ids=[f"film-{n}" for n in range(20)],
        users=pd.DataFrame(users),
        items=pd.DataFrame(kinds),
        social=pairs_of_friends if links else None,
        rating_scale=RatingScale(1.0, 5.0),
    )


@pytest.fixture(scope="session")
def club_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("club") / "workspace"
    return Finished(root, Workspace(root).store(club()).fingerprint, run="")


@pytest.fixture
def stored(club_template: Finished, own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The club in a common workspace, for tests that only look at it."""
    for shown in looking_at(club_template, monkeypatch):
        yield shown.data


@pytest.fixture
def stored_copy(own_workspace: Path) -> str:
    return Workspace(own_workspace).store(club()).fingerprint


def headers(app: AppTest) -> list[str]:
    """What stands in the headers, without what keeps Markdown from reading it as markup."""
    return [str(header.value).replace("\\", "").replace("\u200b", "") for header in app.header]


def address(app: AppTest, name: str) -> str:
    """What the address says now."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def labels(app: AppTest) -> list[str]:
    return [tab.label for tab in app.tabs]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("users")
    assert "No data yet" in words(app)
    no_exception(app.button(key="empty_go_data").click().run())
    assert [title.value for title in app.title] == ["Data"]


def test_the_user_in_the_address_is_shown_with_all_that_is_known(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, user="member-3"))
    assert headers(app) == ["User member-3"]
    text = words(app)
    assert "Rome" in text
    assert "chess · poetry" in text
    assert "Most distinctive is" in text
    assert "Most similar users" in text
    assert address(app, "user") == "member-3"


def test_a_user_with_a_readable_history_is_shown_where_the_address_names_none(
    open_page: Open, own_workspace: Path
) -> None:
    lengths = [30, 12]
    rows = [(user, item) for user, n in enumerate(lengths) for item in range(n)]
    dataset = dataset_from_frames(
        pd.DataFrame(rows, columns=["user", "item"]).astype("int32"),
        name="Two users",
        user_ids=["busy", "readable"],
        item_ids=[f"film-{item}" for item in range(30)],
    )
    data = Workspace(own_workspace).store(dataset).fingerprint
    app = answered(open_page("users", data=data))
    assert app.selectbox(key="users_pick").value == "readable"
    assert address(app, "user") == "readable"
    app = answered(open_page("users", data=data, user="busy"))
    assert app.selectbox(key="users_pick").value == "busy"


def test_a_user_who_is_not_there_is_said_to_be_missing(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, user=EVIL + "2"))
    assert f"User '{EVIL}2' is not in this data set; another one is shown." in words(app)
    assert len(app.header) == 1


def test_the_search_finds_part_of_an_identifier(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored))
    app = answered(app.text_input(key="users_search").input("BER-17").run())
    assert app.selectbox(key="users_pick").options == ["member-17"]
    assert headers(app) == ["User member-17"]
    app = answered(app.text_input(key="users_search").input("nobody").run())
    assert "No user ID contains 'nobody'." in words(app)


def test_a_similar_user_can_be_opened_and_what_both_know_is_named(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, user="member-3"))
    button = next(one for one in app.button if str(one.key).startswith("open_user_"))
    other = int(button.key.removeprefix("open_user_"))
    assert other % 2 == 1, "the most similar user has the same taste"
    app = answered(button.click().run())
    assert headers(app) == [f"User member-{other}"]
    assert address(app, "user") == f"member-{other}"


def test_without_a_user_table_it_works_from_behaviour_and_says_what_is_missing(
    open_page: Open, finished: Finished
) -> None:
    app = answered(open_page("users", data=finished.data, user="person-3"))
    text = words(app)
    assert "This data set has no table of users" in text
    assert "Missing in this data set" in text
    assert "Most similar users" in text
    assert "Friend recommendations" not in labels(app)


def test_without_ratings_and_times_it_still_shows_a_profile(open_page: Open, own_workspace: Path) -> None:
    frame = club().interactions[["user", "item"]]
    data = Workspace(own_workspace).store(dataset_from_frames(frame, name="bare")).fingerprint
    text = words(answered(open_page("users", data=data, user="7")))
    assert "User 7" in text
    assert "This data set has no timestamps." in text
    assert "Mean rating" not in text


def test_a_segment_in_the_address_opens_its_tab(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, segment="2"))
    assert headers(app) == ["Segment 2"]
    text = words(app)
    assert "segments with similar profiles" in text
    assert "Members" in text
    app = answered(app.button(key="segment_open_1").click().run())
    assert headers(app) == ["Segment 1"]
    assert address(app, "segment") == "1"


def test_people_to_get_to_know_are_named_with_what_speaks_for_them(open_page: Open, stored: str) -> None:
    """Member 2 is linked to 0 and 4: the friends of those are 6, who shares friend 4, and nobody else."""
    app = open_page("users", data=stored, user="member-2")
    app.session_state["users_tab"] = "Friend recommendations"
    app = answered(app.run())
    assert "This user has 2 social links." in words(app)
    app = answered(app.selectbox(key="social_way").set_value("adamic_adar").run())
    text = words(app)
    assert "1. **member-6**" in text
    assert "1 friend in common" in text


def test_links_are_hidden_and_measured_on_demand(open_page: Open, stored: str) -> None:
    app = open_page("users", data=stored, user="member-2")
    app.session_state["users_tab"] = "Friend recommendations"
    app = answered(app.run())
    assert "has the highest recall" not in words(app)
    assert "has the highest recall@10" in words(answered(app.button(key="social_measure").click().run()))


def test_text_from_outside_is_shown_letter_by_letter(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, user=EVIL))
    assert f"User {EVIL}" in words(app)
    app.session_state["users_tab"] = "Segments"
    pages = [app, answered(app.run())]
    for page in pages:
        raw = " ".join(str(element.value) for element in [*page.markdown, *page.header, *page.info])
        assert "[link](" not in raw
        assert "<b>Evil" not in raw
        charts = " ".join(chart.proto.spec for chart in page.get("plotly_chart"))
        assert "<b>Evil" not in charts
        assert "\\u003cb\\u003eEvil" not in charts


def test_the_demo_view_has_a_profile_and_no_search(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, user="member-3", view="demo"))
    assert headers(app) == ["User member-3"]
    assert not app.text_input


def test_what_goes_wrong_is_said_instead_of_a_profile(
    open_page: Open, stored_copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_core.profiles import users

    def refuse(*_: object) -> None:
        raise DataError("The table <b>broke</b>.")

    monkeypatch.setattr(users, "user_profiles", refuse)
    app = answered(open_page("users", data=stored_copy))
    assert "The table <b>broke</b>." in words(app)
    assert len(app.header) == 1


@pytest.mark.parametrize("key", ["users_export", "users_vectors", "users_map_csv", "user_tags_csv", "user_similar_csv"])
def test_what_is_looked_at_can_be_downloaded(open_page: Open, stored: str, key: str) -> None:
    app = answered(open_page("users", data=stored))
    assert key in {button.proto.id.rsplit("-", 1)[-1] for button in app.get("download_button")}


def test_pictures_further_down_wait_until_somebody_comes_near(open_page: Open, stored: str) -> None:
    app = answered(open_page("users", data=stored, view=""))
    before = len(app.get("plotly_chart"))
    app.session_state["near_user_habits"] = True
    assert len(answered(app.run()).get("plotly_chart")) == before + 1


@pytest.mark.parametrize(
    ("below", "above", "said"),
    [
        (0.8, 0.0, "more than 80% of users"),  # the highest of five users
        (0.0, 0.76, "less than 76% of users"),  # a quarter of the users share the lowest value
        (0.999, 0.0, "more than nearly all users"),
        (0.0, 0.999, "less than nearly all users"),
    ],
)
def test_the_rank_of_a_habit_counts_users_with_a_different_value(below: float, above: float, said: str) -> None:
    assert _rank(below, above) == said
