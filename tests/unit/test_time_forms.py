"""Each timestamp format is read as the right moment, and nothing else is accepted as a timestamp."""

from datetime import UTC, datetime

import duckdb
import pytest

from recsys_core.data.ingest.timestamps import guess_time_format, milliseconds_sql, raw_time_sql

AT = "2014-05-13T16:53:20"
DAY = "2014-05-13T00:00:00"
READ = [
    ("2014-05-13 16:53:20", AT),
    ("2014-05-13T16:53:20Z", AT),
    ("2014-05-13 16:53:20 UTC", AT),
    ("2014-05-13 16:53:20 GMT", AT),
    ("2014-05-13 16:53:20 CET", "2014-05-13T15:53:20"),
    ("2014-05-13 16:53:20 CEST", "2014-05-13T14:53:20"),
    ("2014-05-13 16:53:20 Europe/Berlin", "2014-05-13T14:53:20"),
    ("2014-05-13 16:53:20 +0200", "2014-05-13T14:53:20"),
    ("2014-05-13 16:53:20+02", "2014-05-13T14:53:20"),
    ("2014-05-13T16:53:20+02:00[Europe/Berlin]", "2014-05-13T14:53:20"),
    ("2014-05-13 16:53:20 UTC+05:30", "2014-05-13T11:23:20"),
    ("2014-05-13 16:53:20 PST", "2014-05-14T00:53:20"),
    ("2014-05-13 16:53:20,123", "2014-05-13T16:53:20.123000"),
    ("2014-05-13 16:53:20.123456", "2014-05-13T16:53:20.123000"),
    ("2014/5/3 4:05", "2014-05-03T04:05:00"),
    ("2014.05.13", DAY),
    ("2014年5月13日", DAY),
    ("2014年05月13日 16:53:20", AT),
    ("2014年05月13日 16时53分20秒", AT),
    ("2014年5月13日 16時53分", "2014-05-13T16:53:00"),
    ("2014년 5월 13일 16시 53분", "2014-05-13T16:53:00"),
    ("05/2014", "2014-05-01T00:00:00"),
    ("201405", "2014-05-01T00:00:00"),
    ("2014-05-13 04:53:20 PM", AT),
    ("2014-05-13 16h53", "2014-05-13T16:53:00"),
    ("13-May-2014", DAY),
    ("13-May-14", DAY),
    ("13. Mai 2014", DAY),
    ("13. März 2014, 16:53 Uhr", "2014-03-13T16:53:00"),
    ("1er août 2014", "2014-08-01T00:00:00"),
    ("13 de mayo de 2014", DAY),
    ("13 maggio 2014", DAY),
    ("13 de março de 2014", "2014-03-13T00:00:00"),
    ("13 mei 2014", DAY),
    ("13 dez 2014", "2014-12-13T00:00:00"),
    ("13/May/2014:16:53:20 -0700", "2014-05-13T23:53:20"),
    ("May 13, 2014", DAY),
    ("May 13, 2014, 4:53:20 PM", AT),
    ("May 13, 2014 at 4:53 PM", "2014-05-13T16:53:00"),
    ("Sept. 5, 2014", "2014-09-05T00:00:00"),
    ("Tuesday, May 13, 2014 12:05 AM", "2014-05-13T00:05:00"),
    ("Tue, 13 May 2014 16:53:20 +0000", AT),
    ("Fri May 29 13:13:46 -0700 2015", "2015-05-29T20:13:46"),
    ("Fri May 29 13:13:46 PDT 2015", "2015-05-29T20:13:46"),
    ("Fri May 29 13:13:46 2015", "2015-05-29T13:13:46"),
    ("Fri May 29 2015 13:13:46 GMT-0700 (Pacific Daylight Time)", "2015-05-29T20:13:46"),
    ("2014-May-13", DAY),
    ("20140513", DAY),
    ("20140513T101500", "2014-05-13T10:15:00"),
    ("201405131015", "2014-05-13T10:15:00"),
    ("20140513101500", "2014-05-13T10:15:00"),
    ("2014-W20-2", DAY),
    ("2014-133", DAY),
    ("2014-05", "2014-05-01T00:00:00"),
    ("May 2014", "2014-05-01T00:00:00"),
    ("31.05.2014", "2014-05-31T00:00:00"),
    ("31.05.14", "2014-05-31T00:00:00"),
    ("31-05-2014 16:53", "2014-05-31T16:53:00"),
    ("31/05/2014 - 16:53", "2014-05-31T16:53:00"),
    ("31.5.2014 um 16:53", "2014-05-31T16:53:00"),
    ("05/31/2014 4:53 PM", "2014-05-31T16:53:00"),
    ("13 aou\u0302t 2014", "2014-08-13T00:00:00"),
    ("\uff34\uff55\uff45 2014-05-13", DAY),
    ("\u041f\u043d, 31.05.2014 16:53", "2014-05-31T16:53:00"),
    ("\uc6d4\uc694\uc77c 2014-05-13", DAY),
    ("5/31/14", "2014-05-31T00:00:00"),
    ("1400000000", AT),
    ("1400000000.25", "2014-05-13T16:53:20.250000"),
    ("1.4e9", AT),
    ("1400000000000", AT),
    ("1400000000000000", AT),
    ("1400000000000000000", AT),
    ("1.4e18", AT),
    ("41772.5", "2014-05-13T12:00:00"),
]
NO_TIMES = [
    "K10662",
    "SKU-1167",
    "192.168.1.1",
    "1.2.3",
    "12-345-6789",
    "31/02/2014",
    "2014-02-30",
    "99/99/9999",
    "x",
    "\u00d7\u00d7 13 May 2014",
]


def read_each(texts: list[str], unit: str, forms: tuple[str, ...] = ()) -> list[str | None]:
    """Return the values that the SQL of a unit reads; in two steps, as in an upload."""
    raw = f"SELECT {raw_time_sql('v', unit, forms)} AS raw_time FROM (SELECT unnest(?::VARCHAR[]) AS v)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(f"SELECT {milliseconds_sql('raw_time', unit)} FROM ({raw})", [texts]).fetchall()
    return [time and datetime.fromtimestamp(time / 1000, UTC).isoformat()[:26].split("+")[0] for (time,) in found]


def read(text: str, unit: str, forms: tuple[str, ...] = ()) -> str | None:
    return read_each([text], unit, forms)[0]


@pytest.mark.parametrize(("text", "moment"), READ, ids=[text for text, _ in READ])
def test_a_written_time_is_read_as_the_moment_it_says(text: str, moment: str) -> None:
    form = guess_time_format([text])
    assert form is not None
    assert (form.share, form.likely) == (1.0, 1.0)
    assert read(text, form.unit, form.tried) == moment


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_not_taken_for_one(text: str) -> None:
    assert guess_time_format([text]) is None


@pytest.mark.parametrize("unit", ["iso", "day-month-year", "month-day-year", "compact"])
def test_what_is_no_time_is_not_read(unit: str) -> None:
    assert read_each(NO_TIMES, unit) == [None] * len(NO_TIMES)


def test_the_order_of_day_and_month_is_that_of_the_whole_column() -> None:
    open_days = [f"0{day}/0{month}/2014" for day in range(1, 10) for month in range(1, 10)]
    assert (first := guess_time_format(open_days)) is not None
    assert (first.unit, first.undecided) == ("day-month-year", True)
    assert (days := guess_time_format([*open_days, "13/05/2014"])) is not None
    assert (days.unit, days.undecided) == ("day-month-year", False)
    assert (months := guess_time_format([*open_days, "05/13/2014"])) is not None
    assert (months.unit, months.undecided) == ("month-day-year", False)


def test_a_two_digit_year_stands_where_the_years_are_likely() -> None:
    form = guess_time_format([f"14-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)])
    assert form is not None
    assert (form.unit, form.likely) == ("year-month-day", 1.0)


def test_several_forms_in_one_column_are_counted() -> None:
    form = guess_time_format([f"{day}.05.2014" for day in range(1, 31)] + ["2014-05-13 16:53:20"] * 5)
    assert form is not None
    assert dict(form.forms) == {"DD/MM/YYYY": 30, "YYYY-MM-DD": 5}
    assert read("2014-05-13 16:53:20", form.unit, form.tried) == AT
    both = guess_time_format(["1400000000"] * 20 + ["1400000000000"] * 20)
    assert both is not None
    assert dict(both.forms) == {"Unix seconds": 20, "Unix milliseconds": 20}
    assert [read(text, both.unit, both.tried) for text in ("1400000000", "1400000000000")] == [AT, AT]


@pytest.mark.parametrize(
    ("values", "finer"),
    [
        (["1400000000.123456"], True),
        (["1400000000.123"], False),
        (["1400000000123456"], True),
        (["2014-05-13 16:53:20.123456"], True),
        (["2014-05-13 16:53:20.123000"], False),
        (["13.05.2014"], False),
        (["1.4e9"], False),
    ],
)
def test_only_more_than_milliseconds_is_finer(values: list[str], finer: bool) -> None:
    form = guess_time_format(values)
    assert form is not None
    assert form.finer is finer


def test_small_numbers_are_seconds_from_a_zero_of_their_own_and_unlikely() -> None:
    form = guess_time_format(["0", "17", "3600"])
    assert form is not None
    assert (form.unit, form.likely) == ("s", 0.0)
