"""When something happened: the units in which files say it, how they are guessed, and how they become Unix
milliseconds.
"""

import re
from datetime import datetime

UNITS = ("s", "ms", "us", "iso", "day-month-year", "month-day-year", "text-date")
"""Seconds, milliseconds, microseconds since 1970; ISO 8601 dates and times; dates with the day or the month first;
dates such as 01-Jan-1995."""

NUMBERS = frozenset(["s", "ms", "us"])
"""Units in which a time is a number."""
_FORMATS = {
    "day-month-year": (
        "%d/%m/%Y %H:%M:%S",
        "%d/%m/%Y %H:%M",
        "%d/%m/%Y",
        "%d.%m.%Y %H:%M:%S",
        "%d.%m.%Y %H:%M",
        "%d.%m.%Y",
        "%d-%m-%Y %H:%M:%S",
        "%d-%m-%Y",
    ),
    "month-day-year": ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y"),
    "text-date": ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%a %b %d %H:%M:%S %Y"),
}
_PER_MILLISECOND = {"s": 1000.0, "ms": 1.0, "us": 0.001}
_LAST = 253402300799999
"""The end of the year 9999, in milliseconds: what lies beyond is not a time."""
_ISO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?)?$")


def guess_unit(values: list[str]) -> str | None:
    """Return the unit that reads at least half of the values, or None.

    Numbers: those that as seconds lie between 1971 and 2100 are seconds, and so on. Dates whose first number is never
    over 12 are read with the day first if the second number is over 12 nowhere either: the person sees the guess and
    can change it.
    """
    given = [value.strip() for value in values if value.strip()]
    if not given:
        return None
    enough = 0.5 * len(given)
    numbers = [number for value in given if (number := _number(value)) is not None]
    if len(numbers) >= enough:
        ordered = sorted(numbers)
        return _unit_of_size(ordered[len(ordered) // 2])
    if sum(bool(_ISO.match(value)) for value in given) >= enough:
        return "iso"
    readable = {unit: sum(_reads(value, unit) for value in given) for unit in _FORMATS}
    best = max(readable, key=lambda unit: readable[unit])
    return best if readable[best] >= enough else None


def raw_time_sql(column: str, unit: str) -> str:
    """Return the SQL that reads a text column as a number or a time; see `milliseconds_sql`.

    Args:
        column: SQL of the text; made by us, never a name from a file.
        unit: One of `UNITS`. Times without a zone are UTC.
    """
    if unit in _PER_MILLISECOND:
        return f"try_cast({column} AS DOUBLE)"
    if unit == "iso":
        return f"epoch_ms(try_cast(replace({column}, '/', '-') AS TIMESTAMPTZ))"
    formats = ", ".join(f"'{form}'" for form in _FORMATS[unit])
    return f"epoch_ms(try_strptime(trim({column}), [{formats}]))"


def milliseconds_sql(raw: str, unit: str) -> str:
    """Return the SQL of Unix milliseconds (BIGINT) of what `raw_time_sql` gave, NULL where that is no time."""
    if unit in _PER_MILLISECOND:
        factor = _PER_MILLISECOND[unit]
        return f"CASE WHEN {raw} BETWEEN {-_LAST / factor} AND {_LAST / factor} THEN ({raw} * {factor})::BIGINT END"
    return raw


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _unit_of_size(size: float) -> str | None:
    """Return the unit in which a number lies between 1971 and 2100; small numbers count as seconds from an own zero."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if 3.1e7 * factor <= abs(size) <= 4.2e9 * factor:
            return unit
    return "s" if abs(size) < 3.1e7 else None


def _reads(value: str, unit: str) -> bool:
    for form in _FORMATS[unit]:
        try:
            datetime.strptime(value, form)  # noqa: DTZ007 (only whether it can be read)
        except ValueError:
            continue
        return True
    return False
