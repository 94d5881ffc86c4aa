"""Texts of the ingest report: in any language, after storage, with names that hold braces, and with a count of one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pages.data_parts import upload_session
from recsys_core.data.ingest import inspect_files
from recsys_core.data.ingest.quality_checks import kept_row_warnings
from recsys_core.data.ingest.schema_json import guess_from_json, guess_to_json
from recsys_core.data.report import Alarm, DataWarning, IngestReport
from recsys_core.text import Sentence, Template, in_language
from tests.pages.pseudo import LANGUAGE, accented, catalogues
from tests.unit.test_ingest import take

EMPTY = IngestReport(0, 0, 0)
MOST_ARE_NUMBERS = (
    "Most cells of column 'rating {0}' are numbers: correct the others in the file, or store the data without these "
    "rows."
)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with catalogues(tmp_path_factory.mktemp("locale")):
        yield


@pytest.fixture
def made_up_language(catalogue: None) -> Iterator[None]:
    with in_language(LANGUAGE):
        yield


def stored(report: IngestReport) -> IngestReport:
    return IngestReport.from_json(json.loads(json.dumps(report.to_json())))


def translated(message: str) -> str:
    """Return a message in the made-up language, with the name of the column as it is."""
    return accented(message).replace(accented("rating {0}"), "rating {0}")


def messy(folder: Path) -> IngestReport:
    """Return a report with an empty value, and with a third of the rows rejected."""
    rows = [f"u{n},i{n},{'' if n == 1 else 'x' if n % 3 == 0 else n % 5 + 1}" for n in range(30)]
    return take(folder, {"{x}.csv": "\n".join(["user,item,rating {0}", *rows]) + "\n"})[1]


@pytest.mark.usefixtures("made_up_language")
def test_a_stored_report_is_shown_in_another_language_and_keeps_its_english_text(tmp_path: Path) -> None:
    report = messy(tmp_path)
    assert stored(report) == report
    (alarm,) = stored(report).alarms
    numbers = "'{x}.csv': 10 of 30 rows (33%) were rejected, 10 of them because of: column 'rating {0}': not a number."
    assert alarm.message == translated(numbers)
    assert alarm.remedy == translated(MOST_ARE_NUMBERS)
    warning = next(one for one in stored(report).warnings if one.rule == "unknown_values")
    assert warning.message == translated("One value is empty: 'rating {0}' in 1 row.")
    assert warning.advice == translated("The row is kept with a missing value; an empty weight counts as 1.")
    values = report.to_json()
    assert values["alarms"][0]["message"] == numbers
    assert values["alarms"][0]["remedy"] == MOST_ARE_NUMBERS
    assert "One value is empty: 'rating {0}' in 1 row." in [one["message"] for one in values["warnings"]]


@pytest.mark.usefixtures("made_up_language")
def test_reasons_are_stored_in_english_and_shown_in_another_language(tmp_path: Path) -> None:
    report = messy(tmp_path)
    assert report.reasons == {"rating {0}: not a number": 10}
    assert upload_session.reason("rating {0}: not a number") == f"rating {{0}}: {accented('not a number')}"
    for reason in ("3 columns instead of 4", "outside the scale 1 to 5", "the item has fewer than 5 interactions"):
        assert upload_session.reason(reason) == accented(reason)
    assert upload_session.reason("an older {reason}") == "an older {reason}"


@pytest.mark.usefixtures("made_up_language")
def test_a_report_stored_without_sentences_shows_its_texts_unchanged() -> None:
    warning = {"rule": "tied_timestamps", "count": 2, "message": "2 rows in '{x}.csv'.", "advice": "Look at {0}."}
    alarm = {"rule": "many_rejected", "file": "{x}.csv", "count": 2, "rows": 3, "message": "2 of {3}.", "remedy": "{"}
    old = IngestReport.from_json(EMPTY.to_json() | {"warnings": [warning], "alarms": [alarm]})
    assert (old.warnings[0].message, old.warnings[0].advice) == ("2 rows in '{x}.csv'.", "Look at {0}.")
    assert (old.alarms[0].message, old.alarms[0].remedy) == ("2 of {3}.", "{")
    assert stored(old) == old


def test_a_phrase_in_a_finding_is_stored_with_it() -> None:
    phrase = Template("{count} row", "{count} rows").fill(2)
    finding = Template("Empty: {where}.").fill(where=Template("{first}, {last}").fill(first=phrase, last="{x}"))
    report = replace(
        EMPTY,
        warnings=(DataWarning("a", 2, finding, finding),),
        alarms=(Alarm("b", "{x}", 1, 2, finding, finding, {"roles": {}}),),
    )
    assert stored(report) == report
    assert stored(report).alarms[0].message == "Empty: 2 rows, {x}."


def test_how_a_file_is_read_keeps_its_warnings_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "{x}.csv"
    path.write_text("Report {0}\nuser,item,rating,rating\n" + "".join(f"u{n},i{n},3,1\n" for n in range(9)))
    (guess,) = inspect_files([path])
    notes = {one.rule: one.message for one in guess.notes}
    assert notes["lines_above_table"] == "1 line above the table is skipped: 'Report {0}'."
    assert notes["duplicate_heads"] == "1 column name occurs more than once: rating."
    again = guess_from_json(json.loads(json.dumps(guess_to_json(guess))))
    assert (again.notes, again.value_notes) == (guess.notes, guess.value_notes)


@pytest.mark.parametrize(("count", "form"), [(1, 0), (2, 1)])
def test_a_count_of_one_is_singular(count: int, form: int) -> None:
    found = kept_row_warnings(repeated=count, unreadable=count, clipped=count)
    assert [one.message for one in found] == [
        f"{count} {('row repeats', 'rows repeat')[form]} the user-item pair of an earlier row.",
        f"{count} {('interaction has', 'interactions have')[form]} a missing or unreadable timestamp.",
        f"{count} {('rating was outside the scale and has', 'ratings were outside the scale and have')[form]} been "
        "clipped to it.",
    ]
    assert found[0].advice.startswith(("It is kept", "They are kept")[form])


def test_a_user_with_a_single_interaction_is_one_user(tmp_path: Path) -> None:
    _, report = take(tmp_path, {"r.csv": "user,item,rating\na,x,1\na,y,2\nb,x,3\n"})
    (warning,) = (one for one in report.warnings if one.rule == "single_interaction_users")
    assert warning.message == "1 user (50%) has a single interaction."


def test_a_text_is_no_template() -> None:
    assert str(Sentence.from_json("{count} of {0}")) == "{count} of {0}"


def test_a_robot_is_described_by_the_signs_that_it_shows(tmp_path: Path) -> None:
    same = "".join(f"r,i{n},5\n" for n in range(60))
    many = "".join(f"m,i{n},{n % 5}\n" for n in range(900))
    for rows, signs in (
        (same, "1 user behaves like a robot: 1 gave at least 50 ratings, all identical."),
        (
            same + many,
            "2 users behave like robots: 1 has over 500 interactions, 1 gave at least 50 ratings, all identical.",
        ),
    ):
        others = "".join(f"u{n},i1,3\nu{n},i2,4\n" for n in range(50))
        _, report = take(tmp_path, {f"{len(rows)}.csv": f"user_id,item_id,rating\n{rows}{others}"})
        assert [one.message for one in report.warnings if one.rule == "robot_like_users"] == [signs]
