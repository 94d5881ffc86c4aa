"""The page Explore: nothing there, data there, data without ratings or times, text from outside."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.viz.questions import QUESTIONS
from tests.pages.finished import EVIL, Finished, finished_template, no_exception, open_page, words
from tests.pages.finished import finished_shared as finished

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]


def answered(app: AppTest) -> AppTest:
    """Run until all answers are there; they are computed beside the page."""
    for _ in range(40):
        if not app.get("progress"):
            break
        app.run()
    return no_exception(app)


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("explore")
    assert "No data yet" in words(app)
    no_exception(app.button(key="empty_go_data").click().run())
    assert [title.value for title in app.title] == ["Data"]


def test_every_question_has_its_heading_and_its_sentence(open_page: Open, finished: Finished) -> None:
    app = answered(open_page("explore", data=finished.data))
    assert [header.value for header in app.header] == [question.title for question in QUESTIONS.values()]
    text = words(app)
    assert "The head of" in text
    assert "of all interactions" in text
    assert "The median number of interactions per user is 12, the maximum is 12." in text
    assert "The data set has only one event type." in text


def test_titles_from_outside_are_shown_letter_by_letter(open_page: Open, own_workspace: Path) -> None:
    """Two items that the same people know are named in a sentence and in a figure; neither takes a title for markup."""
    frame = pd.DataFrame({"user": [*range(10), *range(10), *range(10, 20)], "item": [0] * 10 + [1] * 10 + [2] * 10})
    data = dataset_from_frames(frame.astype("int32"), name=EVIL, items=pd.DataFrame({"title": [EVIL, "Good", "Other"]}))
    stored = Workspace(own_workspace).store(data)
    app = answered(open_page("explore", data=stored.fingerprint))
    assert f"'{EVIL}' and 'Good' have the highest lift: 10 users have both, 2.0 times" in words(app)
    raw = " ".join(str(element.value) for element in app.markdown)
    assert "<b>Evil" not in raw.replace("\\<b\\>", "")
    assert "[link](" not in raw
    charts = " ".join(chart.proto.spec for chart in app.get("plotly_chart"))
    assert "Evil" in charts
    assert "<b>Evil" not in charts
    assert "\\u003cb\\u003eEvil" not in charts


def test_without_ratings_and_times_it_says_so_instead_of_a_picture(open_page: Open, own_workspace: Path) -> None:
    frame = pd.DataFrame({"user": [0, 0, 1, 2], "item": [0, 1, 1, 2]}, dtype="int32")
    stored = Workspace(own_workspace).store(dataset_from_frames(frame, name="bare"))
    text = words(answered(open_page("explore", data=stored.fingerprint)))
    assert "The data set has no ratings" in text
    assert "The data set has no timestamps" in text
    assert "share at least 5 users" in text


def test_a_link_to_data_that_are_gone_names_them_and_offers_others(open_page: Open, finished: Finished) -> None:
    app = open_page("explore", data="gone")
    assert "Data set 'gone' is not in this workspace" in words(app)
    assert not app.main.selectbox
    app = answered(app.button(key=f"dead_data_{finished.data}").click().run())
    assert "Two tastes" in str(app.selectbox(key="explore_data").options)
    assert "not in this workspace" not in words(app)


@pytest.mark.parametrize("key", ["explore_tail_html", "explore_tail_csv", "explore_unlike_csv"])
def test_figures_can_be_downloaded(open_page: Open, finished: Finished, key: str) -> None:
    app = answered(open_page("explore", data=finished.data))
    assert key in {button.proto.id.rsplit("-", 1)[-1] for button in app.get("download_button")}


def test_pictures_further_down_wait_until_somebody_comes_near(open_page: Open, finished: Finished) -> None:
    app = answered(open_page("explore", data=finished.data, view=""))
    assert len(app.get("plotly_chart")) == 1
    app.session_state["near_activity"] = True
    assert len(answered(app.run()).get("plotly_chart")) == 2
    app.switch_page("pages/home.py").run()
    app.switch_page("pages/explore.py").run()
    assert len(answered(app).get("plotly_chart")) == 1
