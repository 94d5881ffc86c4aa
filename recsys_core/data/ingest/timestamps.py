"""Timestamps: infer their format, and convert them to Unix milliseconds."""

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
from recsys_core.data.ingest.time_formats import FORM, ORDERS, Form, form_sql, forms_to_try, matches_sql, named, shapes

FORMAT_NAMES = {
    "s": "Unix seconds",
    "ms": "Unix milliseconds",
    "us": "Unix microseconds",
    "ns": "Unix nanoseconds",
    "excel-day": "Excel serial dates",
    "iso": "ISO 8601",
    "day-month-year": "DD-MM-YYYY",
    "month-day-year": "MM-DD-YYYY",
    "year-month-day": "YYYY-MM-DD",
    "text-date": "dates with month names",
    "compact": "YYYYMMDD or YYYYMM",
}
"""Name of each unit in messages."""
UNITS = tuple(FORMAT_NAMES)
"""Epoch times in seconds, milliseconds, microseconds or nanoseconds; Excel serial dates (days since 1899-12-30); and
written dates. Every unit for written dates parses all formats of `time_formats`; it determines the order of the numbers
in dates such as 03/04/2014, which `iso`, `text-date` and `compact` do not parse.
"""
NUMBERS = frozenset(["s", "ms", "us", "excel-day"])
"""Numeric units whose times a DOUBLE represents to the millisecond."""

NUMERIC_UNITS = NUMBERS | {"ns"}
"""Units of numeric times."""
_PER_MILLISECOND = {"s": 1000.0, "ms": 1.0, "us": 0.001, "ns": 1e-6, "excel-day": 86_400_000.0}
_EXCEL_1970 = 25_569
_LAST = 253402300799999
"""The end of the year 9999 in milliseconds, the latest valid time."""
_YEAR_1000 = -30610224000000
_QUICK_ISO = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d(?::\d\d)?))?$"
_QUICK_ORDERED = r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})(?:[ ,T]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?$"
_REWRITTEN = {"day-month-year": r"\3-\2-\1 \4", "month-day-year": r"\3-\1-\2 \4"}
_SIZES = (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
_NEARLY_ALL = 0.98
_MOST_VALUES = 1000
"""Maximum number of values examined, evenly spaced."""
FIRST_LIKELY = 315_532_800_000
"""1980 in milliseconds; earlier times are implausible."""
YEAR = 366 * 86_400_000
_FINE = re.compile(r":\d{2}[.,]\d{3}\d*[1-9]")
"""More than three fractional digits of a second."""
_COMPACT = ("YYYYMMDD", "YYYYMM")
_BY_NAME = frozenset(["DD Mon YYYY", "Mon DD YYYY", "Mon DD hh:mm:ss YYYY", "YYYY Mon DD", "Mon YYYY"])


@dataclass(frozen=True)
class TimeFormat:
    """Timestamp format of a column.

    Args:
        unit: One of `UNITS`.
        share: Share of the non-missing values that this format parses, 0 to 1.
        forms: Names and counts of the formats that occur, most frequent first.
        undecided: Whether the order of day and month is ambiguous.
        finer: Whether some values are finer than milliseconds.
        likely: Share of the parsed values between 1980 and a year from now, 0 to 1.
        missing: Missing-value words as written; each occurs more than twice.
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
        """Names of the formats, for `time_sql`."""
        return tuple(name for name, _ in self.forms)


def guess_time_format(values: Sequence[str]) -> TimeFormat | None:
    """Return the most likely timestamp format, None if fewer than half of the values can be parsed.

    The unit of numbers follows from their magnitude: they are seconds if that places them between 1971 and 2100, and
    so on. Small numbers count as seconds from an arbitrary origin, unless all could be Excel serial dates. Written
    dates are parsed in every format; the order of day and month is the one that parses most of them.

    Args:
        values: Cells of the column, ideally sampled over the whole file.
    """
    stripped = [text for value in values if (text := value.strip())]
    missing = missing_words(stripped)
    given = [value for value in stripped if value not in missing]
    found = _guessed(given[:: max(1, -(-len(given) // _MOST_VALUES))])
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
    """Return the unit that parses at least half of the values, or None; see `guess_time_format`."""
    found = guess_time_format(values)
    return found.unit if found is not None else None


def time_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL that converts a column to Unix milliseconds (BIGINT), NULL where a cell does not match the unit.

    Args:
        column: SQL of the text, or of a DOUBLE for the units in `NUMBERS`; trusted, never a name from a file.
        unit: One of `UNITS`. Times without a zone are UTC.
        forms: Names of the formats in the sample, which are tried first.
    """
    return milliseconds_sql(raw_time_sql(column, unit, forms), unit)


def raw_time_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL that parses a column as a number or as milliseconds; see `milliseconds_sql` and `time_sql`."""
    if unit == "ns":
        return f"try_cast({column} AS HUGEINT)"
    if unit in _PER_MILLISECOND:
        return f"try_cast({column} AS DOUBLE)"
    tried = list(forms_to_try(forms or (["DD/MM/YYYY"] if _order(unit) else [])))
    read = f"coalesce({', '.join(form_sql(form, column, _order(unit)) for form in tried)})"
    common = [form for form in ("YYYY-MM-DD", "DD/MM/YYYY") if FORM[form] in tried[:2]]
    quick = " ".join(_quick(column, unit, form) for form in common)
    return f"epoch_ms(CASE {quick} ELSE {read} END)" if quick.strip() else f"epoch_ms({read})"


def finer_sql(column: str, unit: str, forms: Sequence[str] = ()) -> str:
    """Return the SQL of Unix nanoseconds (HUGEINT) of a text column, for `milliseconds_sql` with unit ns."""
    if unit in _PER_MILLISECOND:
        nanoseconds = round(1e6 * _PER_MILLISECOND[unit])
        if unit == "excel-day":
            return f"(({raw_time_sql(column, unit)} - {_EXCEL_1970}) * 86400000)::HUGEINT * 1000000"
        exact = f"(try_cast({column} AS DECIMAL(28, 9)) * {nanoseconds})"
        return raw_time_sql(column, unit) if unit == "ns" else f"floor({exact})::HUGEINT"
    return raw_time_sql(column, unit, forms).replace("epoch_ms(", "epoch_us(", 1) + "::HUGEINT * 1000"


def milliseconds_sql(raw: str, unit: str) -> str:
    """Return the SQL that converts the result of `raw_time_sql` to Unix milliseconds (BIGINT), NULL if out of range."""
    if unit == "ns":
        return f"CASE WHEN abs({raw}) < {_LAST}000000::HUGEINT THEN ({raw} // 1000000)::BIGINT END"
    if unit == "excel-day":
        return f"CASE WHEN {raw} BETWEEN 1 AND 2958465.99999 THEN round(({raw} - {_EXCEL_1970}) * 86400000)::BIGINT END"
    if unit in _PER_MILLISECOND:
        factor = _PER_MILLISECOND[unit]
        return f"CASE WHEN {raw} BETWEEN {-_LAST / factor} AND {_LAST / factor} THEN ({raw} * {factor})::BIGINT END"
    return f"CASE WHEN {raw} BETWEEN {_YEAR_1000} AND {_LAST} THEN {raw} END"


def form_number_sql(column: str, forms: Sequence[str]) -> str:
    """Return the SQL of the 1-based index of the first format that a text matches; 0 if none."""
    cases = [f"WHEN {matches_sql(form, column)} THEN {number}" for number, form in enumerate(named(forms), start=1)]
    return f"(CASE {' '.join(cases)} ELSE 0 END)"


def _quick(column: str, unit: str, form: str) -> str:
    """Return the CASE branch for simple variants of the most common formats, ten times as fast as `form_sql`."""
    if form == "YYYY-MM-DD":
        return f"WHEN regexp_matches({column}, '{_QUICK_ISO}') THEN try_cast({column} AS TIMESTAMPTZ)"
    if unit not in _REWRITTEN:
        return ""
    rewritten = f"rtrim(regexp_replace({column}, '{_QUICK_ORDERED}', '{_REWRITTEN[unit]}'))"
    return f"WHEN regexp_matches({column}, '{_QUICK_ORDERED}') THEN try_cast({rewritten} AS TIMESTAMPTZ)"


def _order(unit: str) -> str | None:
    return unit if unit in ORDERS else None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in value else None


def _could_be_dates(values: list[str]) -> bool:
    """Return whether at least 2 % of the values mix digits with other characters, as dates do."""
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
    if len(large) > 1 and min(sorted(large.values())[-2:]) >= (1 - _NEARLY_ALL) * len(numbers):
        return _of_texts(given)
    if ordered[0] >= 32_874 and ordered[-1] <= 54_789:
        return _measured("excel-day", given, numbers)
    unit = _unit_of_size(ordered[len(ordered) // 2] or 1.0)
    if unit is None:
        return None
    return _measured("s" if unit == "small" else unit, given, numbers)


def _measured(unit: str, given: list[str], numbers: list[float]) -> TimeFormat:
    """Return the format of a numeric column, with its precision and plausibility."""
    shift = _EXCEL_1970 if unit == "excel-day" else 0
    times = [(number - shift) * _PER_MILLISECOND[unit] for number in numbers]
    decimals = {"s": 3, "ms": 0}.get(unit, 99)
    finer = unit in {"us", "ns"} or any(
        len(value.partition(".")[2].rstrip("0")) > decimals and "e" not in value.lower() for value in given
    )
    forms = ((FORMAT_NAMES[unit], len(numbers)),)
    return TimeFormat(unit, len(numbers) / len(given), forms, finer=finer, likely=_likely(times))


def _compact(given: list[str]) -> TimeFormat | None:
    """Return the format of compact dates such as 20140513 or 201405, None if the values are not compact dates."""
    if not {FORM[name] for name in _COMPACT} & {*shapes(given[:50])}:
        return None
    return found if (found := _of_texts(given)) and found.forms[0][0] in _COMPACT and found.share > 0.9 else None


def _unit_of_size(size: float) -> str | None:
    """Return the unit that places a number between 1971 and 2100; `small` for smaller numbers; else None."""
    for unit, factor in _SIZES:
        if 3.1e7 * factor <= abs(size) <= 4.2e9 * factor:
            return unit
    return "small" if abs(size) < 3.1e7 else None


def _of_texts(given: list[str]) -> TimeFormat | None:
    """Return the format of written dates, from parsing all values in all matching formats."""
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
        finer=any(_FINE.search(value) for value in given),
        likely=_likely(times),
    )


def _undecided(given: list[str], order: str | None, by_order: dict[str, list[float]]) -> bool:
    """Return whether another order parses as many values; dates with points always have the day first."""
    if order is None or (order == ORDERS[0] and not any("/" in value or "-" in value for value in given)):
        return False
    reads = len(by_order[order])
    likely = _likely(by_order[order]) - 0.05
    return any(len(by_order[one]) == reads and _likely(by_order[one]) >= likely for one in ORDERS if one != order)


def _plain(name: str) -> str:
    """Return the name of a format without its actual order."""
    return name if name in FORM else "DD/MM/YYYY" if "YYYY" in name else "DD/MM/YY"


def _written_unit(counts: Counter[str]) -> str:
    name = counts.most_common(1)[0][0]
    return "text-date" if name in _BY_NAME else "compact" if name in _COMPACT else "iso"


def _likely(times: list[float]) -> float:
    last = time.time() * 1000 + YEAR
    return sum(FIRST_LIKELY <= one <= last for one in times) / len(times) if times else 0.0


_LOCK = threading.Lock()


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1, "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _read(values: list[str], readings: list[tuple[Form, str | None]]) -> list[tuple[int | None, ...]]:
    """Return each value in milliseconds under each (format, order), with the same SQL that reads files."""
    columns = ", ".join(f"epoch_ms({form_sql(form, 'v', order)})" for form, order in readings)
    with _LOCK:
        return _reader().execute(f"SELECT {columns} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [values]).fetchall()


def as_date(milliseconds: int) -> str:
    """Return the UTC date of a time as YYYY-MM-DD."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
