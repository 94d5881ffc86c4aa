"""When something happened: how files write it, how that is guessed, and how it becomes Unix milliseconds."""

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from math import isfinite

import duckdb

from recsys_core.data.ingest.number_formats import missing_words
from recsys_core.data.ingest.time_formats import FORMS, ORDERS, Form, form_sql, forms_to_try, matches_sql, shapes

UNITS = (
    "s",
    "ms",
    "us",
    "ns",
    "excel-day",
    "iso",
    "day-month-year",
    "month-day-year",
    "year-month-day",
    "text-date",
    "compact",
)
"""Seconds, milliseconds, microseconds, nanoseconds since 1970; days since 1899-12-30, as Excel counts them; written
dates. Every unit of written dates reads all forms of `time_formats`; it says in which order the numbers of a date such
as 03/04/2014 are read, and `iso`, `text-date` and `compact` read none of those.
"""
NUMBERS = frozenset(["s", "ms", "us", "excel-day"])
"""Units in which a time is a number that a DOUBLE holds to the millisecond."""

NUMERIC_UNITS = NUMBERS | {"ns"}
"""Units in which a time is a number."""
_PER_MILLISECOND = {"s": 1000.0, "ms": 1.0, "us": 0.001, "ns": 1e-6, "excel-day": 86_400_000.0}
_EXCEL_1970 = 25_569
_LAST = 253402300799999
"""The end of the year 9999, in milliseconds: what lies beyond is not a time."""
_YEAR_1000 = -30610224000000
_QUICK_ISO = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d(?::\d\d)?))?$"
_QUICK_ORDERED = r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})(?:[ ,T]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?$"
_REWRITTEN = {"day-month-year": r"\3-\2-\1 \4", "month-day-year": r"\3-\1-\2 \4"}
_SIZES = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
_UNIX_FORMS = {"s": "Unix seconds", "ms": "Unix milliseconds", "us": "Unix microseconds", "ns": "Unix nanoseconds"}
_NEARLY_ALL = 0.98
_MOST_VALUES = 1000
_FIRST_LIKELY = 315_532_800_000
"""1980, in milliseconds: times before it are rarely meant."""
_YEAR = 366 * 86_400_000
_FINE = re.compile(r":\d{2}[.,]\d{3}\d*[1-9]")
_BY_NAME = frozenset(["DD Mon YYYY", "Mon DD YYYY", "Mon DD hh:mm:ss YYYY", "YYYY Mon DD", "Mon YYYY"])


@dataclass(frozen=True)
class TimeFormat:
    """How the times of a column are written.

    Args:
        unit: One of `UNITS`.
        share: Part of the values, empty ones left out, that this reads, 0 to 1.
        forms: Names of the forms that occur and how many values have each, the most frequent first.
        undecided: Whether the day and the month could as well be the other way round.
        finer: Whether some values tell more than milliseconds.
        likely: Part of the values read that lie between 1980 and a year from now, 0 to 1.
        missing: Words that stand for no time, as they are written; they occur more than twice.
    """

    unit: str
    share: float
    forms: tuple[tuple[str, int], ...] = ()
    undecided: bool = False
    finer: bool = False
    likely: float = 1.0
    missing: tuple[str, ...] = ()

    @property
    def tried(self) -> tuple[str, ...]:
        """Names of the forms, for `time_sql`."""
        return tuple(name for name, _ in self.forms)


def guess_time_format(values: Sequence[str]) -> TimeFormat | None:
    """Return how most of some values are to be read as times, None if fewer than half can be.

    Numbers are judged by their size: those that as seconds lie between 1971 and 2100 are seconds, and so on; small
    ones count as seconds from a zero of their own, unless all could be days of Excel. Written dates are read in every
    form; the order of day and month is the one that reads most of them.

    Args:
        values: Cells of the column, at best taken from all over the file.
    """
    stripped = [text for value in values if (text := value.strip())]
    missing = missing_words(stripped)
    found = _guessed(_spread([value for value in stripped if value not in missing]))
    return replace(found, missing=missing) if found is not None else None


def _guessed(given: list[str]) -> TimeFormat | None:
    if not given:
        return None
    numbers = [number for value in given if (number := _number(value)) is not None]
    if len(numbers) >= _NEARLY_ALL * len(given) or not _could_be_dates(given):
        return _of_numbers(given, numbers)
    written = _of_texts(given)
    if written is None or (len(numbers) / len(given) > written.share):
        return _of_numbers(given, numbers) or written
    return written


def guess_unit(values: Sequence[str]) -> str | None:
    """Return the unit that reads at least half of the values, or None; see `guess_time_format`."""
    found = guess_time_format(values)
    return found.unit if found is not None else None


def time_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL of Unix milliseconds (BIGINT) of a column, NULL where it holds no time in this unit.

    Args:
        column: SQL of the text, or of a DOUBLE for the units in `NUMBERS`; made by us, never a name from a file.
        unit: One of `UNITS`. Times without a zone are UTC.
        forms: Names of the forms that were met, which are tried first.
    """
    return milliseconds_sql(raw_time_sql(column, unit, forms), unit)


def raw_time_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL that reads a column as a number or as milliseconds; see `milliseconds_sql` and `time_sql`."""
    if unit == "ns":
        return f"try_cast({column} AS HUGEINT)"
    if unit in _PER_MILLISECOND:
        return f"try_cast({column} AS DOUBLE)"
    tried = list(forms_to_try(forms or (["DD/MM/YYYY"] if _order(unit) else [])))
    read = f"coalesce({', '.join(form_sql(form, column, _order(unit)) for form in tried)})"
    quick = " ".join(_quick(column, unit, form) for form in ("YYYY-MM-DD", "DD/MM/YYYY") if form in _names(tried[:2]))
    return f"epoch_ms(CASE {quick} ELSE {read} END)" if quick.strip() else f"epoch_ms({read})"


def finer_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL of nanoseconds since 1970 (HUGEINT) of a text column, for `milliseconds_sql` in the unit ns."""
    if unit in _PER_MILLISECOND:
        nanoseconds = round(1e6 * _PER_MILLISECOND[unit])
        if unit == "excel-day":
            return f"(({raw_time_sql(column, unit)} - {_EXCEL_1970}) * 86400000)::HUGEINT * 1000000"
        exact = f"(try_cast({column} AS DECIMAL(28, 9)) * {nanoseconds})"
        return raw_time_sql(column, unit) if unit == "ns" else f"floor({exact})::HUGEINT"
    return raw_time_sql(column, unit, forms).replace("epoch_ms(", "epoch_us(", 1) + "::HUGEINT * 1000"


def milliseconds_sql(raw: str, unit: str) -> str:
    """Return the SQL of Unix milliseconds (BIGINT) of what `raw_time_sql` gave, NULL where that is no time."""
    if unit == "ns":
        return f"CASE WHEN abs({raw}) < {_LAST}000000::HUGEINT THEN ({raw} // 1000000)::BIGINT END"
    if unit == "excel-day":
        return f"CASE WHEN {raw} BETWEEN 1 AND 2958465.99999 THEN round(({raw} - {_EXCEL_1970}) * 86400000)::BIGINT END"
    if unit in _PER_MILLISECOND:
        factor = _PER_MILLISECOND[unit]
        return f"CASE WHEN {raw} BETWEEN {-_LAST / factor} AND {_LAST / factor} THEN ({raw} * {factor})::BIGINT END"
    return f"CASE WHEN {raw} BETWEEN {_YEAR_1000} AND {_LAST} THEN {raw} END"


def form_number_sql(column: str, forms: Sequence[str]) -> str:
    """Return the SQL of the place, from 1, of the first of some forms whose shape a text has; 0 if it has none."""
    cases = [f"WHEN {matches_sql(form, column)} THEN {number}" for number, form in enumerate(_named(forms), start=1)]
    return f"(CASE {' '.join(cases)} ELSE 0 END)"


def _quick(column: str, unit: str, form: str) -> str:
    """Return the branch that reads the plainest variants of the commonest forms, ten times as fast as `form_sql`."""
    if form == "YYYY-MM-DD":
        return f"WHEN regexp_matches({column}, '{_QUICK_ISO}') THEN try_cast({column} AS TIMESTAMPTZ)"
    if unit not in _REWRITTEN:
        return ""
    rewritten = f"rtrim(regexp_replace({column}, '{_QUICK_ORDERED}', '{_REWRITTEN[unit]}'))"
    return f"WHEN regexp_matches({column}, '{_QUICK_ORDERED}') THEN try_cast({rewritten} AS TIMESTAMPTZ)"


def _names(forms: Sequence[Form]) -> list[str]:
    return [form.name for form in forms]


def _order(unit: str) -> str | None:
    return unit if unit in ORDERS else None


def _named(names: Sequence[str]) -> list[Form]:
    return [form for name in names for form in FORMS if form.name == name]


def _spread(values: list[str]) -> list[str]:
    """Return at most `_MOST_VALUES` of some values, evenly from first to last."""
    step = max(1, -(-len(values) // _MOST_VALUES))
    return values[::step]


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in value else None


def _could_be_dates(values: list[str]) -> bool:
    """Return whether at least half of the values have digits and something beside them, as dates do."""
    few = values[:: max(1, len(values) // 200)]
    mixed = sum(any(c.isdigit() for c in value) and not value.isdigit() and len(value) < 80 for value in few)
    return mixed >= 0.02 * len(few)


def _of_numbers(given: list[str], numbers: list[float]) -> TimeFormat | None:
    if len(numbers) < 0.5 * len(given):
        return None
    if (compact := _compact(given)) is not None:
        return compact
    ordered = sorted(numbers)
    classes = Counter(unit for number in numbers if number and (unit := _unit_of_size(number)) is not None)
    large = {unit: count for unit, count in classes.items() if unit != "small"}
    share = len(numbers) / len(given)
    if len(large) > 1 and min(sorted(large.values())[-2:]) >= (1 - _NEARLY_ALL) * len(numbers):
        return _of_texts(given)
    if ordered[0] >= 32_874 and ordered[-1] <= 54_789:
        return _measured("excel-day", share, given, numbers, "days of Excel")
    unit = _unit_of_size(ordered[len(ordered) // 2] or 1.0)
    if unit is None:
        return None
    unit = "s" if unit == "small" else unit
    return _measured(unit, share, given, numbers, _UNIX_FORMS[unit])


def _measured(unit: str, share: float, given: list[str], numbers: list[float], form: str) -> TimeFormat:
    """Return the format of a column of numbers, with what their size and their digits say."""
    shift = _EXCEL_1970 if unit == "excel-day" else 0
    times = [(number - shift) * _PER_MILLISECOND[unit] for number in numbers]
    decimals = {"s": 3, "ms": 0}.get(unit, 99)
    finer = unit in {"us", "ns"} or any(
        len(value.partition(".")[2].rstrip("0")) > decimals and "e" not in value.lower() for value in given
    )
    return TimeFormat(unit, share, ((form, len(numbers)),), finer=finer, likely=_likely(times))


def _compact(given: list[str]) -> TimeFormat | None:
    """Return the format of dates such as 20140513 that are written as numbers."""
    compact = next(form for form in FORMS if form.name == "YYYYMMDD")
    if compact not in shapes(given[:50]):
        return None
    return found if (found := _of_texts(given)) and found.forms[0][0] == compact.name and found.share > 0.9 else None


def _unit_of_size(size: float) -> str | None:
    """Return the unit in which a number lies between 1971 and 2100; `small` for numbers from a zero of their own."""
    for unit, factor in _SIZES:
        if 3.1e7 * factor <= abs(size) <= 4.2e9 * factor:
            return unit
    return "small" if abs(size) < 3.1e7 else None


def _of_texts(given: list[str]) -> TimeFormat | None:
    """Return the format of written dates, by reading all values in all forms whose shape occurs."""
    forms = shapes(given)
    if not forms:
        return None
    readings = [(form, order) for form in forms for order in (ORDERS if form.ordered else (None,))]
    read = _read(given, readings)
    ordered = [place for place, (form, _) in enumerate(readings) if form.ordered]
    by_order = {
        order: [float(one) for row in read for place in ordered if readings[place][1] == order and (one := row[place])]
        for order in ORDERS
    }
    counts = {order: len(found) for order, found in by_order.items()}
    order = max(ORDERS, key=lambda one: (counts[one], _likely(by_order[one]))) if any(counts.values()) else None
    used = [place for place, (_, own) in enumerate(readings) if own in {None, order}]
    found: Counter[str] = Counter()
    times: list[float] = []
    for row in read:
        place = next((place for place in used if row[place] is not None), None)
        if place is not None:
            found[readings[place][0].named(order)] += 1
            times.append(float(row[place] or 0))
    if len(times) < 0.5 * len(given):
        return None
    return TimeFormat(
        unit=order or _written_unit(found),
        share=len(times) / len(given),
        forms=tuple((_plain(name), count) for name, count in found.most_common()),
        undecided=_undecided(given, order, by_order),
        finer=any(_finer(value) for value in given),
        likely=_likely(times),
    )


def _undecided(given: list[str], order: str | None, by_order: dict[str, list[float]]) -> bool:
    """Return whether another order reads as much; dates with points have the day first wherever they are in use."""
    if order is None or (order == ORDERS[0] and not any("/" in value or "-" in value for value in given)):
        return False
    reads = len(by_order[order])
    likely = _likely(by_order[order]) - 0.05
    return any(len(by_order[one]) == reads and _likely(by_order[one]) >= likely for one in ORDERS if one != order)


def _plain(name: str) -> str:
    """Return the name of a form without the order in it."""
    known = {form.name for form in FORMS}
    return name if name in known else "DD/MM/YYYY" if "YYYY" in name else "DD/MM/YY"


def _written_unit(found: Counter[str]) -> str:
    name = found.most_common(1)[0][0]
    return "text-date" if name in _BY_NAME else "compact" if name == "YYYYMMDD" else "iso"


def _finer(value: str) -> bool:
    """Return whether a text tells more of a second than three digits."""
    return bool(_FINE.search(value))


def _likely(times: list[float]) -> float:
    last = time.time() * 1000 + _YEAR
    return sum(_FIRST_LIKELY <= one <= last for one in times) / len(times) if times else 0.0


_LOCK = threading.Lock()


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1, "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _read(values: list[str], readings: list[tuple[Form, str | None]]) -> list[tuple[int | None, ...]]:
    """Return for each value what each reading makes of it, in milliseconds; the SQL is the one that reads files."""
    columns = ", ".join(f"epoch_ms({form_sql(form, 'v', order)})" for form, order in readings)
    with _LOCK:
        return _reader().execute(f"SELECT {columns} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [values]).fetchall()


def as_date(milliseconds: int) -> str:
    """Return the day of a time as YYYY-MM-DD."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
