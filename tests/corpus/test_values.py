# ruff: noqa: E501 (one case a line reads as a table)
"""Timestamps, numbers and identifiers in the formats of publishers and shops, with the expected values.

The files in `files` are small imitations of published layouts; the others are written here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from recsys_core.cli.main import main
from recsys_core.cli.users import chosen_users
from recsys_core.columns import EVENT, ITEM, RATING, TIMESTAMP, USER, WEIGHT
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.ingest import ingest, inspect_files, load_file, suggest_rules
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.identifiers import BLANKS, trimmed, trimmed_sql
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.report import IngestReport
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError

FILES = Path(__file__).parent / "files"
FIRST = datetime(2014, 5, 13, 16, 53, 20, tzinfo=UTC)
MS = 1_400_000_000_000


def take(
    folder: Path, paths: list[Path], changes: Mapping[str, Any] | None = None, **rules: Any
) -> tuple[Dataset, IngestReport]:
    guesses = [with_changes(guess, **(changes or {})) for guess in inspect_files(paths)]
    chosen = IngestRules.parse(suggest_rules(guesses).model_dump() | rules)
    dataset, report = ingest(guesses, chosen, Workspace(folder / "workspace"), "taken")
    assert report.rows_accepted + report.rows_rejected == report.rows_read
    return dataset, report


def wrote(folder: Path, text: str, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def warned(report: IngestReport, rule: str) -> str:
    found = [f"{warning.count} {warning.message}" for warning in report.warnings if warning.rule == rule]
    assert len(found) == 1, [warning.rule for warning in report.warnings]
    return found[0]


def rows(values: list[str], head: str = "user_id,item_id,rating,timestamp", *, separator: str = ",") -> str:
    lines = [head] + [f"u{n % 7},i{n},{n % 5 + 1},{value}" for n, value in enumerate(values)]
    return "\n".join(line.replace(",", separator, 3) for line in lines) + "\n"


# ---- published layouts


def test_a_file_without_times_beside_one_with_times_has_unknown_times(tmp_path: Path) -> None:
    dataset, report = take(tmp_path, sorted((FILES / "f01").iterdir()))
    times = dataset.interactions[TIMESTAMP].tolist()
    assert (report.rows_accepted, times.count(NO_TIMESTAMP)) == (8, 4)
    assert min(time for time in times if time != NO_TIMESTAMP) == MS
    assert warned(report, "unknown_times").startswith("4 ")


@pytest.mark.parametrize(
    ("folder", "unit", "second"),
    [
        ("d17_ns", "ns", MS + 7_919_000),
        ("d17b_bigquery_utc", "iso", MS + 7_919_000),
        ("d17e_yyyymmdd", "compact", MS - 60_800_000),
    ],
)
def test_times_of_published_files(folder: str, unit: str, second: int, tmp_path: Path) -> None:
    dataset, report = take(tmp_path, [FILES / folder / "a.csv"])
    assert report.guesses["a.csv"]["timestamp_unit"] == unit
    assert dataset.interactions[TIMESTAMP].iloc[1] == second
    assert report.rows_rejected == 0
    assert not [warning for warning in report.warnings if warning.rule == "unlikely_times"]


def test_thousands_of_plays_are_read_and_doubted_with_both_readings(tmp_path: Path) -> None:
    dataset, report = take(tmp_path, [FILES / "d18_thousands_tab" / "plays.tsv"])
    assert dataset.interactions[WEIGHT].iloc[0] == 4936
    said = warned(report, "undecided_numbers")
    assert "'4,936'" in said
    assert "4936" in said
    assert "4.936" in said
    assert report.rows_accepted == 205
    other, _ = take(tmp_path, [FILES / "d18_thousands_tab" / "plays.tsv"], {"number_formats": {WEIGHT: "1234,5"}})
    assert other.interactions[WEIGHT].iloc[0] == np.float32(4.936)


def test_a_decimal_comma_in_weights(tmp_path: Path) -> None:
    dataset, report = take(tmp_path, [FILES / "d18d_weight_decimal_comma" / "a.csv"])
    assert dataset.interactions[WEIGHT].head(3).tolist() == [4.25, 1.25, 2.25]
    assert report.rows_rejected == 0


def test_spaces_around_identifiers_count_nowhere(tmp_path: Path) -> None:
    dataset, report = take(tmp_path, sorted((FILES / "d19_space_after_comma").iterdir()))
    assert (dataset.n_users, dataset.n_items, report.rows_rejected) == (24, 39, 0)
    assert all(name == name.strip() for name in (*dataset.user_vocabulary.ids, *dataset.item_vocabulary.ids))
    assert dataset.items is not None
    assert dataset.items["title"].notna().all()


def test_identifiers_that_excel_has_rounded_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="scientific notation"):
        take(tmp_path, [FILES / "d20b_bigint_excel" / "r.xlsx"])


def test_a_rating_that_means_not_rated_is_doubted_and_can_be_missing(tmp_path: Path) -> None:
    path = FILES / "d27b_sentinel" / "r.csv"
    kept, report = take(tmp_path, [path])
    assert warned(report, "sentinel_ratings").startswith("44 44 ratings are -1")
    assert kept.interactions[RATING].min() == -1
    missing, after = take(tmp_path, [path], missing_ratings=[-1])
    assert (after.rows_accepted, int(missing.interactions[RATING].isna().sum())) == (205, 44)
    assert missing.rating_scale is not None
    assert missing.rating_scale.low >= 1
    assert warned(after, "missing_ratings").startswith("44 ")
    assert not [warning for warning in after.warnings if warning.rule == "sentinel_ratings"]


# ---- variants


@dataclass(frozen=True)
class Variant:
    """A file and its expected values.

    Args:
        name: Name of the case.
        text: The file.
        column: Column that is checked.
        values: Its first values.
        rejected: Number of rejected rows.
        doubts: Rules of quality warnings that must occur.
        reason: Part of the reason of a rejection.
        rules: Rules that differ from the suggested ones.
    """

    name: str
    text: str
    column: str = TIMESTAMP
    values: tuple[float, ...] = ()
    rejected: int = 0
    doubts: tuple[str, ...] = ()
    reason: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)


def hourly(form: str, count: int = 40) -> list[str]:
    return [(FIRST + timedelta(days=n)).strftime(form) for n in range(count)]


DAYS = tuple(MS + n * 86_400_000 for n in range(3))
MIDNIGHTS = tuple(day - 60_800_000 for day in DAYS)
PLAYS = "user,item,plays\n"
VARIANTS = [
    Variant("day_first_with_points", rows(hourly("%d.%m.%Y %H:%M:%S")), values=DAYS),
    Variant("day_first_two_digits", rows(hourly("%d.%m.%y")), values=MIDNIGHTS),
    Variant("day_first_dashes_minutes", rows(hourly("%d-%m-%Y %H:%M:%S")), values=DAYS),
    Variant("month_first_afternoon", rows(hourly("%m/%d/%Y %I:%M:%S %p")), values=DAYS),
    Variant("mail", rows(hourly("%d %b %Y %H:%M:%S +0000")), values=DAYS),
    Variant("twitter", rows(hourly("%a %b %d %H:%M:%S +0000 %Y")), values=DAYS),
    Variant("points_year_first", rows(hourly("%Y.%m.%d")), values=MIDNIGHTS),
    Variant("chinese", rows(hourly("%Y年%m月%d日")), values=MIDNIGHTS),
    Variant("compact_with_time", rows(hourly("%Y%m%dT%H%M%S")), values=DAYS),
    Variant("compact_minutes_as_number", rows(hourly("%Y%m%d%H%M")), values=tuple(day - 20_000 for day in DAYS)),
    Variant("comma_milliseconds", rows(hourly("%Y-%m-%d %H:%M:%S,250"), separator=";"), values=tuple(d + 250 for d in DAYS)),
    Variant("scientific", rows([f"{1.4e9 + n * 1e5:.9e}" for n in range(40)]), values=(MS, MS + 10**8)),
    Variant("float_seconds", rows([f"{1_400_000_000 + n}.5" for n in range(40)]), values=(MS + 500, MS + 1500)),
    Variant("excel_days", rows([f"{41772.5 + n}" for n in range(40)]), values=(MS - 17_600_000,)),
    Variant("two_forms", rows(hourly("%d.%m.%Y %H:%M:%S") + hourly("%Y-%m-%d %H:%M:%S", 5)), values=DAYS, doubts=("several_time_forms",)),
    Variant("seconds_and_milliseconds", rows([str(1_400_000_000 + n) for n in range(20)] + [str(MS + n * 1000) for n in range(20)]), values=(MS,), doubts=("several_time_forms",)),
    Variant("undecided_order", rows([f"0{n % 9 + 1}/0{n % 7 + 1}/2014" for n in range(40)]), doubts=("undecided_date_order",)),
    Variant("wrong_century", rows([str(n * 1000) for n in range(40)]), values=(0, 10**6), doubts=("unlikely_times",)),
    Variant("in_the_future", rows([f"20{80 + n % 10}-01-01" for n in range(40)]), doubts=("unlikely_times",)),
    Variant("empty_times_stay", rows([*hourly("%Y-%m-%d %H:%M:%S"), "", "", " "]), values=DAYS, doubts=("unknown_times",)),
    Variant("null_times_stay", rows([*hourly("%Y-%m-%d %H:%M:%S"), "NULL", "NULL", "NULL"]), values=DAYS, doubts=("unknown_times",)),
    Variant("an_unreadable_time_is_rejected", rows([*hourly("%Y-%m-%d"), "soon"]), values=MIDNIGHTS, rejected=1, reason="timestamp: timestamp does not match"),
    Variant("thousands_decided_by_a_million", PLAYS.replace(",", "\t") + "u1\ti1\t1,234,567\nu2\ti1\t4,936\nu3\ti2\t12\n", WEIGHT, (1234567, 4936, 12)),
    Variant("points_for_thousands", PLAYS.replace(",", ";") + "u1;i1;1.234,56\nu2;i1;3,5\nu3;i2;12\n", WEIGHT, (1234.56, 3.5, 12)),
    Variant("apostrophes", PLAYS.replace(",", ";") + "u1;i1;1'234\nu2;i1;3\nu3;i2;12'000\n", WEIGHT, (1234, 3, 12000)),
    Variant("narrow_spaces", PLAYS.replace(",", ";") + "u1;i1;1\u202f234,5\nu2;i1;3\nu3;i2;12\u00a0000\n", WEIGHT, (1234.5, 3, 12000)),
    Variant("percent", "user;item;rating\nu1;i1;85 %\nu2;i1;90 %\nu3;i2;75 %\n", RATING, (85, 90, 75)),
    Variant("a_decimal_point_among_commas", "user;item;rating\n" + "".join(f"u{n};i{n};{n % 5},5\n" for n in range(30)) + "u1;i2;4.5\n", RATING, (0.5, 1.5), rejected=1, reason="rating: number does not match 1234,5"),
    Variant("too_large_for_a_rating", rows(hourly("%Y-%m-%d")) + "u1,x,1e308,2014-05-13\n", RATING, (1, 2), rejected=1, reason="rating: number cannot be stored"),
    Variant("too_large_for_a_weight", PLAYS + "".join(f"u{n},i1,5\n" for n in range(30)) + "u2,i1,1e39\nu3,i2,inf\n", WEIGHT, (5,), rejected=2, reason="plays: number cannot be stored"),
    Variant("empty_weights_weigh_one", PLAYS + "u1,i1,5\nu2,i1,\nu3,i2,\nu4,i2,2\n", WEIGHT, (5, 1, 1, 2), doubts=("unknown_values",)),
    Variant("empty_ratings_are_unknown", "user,item,rating\nu1,i1,5\nu2,i1,\nu3,i2,\nu4,i2,2\n", RATING, (5, np.nan, np.nan, 2), doubts=("unknown_values",)),
    Variant("plays_with_a_tail_are_no_scale", "user,item,rating\n" + "".join(f"u{n},i{n % 50},{1 + (n % 100 > 50) + (n % 100 > 75) + (n % 100 > 90) + (n % 100 > 96)}\n" for n in range(4000)) + "".join(f"h{n},i{n},{9 + 4 * n}\n" for n in range(14)), RATING, (1, 1)),
    Variant("zero_for_not_rated", "user,item,rating\n" + "".join(f"u{n},i{n % 9},{0 if n % 2 else n % 10 + 1}\n" for n in range(60)), RATING, (1, 0), doubts=("sentinel_ratings",)),
    Variant("ninety_nine_for_not_rated", "user,item,rating\n" + "".join(f"u{n},i{n % 9},{99 if n % 3 == 2 else n % 5 + 1}\n" for n in range(60)), RATING, (1, 2, 99), doubts=("sentinel_ratings",), rules={"out_of_range": "keep"}),
]  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_variant(variant: Variant, tmp_path: Path) -> None:
    dataset, report = take(tmp_path, [wrote(tmp_path, variant.text)], duplicates="keep", **variant.rules)
    assert report.rows_rejected == variant.rejected, report.reasons
    found = dataset.interactions[variant.column].head(len(variant.values)).tolist()
    assert found == pytest.approx(list(variant.values), rel=1e-6, nan_ok=True, abs=0)
    assert set(variant.doubts) <= {warning.rule for warning in report.warnings}, report.warnings
    assert not variant.reason or any(variant.reason in reason for reason in report.reasons), report.reasons


def test_several_forms_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    text = rows(hourly("%d.%m.%Y %H:%M:%S") + hourly("%Y-%m-%d %H:%M:%S", 5))
    _, report = take(tmp_path, [wrote(tmp_path, text)], duplicates="keep")
    said = warned(report, "several_time_forms")
    assert "DD/MM/YYYY in 40 rows" in said
    assert "YYYY-MM-DD in 5 rows" in said


def test_one_day_far_down_decides_the_order_of_all(tmp_path: Path) -> None:
    days = [f"0{n % 9 + 1}/0{n % 7 + 1}/2014" for n in range(12_000)] + ["05/13/2014"]
    dataset, report = take(tmp_path, [wrote(tmp_path, rows(days))], duplicates="keep")
    assert report.rows_rejected == 0
    assert report.guesses["ratings.csv"]["timestamp_unit"] == "month-day-year"
    assert "undecided_date_order" not in {warning.rule for warning in report.warnings}
    assert dataset.interactions[TIMESTAMP].iloc[1] == datetime(2014, 2, 2, tzinfo=UTC).timestamp() * 1000


def test_one_number_far_down_decides_the_meaning_of_commas(tmp_path: Path) -> None:
    text = "user\titem\tplays\n" + "".join(f"u{n}\ti{n % 9}\t{n % 9 + 1},250\n" for n in range(12_000)) + "x\ti1\t7,5\n"
    dataset, report = take(tmp_path, [wrote(tmp_path, text, "plays.tsv")])
    assert report.rows_rejected == 0
    assert dataset.interactions[WEIGHT].iloc[0] == 1.25
    assert "undecided_numbers" not in {warning.rule for warning in report.warnings}


@pytest.mark.parametrize("unit", ["us", "iso", "s"])
def test_events_a_microsecond_apart_keep_their_order(unit: str, tmp_path: Path) -> None:
    order = [3, 0, 2, 1]
    micros = [1_400_000_000_000_000 + 400 + n for n in order]
    forms = {
        "us": [str(micro) for micro in micros],
        "s": [f"{micro // 10**6}.{micro % 10**6:06d}" for micro in micros],
        "iso": [f"2014-05-13 16:53:20.{micro % 10**6:06d}" for micro in micros],
    }
    lines = [f"u1,i{n},3,{time}" for n, time in zip(order, forms[unit], strict=True)]
    text = "\n".join(["user_id,item_id,rating,timestamp", "u2,other,3," + forms[unit][0], *lines]) + "\n"
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    frame = dataset.interactions
    mine = frame[frame[USER] == dataset.user_vocabulary.positions(["u1"])[0]]
    assert [dataset.item_vocabulary.ids[item] for item in mine[ITEM]] == ["i0", "i1", "i2", "i3"]
    assert set(mine[TIMESTAMP]) == {MS}
    assert "nanoseconds" not in frame.columns
    assert "tied_timestamps" not in {warning.rule for warning in report.warnings}


def test_the_latest_of_two_within_a_millisecond_is_kept(tmp_path: Path) -> None:
    text = "user_id,item_id,rating,timestamp\nu1,i1,5,1400000000000009\nu1,i1,1,1400000000000001\nu2,i1,3,1400000000000000\n"
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    assert dataset.interactions[RATING].tolist() == [5, 3]
    assert report.rows_rejected == 1


def test_an_unreadable_column_of_times_is_said_aloud_with_three_examples(tmp_path: Path) -> None:
    text = rows([f"moment-{'abc'[n % 3]}" for n in range(40)])
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    said = warned(report, "unread_times")
    assert all(f"'moment-{letter}'" in said for letter in "abc")
    assert TIMESTAMP not in dataset.interactions


def test_a_choice_by_hand_is_obeyed_or_refused_in_words(tmp_path: Path) -> None:
    path = wrote(tmp_path, rows([f"moment-{'abc'[n % 3]}" for n in range(40)]))
    chosen = with_changes(inspect_files([path])[0], roles={"timestamp": "timestamp"})
    assert chosen.roles["timestamp"] == 3
    with pytest.raises(
        DataError, match="no timestamp format matches half of its cells, for example 'moment-a', 'moment-b', 'moment-c'"
    ):
        take(tmp_path, [path], {"roles": {"timestamp": "timestamp"}})
    with pytest.raises(DataError, match="'moment-a'"):
        load_file(path, columns={"user_id": 0, "item_id": 1, "timestamp": 3})


def test_a_unit_chosen_by_hand_outlives_other_choices(tmp_path: Path) -> None:
    path = wrote(tmp_path, rows([str(1_400_000_000 + n) for n in range(40)]))
    guess = with_changes(with_changes(inspect_files([path])[0], timestamp_unit="ms"), roles={"rating": None})
    assert guess.timestamp_unit == "ms"
    again = with_changes(guess, roles={"timestamp": "rating"})
    assert again.timestamp_unit == "s"


def test_float_identifiers_are_whole_numbers_in_every_file(tmp_path: Path) -> None:
    first = wrote(tmp_path, "user_id,item_id,rating\n1.0,10.0,4\n2.0,11.0,3\n", "ratings.csv")
    second = wrote(tmp_path, "user_id,item_id,rating\n1,11,4\n2,10,3\n", "more.csv")
    titles = wrote(tmp_path, "item_id,title\n10.0,Ten\n11,Eleven\n", "movies.csv")
    dataset, report = take(tmp_path, [first, second, titles])
    assert sorted(dataset.user_vocabulary.ids) == ["1", "2"]
    assert sorted(dataset.item_vocabulary.ids) == ["10", "11"]
    assert dataset.items is not None
    assert sorted(dataset.items["title"]) == ["Eleven", "Ten"]
    assert (report.rows_rejected, report.alarms) == (0, ())


def test_blanks_of_any_kind_are_trimmed_and_versions_stay(tmp_path: Path) -> None:
    text = "user_id,item_id,rating\n\u00a0bob,1.0,4\nbob ,2.5,3\nann\u3000,v1.0,5\n"
    dataset, _ = take(tmp_path, [wrote(tmp_path, text)])
    assert list(dataset.user_vocabulary.ids) == ["bob", "ann"]
    assert list(dataset.item_vocabulary.ids) == ["1.0", "2.5", "v1.0"]


@pytest.mark.parametrize(
    "twin", ["bob\u200b1", "Bob1", "ｂｏｂ１", "bo b1"], ids=["zero width", "case", "wide letters", "space"]
)
def test_identifiers_that_look_alike_are_doubted_with_an_example(twin: str, tmp_path: Path) -> None:
    _, report = take(tmp_path, [wrote(tmp_path, f"user_id,item_id,rating\nbob1,i1,4\n{twin},i1,3\nann,i2,5\n")])
    said = warned(report, "similar_users")
    assert said.startswith("2 2 users")
    assert "'bob1'" in said


def test_accents_written_in_two_ways_are_doubted(tmp_path: Path) -> None:
    text = "user_id,item_id,rating\nu1,Am\u00e9lie,4\nu2,Ame\u0301lie,3\n"
    _, report = take(tmp_path, [wrote(tmp_path, text)])
    assert r"'Ame\u0301lie'" in warned(report, "similar_items")


def test_users_are_asked_for_as_files_are_read(tmp_path: Path) -> None:
    dataset, _ = take(tmp_path, [FILES / "d19_space_after_comma" / "a.csv"])
    asked = wrote(tmp_path, "user_id\n\u00a010\n4 \n12.0\nnobody\n", "users.txt")
    chosen = chosen_users(str(asked), dataset.user_vocabulary)
    assert (list(chosen.ids), list(chosen.unknown)) == (["10", "4", "12"], ["nobody"])


def test_identifiers_are_trimmed_alike_in_sql_and_in_python() -> None:
    texts = [f"{blank}a{blank}b{blank}" for blank in BLANKS] + ["a", "\u200ba", ""]
    found = duckdb.connect().execute(f"SELECT {trimmed_sql('v')} FROM (SELECT unnest(?) AS v)", [texts]).fetchall()
    assert [text for (text,) in found] == [trimmed(text) for text in texts]
    assert trimmed("\u200ba") == "\u200ba"


@pytest.mark.parametrize("word", ["#N/A", "NULL", "\\N", "nan"])
def test_words_for_an_empty_cell_are_no_identifiers(word: str, tmp_path: Path) -> None:
    _, report = take(tmp_path, [wrote(tmp_path, f"user_id,item_id,rating\nbob,i1,4\n{word},i1,3\nann,{word},5\n")])
    assert (report.users, report.rows_rejected) == (1, 2)
    assert all("placeholder for a missing value" in line.reason for line in report.rejected)


def test_identifiers_in_scientific_form_are_rejected_with_the_reason(tmp_path: Path) -> None:
    text = "user_id,item_id,rating\n" + "".join(f"{n}e5,i{n},3\n" for n in range(1, 9)) + "7.65612E+16,i1,4\n"
    _, report = take(tmp_path, [wrote(tmp_path, text)])
    assert (report.users, report.rows_rejected) == (8, 1)
    assert "scientific notation" in report.rejected[0].reason


def test_large_identifiers_as_text_in_excel_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    pd.DataFrame({"user_id": [str(10**17 + n) for n in range(20)], "item_id": range(20), "rating": 3}).to_excel(
        path, index=False
    )
    dataset, report = take(tmp_path, [path])
    assert (dataset.n_users, report.rows_rejected) == (20, 0)
    assert dataset.user_vocabulary.ids[1] == str(10**17 + 1)


def test_empty_events_are_unknown_events(tmp_path: Path) -> None:
    text = "user_id,item_id,event\nu1,i1,click\nu2,i1,\nu3,i2,buy\nu1,i2,\n"
    dataset, report = take(tmp_path, [wrote(tmp_path, text)])
    assert dataset.interactions[EVENT].tolist() == ["click", "unknown", "buy", "unknown"]
    assert warned(report, "unknown_values").startswith("2 ")


# ---- alarms


def test_many_rows_outside_the_scale_are_an_alarm_with_a_rule_that_helps(tmp_path: Path) -> None:
    path = wrote(tmp_path, "user_id,item_id,rating\n" + "".join(f"u{n},i{n % 9},{n % 10 + 1}\n" for n in range(60)))
    _, report = take(tmp_path, [path], rating_low=1, rating_high=5)
    (alarm,) = report.alarms
    assert (alarm.rule, alarm.count, alarm.rows) == ("many_rejected", 30, 60)
    _, after = take(tmp_path, [path], **alarm.rules)
    assert (after.rows_rejected, after.alarms) == (0, ())
    assert IngestReport.from_json(json.loads(json.dumps(report.to_json()))).alarms == report.alarms


def test_a_wrong_choice_is_an_alarm_with_the_right_one(tmp_path: Path) -> None:
    days = enumerate(hourly("%d/%m/%Y"))
    path = wrote(
        tmp_path, "user_id;item_id;rating;when\n" + "".join(f"u{n};i{n % 9};{n % 5},5;{day}\n" for n, day in days)
    )
    _, right = take(tmp_path, [path])
    assert (right.rows_rejected, right.alarms) == (0, ())
    _, wrong = take(tmp_path, [path], {"timestamp_unit": "month-day-year"})
    (alarm,) = wrong.alarms
    assert dict(alarm.change) == {"timestamp_unit": "day-month-year"}
    with pytest.raises(DataError, match=r"No row was accepted.*Set the number format to 1234,5\."):
        take(tmp_path, [path], {"number_formats": {"rating": "1234.5"}})


def test_many_repeated_pairs_are_an_alarm(tmp_path: Path) -> None:
    path = wrote(tmp_path, "user_id,item_id,rating\n" + "".join(f"u{n % 3},i{n % 2},{n % 5 + 1}\n" for n in range(60)))
    _, report = take(tmp_path, [path])
    (alarm,) = report.alarms
    assert (alarm.count, dict(alarm.rules)) == (54, {"duplicates": "keep"})


def test_a_tenth_is_no_alarm(tmp_path: Path) -> None:
    path = wrote(
        tmp_path, "user_id,item_id,rating\n" + "".join(f"u{n},i{n},{'x' if n < 4 else 3}\n" for n in range(40))
    )
    _, report = take(tmp_path, [path])
    assert (report.rows_rejected, report.alarms) == (4, ())


def test_a_table_that_matches_nothing_is_an_alarm_with_both_kinds_of_identifiers(tmp_path: Path) -> None:
    ratings = wrote(tmp_path, "user_id,item_id,rating\n" + "".join(f"u{n},i{n},3\n" for n in range(40)))
    titles = wrote(tmp_path, "item_id,title\n" + "".join(f"{n},Film {n}\n" for n in range(40)), "movies.csv")
    _, report = take(tmp_path, [ratings, titles])
    (alarm,) = report.alarms
    assert (alarm.rule, alarm.file, alarm.count) == ("joins_nothing", "movies.csv", 40)
    assert "0 of 40 rows" in alarm.message
    assert "'i0'" in alarm.message


def test_the_command_line_prints_alarms_and_takes_missing_ratings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(tmp_path / "store"))
    ratings = wrote(
        tmp_path, "user_id,item_id,rating\n" + "".join(f"u{n % 3},i{n % 2},{n % 5 + 1}\n" for n in range(60))
    )
    assert main(["ingest", str(ratings), "--name", "one"]) == 0
    assert "54 of 60 rows (90%) were rejected" in capsys.readouterr().err
    sentinel = str(FILES / "d27b_sentinel" / "r.csv")
    assert main(["ingest", sentinel, "--name", "two", "--missing-rating", "-1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "missing_ratings" in {warning["rule"] for warning in report["warnings"]}


def test_the_command_line_takes_the_forms_of_times_and_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(tmp_path / "store"))
    plays = str(FILES / "d18_thousands_tab" / "plays.tsv")
    assert main(["ingest", plays, "--name", "plays", "--number-format", "weight=1234,5"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["guesses"]["plays.tsv"]["number_formats"] == {"weight": "1234,5"}
    assert "undecided_numbers" not in {warning["rule"] for warning in report["warnings"]}
    days = wrote(tmp_path, rows([f"0{n % 9 + 1}/0{n % 7 + 1}/2014" for n in range(40)]))
    assert main(["ingest", str(days), "--name", "days", "--time-unit", "month-day-year"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["guesses"]["ratings.csv"]["timestamp_unit"] == "month-day-year"
    assert main(["ingest", str(days), "--name", "days", "--time-unit", "moons"]) == 2


@pytest.mark.parametrize(
    ("unread", "remedy"),
    [
        (12, "Most cells of column 'stars' are numbers: correct the others in the file, or store the data without these rows."),
        (80, "Remove the rating role from column 'stars', or correct the file: 20% of its sampled cells are numbers."),
        (100, "Remove the rating role from column 'stars': it holds no numbers."),
    ],
)  # fmt: skip
def test_a_remedy_says_no_more_than_its_cells_show(unread: int, remedy: str, tmp_path: Path) -> None:
    lines = [f"u{n % 9},i{n},{'x' if n * 37 % 100 < unread else 4}\n" for n in range(100)]
    chosen = [wrote(tmp_path, "user_id,item_id,stars\n" + "".join(lines))], {"roles": {"rating": 2}}
    if unread == 100:
        with pytest.raises(DataError, match=re.escape(remedy)):
            take(tmp_path, *chosen)
        return
    (alarm,) = take(tmp_path, *chosen)[1].alarms
    assert alarm.remedy == remedy
    assert bool(alarm.change) == (unread > 50)
