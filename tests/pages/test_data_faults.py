"""The page Data when reading fails: a sentence, and a state from which one can go on, also in another session."""

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from pages.data_parts import upload_session
from recsys_core.serving.reader_pool import Readers
from tests.pages.finished import no_exception, open_page, until, words

__all__ = ["open_page"]
Open = Callable[..., AppTest]
CSV = "user;item;rating\n" + "".join(f"u{u};m{i};{1 + (u + i) % 5}\n" for u in range(20) for i in range(6))


def bring(app: AppTest, name: str, content: bytes) -> AppTest:
    """Upload a file and go on to the check, until the page says something about it."""
    app.file_uploader[0].upload(name, content, "text/csv").run()
    no_exception(app.button(key="upload_check").click().run())
    return until(app, lambda: len(app.metric) > 0 or len(app.error) > 0)


def address(app: AppTest) -> str:
    named = app.query_params["intake"]
    return named[0] if isinstance(named, list) else named


@pytest.fixture
def odd_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    readers = Readers(module="tests.engine.odd_reader")
    monkeypatch.setattr(upload_session, "readers", lambda: readers)
    yield
    readers.close()


@pytest.mark.usefixtures("odd_readers")
def test_a_file_that_aborts_its_reader_is_a_sentence_here_and_by_its_address(open_page: Open) -> None:
    app = bring(open_page("data"), "abort.csv", CSV.encode())
    assert "aborted (SIGABRT)" in words(app)
    again = open_page("data", intake=address(app))
    assert "aborted (SIGABRT)" in words(again)
    until(again.button(key="intake_reread").click().run(), lambda: len(again.error) > 0)
    no_exception(again.button(key="intake_leave").click().run())
    assert again.file_uploader
    assert "no longer available" in words(open_page("data", intake=address(app)))


@pytest.mark.usefixtures("odd_readers")
def test_a_long_reading_can_be_cancelled_and_begun_again(open_page: Open, hasty_pages: None) -> None:
    app = open_page("data")
    app.file_uploader[0].upload("held.csv", CSV.encode(), "text/csv").run()
    no_exception(app.button(key="upload_check").click().run())
    assert "Opening the files" in app.get("progress")[0].proto.text
    no_exception(app.button(key="reading_cancel").click().run())
    assert "The check was cancelled." in words(app)
    upload_session.find(address(app)).folder.joinpath("gate").touch()
    app.button(key="intake_reread").click().run()
    assert until(app, lambda: len(app.metric) > 0).metric[0].value == "120"


@pytest.mark.usefixtures("reading_here")
def test_a_wrong_choice_is_said_at_its_table_and_can_be_taken_back_in_another_session(open_page: Open) -> None:
    app = bring(open_page("data"), "ratings.csv", CSV.encode())
    separator = next(box for box in app.selectbox if box.label == "Separator")
    until(separator.set_value(",").run(), lambda: len(app.error) > 0)
    again = until(open_page("data", intake=address(app)), lambda: True)
    assert "a single column" in words(again)
    box = next(box for box in again.selectbox if box.label == "Separator")
    assert box.value == ","
    until(box.set_value(";").run(), lambda: len(again.metric) > 0)
    assert again.metric[0].value == "120"
    box = next(box for box in again.selectbox if box.label == "Separator")
    until(box.set_value("|").run(), lambda: len(again.error) > 0)
    undo = next(button for button in again.button if button.key.startswith("undo_"))
    assert until(undo.click().run(), lambda: len(again.metric) > 0).metric[0].value == "120"


@pytest.mark.usefixtures("reading_here")
def test_a_file_that_cannot_be_read_at_all_can_be_left_out(open_page: Open) -> None:
    app = open_page("data")
    files = [("ratings.csv", CSV.encode(), "text/csv"), ("broken.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40), "text/csv")]
    app.file_uploader[0].set_value(files).run()
    no_exception(app.button(key="upload_check").click().run())
    until(app, lambda: len(app.error) > 0)
    assert "7-Zip" in words(app)
    kinds = [box for box in app.selectbox if box.label == "Content of this file"]
    until(kinds[1].set_value("ignored").run(), lambda: len(app.metric) > 0)
    assert app.metric[0].value == "120"
