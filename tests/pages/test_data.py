"""The page Data: nothing there, data there, files being checked, being stored, and what went wrong."""

import io
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import services
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.jobs import JobState
from recsys_core.serving.uploads import Intake
from recsys_core.storage.files import write_json
from recsys_core.storage.processes import own_mark
from tests.pages.finished import Finished, finished, finished_template, no_exception, open_page, spoil, until, words

__all__ = ["finished", "finished_template", "open_page"]
Open = Callable[..., AppTest]

GOOD = [
    f"u{user},m{item},{1 + (user + item) % 5},{1_600_000_000 + user * 100 + item}"
    for user in range(30)
    for item in range(8)
]
BAD = ["u1,m1,eleven,1600000000", "u1,m1", "u2,m99,99,1600000000"]
CSV = "\n".join(["user,item,rating,timestamp", *GOOD, *BAD]) + "\n"


def bring(app: AppTest, name: str, content: bytes) -> AppTest:
    """Upload one file and go on to the check, until its rows are counted or the page says why it cannot be read."""
    app.file_uploader[0].upload(name, content, "text/csv").run()
    no_exception(app.button(key="upload_check").click().run())
    return until(app, lambda: len(app.metric) > 0 or len(app.error) > 0)


def numbers(app: AppTest) -> dict[str, str]:
    """Return the numbers on the page, once the rows are counted: a count of over a second shows a bar meanwhile."""
    until(app, lambda: len(app.metric) > 0)
    return {metric.label: metric.value for metric in app.metric}


@pytest.fixture
def checked(open_page: Open, reading_here: None) -> AppTest:
    return bring(open_page("data"), "my ratings.csv", CSV.encode())


def test_without_data_it_offers_every_way_to_bring_some(open_page: Open) -> None:
    app = open_page("data")
    assert [tab.label for tab in app.tabs] == ["My files", "Sample data", "Public data sets"]
    assert "No data sets stored yet" in words(app)
    assert "up to 2.0 GiB each" in app.file_uploader[0].label


def test_the_check_counts_every_line_of_the_file_and_says_why_some_are_rejected(open_page: Open) -> None:
    """Read by a process, as the files of users are."""
    checked = bring(open_page("data"), "my ratings.csv", CSV.encode())
    shown = numbers(checked)
    assert shown["Rows in the files"] == str(len(GOOD) + len(BAD))
    assert int(shown["Accepted"]) + int(shown["Rejected"]) == len(GOOD) + len(BAD)
    assert shown["Rejected"] == "3"
    rejected = next(frame.value for frame in checked.dataframe if "reason" in frame.value)
    assert list(rejected["line"]) == [len(GOOD) + 2, len(GOOD) + 3, len(GOOD) + 4]
    assert list(rejected["text"]) == BAD


def test_a_changed_role_changes_the_counts_at_once(checked: AppTest) -> None:
    picker = next(box for box in checked.selectbox if box.label == "rating")
    no_exception(picker.set_value("-").run())
    assert next(box for box in checked.selectbox if box.label == "rating").value == "-"
    assert numbers(checked)["Rejected"] != "3"


def test_a_changed_rule_changes_the_counts_at_once(checked: AppTest) -> None:
    rule = next(box for box in checked.selectbox if box.label == "Ratings outside the scale")
    no_exception(rule.set_value("clip").run())
    assert numbers(checked)["Rejected"] == "2"


@pytest.mark.usefixtures("reading_here", "storing_here")
def test_ratings_treated_as_missing_are_kept_without_a_rating(open_page: Open, own_workspace: Path) -> None:
    lines = [*GOOD, *(f"u{user},n{user},-1,1600000000" for user in range(12))]
    app = bring(open_page("data"), "ratings.csv", "\n".join(["user,item,rating,timestamp", *lines]).encode())
    field = next(field for field in app.text_input if field.label == "Ratings treated as missing")
    no_exception(field.set_value("-1, 1").run())
    assert numbers(app)["Accepted"] == str(len(lines))
    no_exception(app.button(key="intake_store").click().run())
    until(app, lambda: "is stored" in words(app))
    (stored,) = Workspace(own_workspace).datasets()
    ratings = Workspace(own_workspace).open(stored.fingerprint).interactions["rating"]
    assert int(ratings.isna().sum()) == 12 + sum(line.split(",")[2] == "1" for line in GOOD)
    assert ratings.min() == 2.0


def test_a_wrong_separator_says_so_and_can_be_taken_back(checked: AppTest) -> None:
    next(box for box in checked.selectbox if box.label == "Separator").set_value(";").run()
    until(checked, lambda: len(checked.error) > 0)
    assert "a single column" in words(checked)


def test_what_was_brought_and_changed_survives_a_reload(checked: AppTest, open_page: Open) -> None:
    rule = next(box for box in checked.selectbox if box.label == "Ratings outside the scale")
    rule.set_value("clip").run()
    intake = checked.query_params["intake"]
    again = open_page("data", intake=intake[0] if isinstance(intake, list) else intake)
    assert numbers(again)["Rejected"] == "2"


def test_storing_leads_to_the_data_card_and_frees_the_files(checked: AppTest, own_workspace: Path) -> None:
    """Stored by a process, as the files of users are."""
    no_exception(checked.button(key="intake_store").click().run())
    until(checked, lambda: "is stored" in words(checked))
    assert numbers(checked)["Users"] == "30"
    assert numbers(checked)["Items"] == "8"
    assert [card.name for card in Workspace(own_workspace).datasets()] == ["my ratings"]
    assert not list((own_workspace / "intake").glob("*/files/*"))
    assert "3 rejected rows" in " ".join(expander.label for expander in checked.expander)


REPEATED = "\n".join(["user,item,rating,timestamp", *GOOD, *GOOD[:100]]) + "\n"
"""A third of the rows repeat a user and an item, which the rule for ratings rejects."""


@pytest.mark.usefixtures("reading_here")
def test_many_rejected_rows_are_an_alarm_with_its_remedy(open_page: Open) -> None:
    app = bring(open_page("data"), "repeated.csv", REPEATED.encode())
    assert numbers(app)["Rejected"] == "100"
    assert "100 of 340 rows" in app.error[0].value
    remedy = next(button for button in app.button if button.label == "Apply this fix")
    no_exception(remedy.click().run())
    until(app, lambda: len(app.metric) > 0 and not app.error)
    assert numbers(app)["Rejected"] == "0"
    assert not [button for button in app.button if button.label == "Apply this fix"]


@pytest.mark.usefixtures("reading_here", "storing_here")
def test_after_an_alarm_storing_asks_again(open_page: Open, own_workspace: Path) -> None:
    app = bring(open_page("data"), "repeated.csv", REPEATED.encode())
    numbers(app)
    no_exception(app.button(key="intake_store").click().run())
    assert "100 of 340 rows are rejected" in app.warning[0].value
    assert not Workspace(own_workspace).datasets()
    no_exception(app.button(key="intake_store_anyway").click().run())
    until(app, lambda: "is stored" in words(app))
    assert [card.name for card in Workspace(own_workspace).datasets()] == ["repeated"]


HEADLESS = "".join(f"P{item:03d},{1 + (user + item) % 5},U{user:03d}\n" for user in range(30) for item in range(8))


@pytest.mark.usefixtures("reading_here")
def test_a_doubtful_column_is_asked_about_and_swapped_with_one_click(open_page: Open) -> None:
    app = bring(open_page("data"), "headless.csv", HEADLESS.encode())
    assert (numbers(app)["Users"], numbers(app)["Items"]) == ("30", "8")
    assert "Does **column_3** hold the user?" in words(app)
    swap = next(button for button in app.button if button.label == "Swap")
    no_exception(swap.click().run())
    until(app, lambda: len(app.metric) > 0)
    assert (numbers(app)["Users"], numbers(app)["Items"]) == ("8", "30")
    assert "Does **column_" not in words(app)


@pytest.mark.usefixtures("reading_here")
def test_kinds_of_events_are_listed_with_counts_and_weights(open_page: Open) -> None:
    rows = [f"u{n % 20},i{n % 7},{'buy' if n % 5 == 0 else 'view'}" for n in range(100)]
    app = bring(open_page("data"), "events.csv", "\n".join(["user,item,event", *rows]).encode())
    numbers(app)
    weights = {box.label: box.value for box in app.number_input if "(" in box.label}
    assert weights == {"view (80)": 1.0, "buy (20)": 5.0}


@pytest.mark.usefixtures("reading_here")
def test_an_empty_file_is_refused_with_a_sentence(open_page: Open) -> None:
    app = bring(open_page("data"), "empty.csv", b"")
    assert "is empty" in words(app)
    no_exception(app.button(key="intake_leave").click().run())
    assert app.file_uploader


@pytest.mark.usefixtures("reading_here")
def test_gb18030_titles_and_semicolons_are_guessed_and_shown(open_page: Open) -> None:
    lines = ["用户;电影;评分", *(f"u{n};霸王别姬{n % 7};{1 + n % 5}" for n in range(60))]
    app = bring(open_page("data"), "中文.csv", "\n".join(lines).encode("gb18030"))
    values = {box.label: box.value for box in app.selectbox}
    assert values["Encoding"] == "gb18030"
    assert values["Separator"] == ";"
    assert values["电影"] == "item_id"
    assert any("霸王别姬1" in frame.value.to_string() for frame in app.dataframe)


def test_a_process_that_died_is_told_and_the_check_is_still_there(checked: AppTest, own_workspace: Path) -> None:
    intake = next((own_workspace / "intake").iterdir())
    dead = {"pid": 999_999, "started": 1.0, "host": socket.gethostname()}
    write_json(intake / "status.json", {"state": "RUNNING", "work": "store", "process": dead})
    no_exception(checked.run())
    assert "ended unexpectedly" in words(checked)
    no_exception(checked.button(key="intake_back").click().run())
    assert numbers(checked)["Rejected"] == "3"


def test_a_running_store_shows_its_progress(checked: AppTest, own_workspace: Path) -> None:
    intake = next((own_workspace / "intake").iterdir())
    write_json(intake / "status.json", {"state": "RUNNING", "work": "store", "process": own_mark().to_json()})
    no_exception(checked.run())
    assert "Storing" in checked.get("progress")[0].proto.text
    checked.button(key="intake_stop").click().run()
    assert (intake / "cancel").exists()


def test_files_that_are_gone_are_said_to_be_gone(open_page: Open) -> None:
    assert "no longer available" in words(open_page("data", intake="0123456789ab"))


def test_an_address_cannot_name_a_folder_elsewhere(open_page: Open, own_workspace: Path) -> None:
    assert "no longer available" in words(open_page("data", intake="../../datasets"))


def test_a_sample_is_stored_with_one_click(open_page: Open, own_workspace: Path) -> None:
    app = open_page("data")
    no_exception(app.button(key="take_tiny").click().run())
    assert [card.name for card in Workspace(own_workspace).datasets()]
    assert numbers(app)["Users"] == "30"


def test_a_public_data_set_is_fetched_only_after_its_terms_were_accepted(open_page: Open) -> None:
    app = open_page("data")
    assert "Terms:" in words(app)
    assert app.button(key="catalogue_fetch").disabled
    agree = next(box for box in app.checkbox if box.key.startswith("agree_"))
    no_exception(agree.check().run())
    assert not app.button(key="catalogue_fetch").disabled


@pytest.mark.usefixtures("reading_here")
def test_a_server_file_is_offered_only_from_the_folder_that_the_operator_opened(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "opened"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "ratings.csv").write_text(CSV)
    (tmp_path / "secret.csv").write_text(CSV)
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(root))
    app = open_page("data")
    assert app.multiselect(key="server_files").options == ["deep/ratings.csv"]
    app.multiselect(key="server_files").set_value(["deep/ratings.csv"]).run()
    no_exception(app.button(key="server_check").click().run())
    assert numbers(app)["Rejected"] == "3"


def test_the_data_card_can_be_renamed_and_deleted(open_page: Open, finished: Finished) -> None:
    app = open_page("data", data=finished.data)
    app.text_input(key=f"data_name_{finished.data}").set_value("Other *name*").run()
    no_exception(app.button(key="data_rename_confirmed").click().run())
    assert "The data set was renamed to 'Other *name*'." in words(app)
    no_exception(app.button(key="data_delete_confirmed").click().run())
    assert "was deleted" in words(app)
    assert Workspace(finished.root).datasets() == []


def test_data_that_are_trained_on_are_not_deleted(open_page: Open, finished: Finished) -> None:
    running = spoil(finished, "ease", JobState.RUNNING)
    finished.opened().job(running).change([JobState.RUNNING], process=own_mark())
    app = open_page("data", data=finished.data)
    assert "is queued or running on it; cancel it first" in words(app)
    assert "data_delete_confirmed" not in [button.key for button in app.button]


def test_the_archive_holds_every_interaction(finished: Finished, own_workspace: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(services.archive(finished.data))) as archive:
        frame = pd.read_csv(archive.open("interactions.csv"))
    assert len(frame) == 480
    assert not list((own_workspace / "staging").iterdir())


def test_an_upload_keeps_no_path_and_never_overwrites(own_workspace: Path) -> None:
    intake = Intake.create(own_workspace)
    first = intake.add("../../../etc/x.csv", io.BytesIO(b"a"))
    second = intake.add("C:\\x.csv", io.BytesIO(b"b"))
    assert first.parent == second.parent == intake.folder / "files"
    assert first.read_bytes() + second.read_bytes() == b"ab"
