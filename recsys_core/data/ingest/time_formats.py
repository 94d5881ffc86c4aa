"""Date and time formats, each with a regular expression and the SQL that parses it.

Formats have disjoint patterns, so the order in which they are tried affects only speed. A pattern cannot determine the
order of the numbers in 03/04/2014: for such formats the caller passes `day-month-year`, `month-day-year` or
`year-month-day`, or nothing, in which case they are not parsed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

ORDERS = ("day-month-year", "month-day-year", "year-month-day")
"""Orders of the numbers of a date whose year has two digits or comes last."""

_MONTHS = (
    "january januar janvier enero gennaio janeiro januari jaen janv",
    "february februar fevrier febrero febbraio fevereiro februari",
    "march marz maerz mars marzo marco maart mrt mrz",
    "april avril abril aprile",
    "may mai mayo maggio maio mei",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto augustus",
    "september septembre septiembre settembre setembro sept setiembre",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
"""Month names in English, German, French, Spanish, Italian, Portuguese and Dutch, without accents."""
_ZONES = {
    "+00": "z ut utc gmt wet",
    "+01": "west bst cet mez",
    "+02": "cest mesz eet",
    "+03": "eest msk",
    "+09": "jst kst",
    "+08": "hkt sgt",
    "-05": "est cdt",
    "-04": "edt",
    "-06": "cst mdt",
    "-07": "mst pdt",
    "-08": "pst akdt",
    "-09": "akst",
    "-10": "hst",
    "+10": "aest",
    "+11": "aedt",
    "+12": "nzst",
    "+13": "nzdt",
}
"""Common time-zone abbreviations by UTC offset, independent of the season. CST is US Central Standard Time."""

_LETTER = "[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u3041-\ud7ff\uff21-\uff9f]"
"""Letters of most scripts of the basic multilingual plane, their combining marks, and some other characters. RE2
compiles it in less than a tenth of the time of `\\p{L}`, whose hundreds of ranges it repeats for each letter."""
_WEEKDAY = rf"(?:{_LETTER}{{2,13}}\.?\s*,?\s+)?"
_MONTH = rf"({_LETTER}{{3,10}})\.?"
_BLANK = "[\\s\u00a0\u202f]"
"""White space before AM and PM: browsers and ICU write a narrow no-break space, which is no `\\s` of RE2."""
_CLOCK = (
    rf"(?:(?:\s*[,T_:-]\s*|\s+(?:{_LETTER}{{1,4}}\s+){{0,2}})(\d{{1,2}})\s?[:.h时時点시]\s?(\d{{2}})"
    rf"(?:[:.m分분]\s?(\d{{2}})(?:[.,:](\d{{1,9}}))?)?[s分분秒초]?(?:{_BLANK}?([AaPp])\.?{_BLANK}?[Mm]\.?)?(?:\s?(?:Uhr|uhr|h))?)?"
)
_ZONE = (
    r"\s*((?:UTC|GMT|UT|Z)?\s?[+-]\d{1,2}(?::?\d{2})?|[A-Z][A-Za-z]+/[A-Za-z_/]+|[A-Za-z]{1,5})?"
    r"(?:\s*[\[(][A-Za-z][^\[\]()]*[\])])?"
)
_LAST_GROUPS = ("hour", "minute", "second", "fraction", "half", "zone")


@dataclass(frozen=True)
class Form:
    """One date and time format.

    Args:
        name: Display name; `named` replaces D, M and Y of an ordered format by the actual order.
        pattern: Regular expression, for RE2 and Python, of the whole text, with optional surrounding spaces.
        groups: Meaning of the groups: year, month, day, hour, minute, second, fraction, half (AM/PM), zone, week,
            weekday, ordinal (day of the year), number.
        ordered: Whether the groups `head`, `middle`, `tail` need an order.
        per_second: For epoch times: units per second.
    """

    name: str
    pattern: str
    groups: tuple[str, ...]
    ordered: bool = False
    per_second: int = 0

    def named(self, order: str | None) -> str:
        """Return the name with the given order of day, month and year."""
        if not self.ordered or order is None:
            return self.name
        year = "YYYY" if self.name == "DD/MM/YYYY" else "YY"
        parts = {"day-month-year": ("DD", "MM", year), "month-day-year": ("MM", "DD", year)}
        return "/".join(parts.get(order, (year, "MM", "DD")))


def _dated(name: str, date: str, *groups: str, ordered: bool = False) -> Form:
    return Form(name, rf"^\s*{_WEEKDAY}{date}{_CLOCK}{_ZONE}\s*$", (*groups, *_LAST_GROUPS), ordered)


FORMS: tuple[Form, ...] = (
    _dated("YYYY-MM-DD", r"(\d{4})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?(\d{1,2})[日일]?", "year", "month", "day"),
    _dated("DD/MM/YYYY", r"(\d{1,2})[-/.\s]\s?(\d{1,2})[-/.\s]\s?(\d{4})", "head", "middle", "tail", ordered=True),
    _dated("DD/MM/YY", r"'?(\d{2})[-/.](\d{1,2})[-/.]'?(\d{2})", "head", "middle", "tail", ordered=True),
    _dated("D/M/YY", r"(\d)[-/.](\d{1,2})[-/.]'?(\d{2})", "head", "middle", "tail", ordered=True),
    _dated(
        "DD Mon YYYY",
        rf"(\d{{1,2}})(?:st|nd|rd|th|er|\.|º|°)?[\s/-]*(?:of\s|de\s)?\s*{_MONTH},?[\s/-]*(?:del?\s+)?'?(\d{{4}}|\d{{2}})",
        "day",
        "month",
        "year",
    ),
    _dated(
        "Mon DD YYYY",
        rf"{_MONTH}[\s-]*(\d{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[\s-]+)(\d{{4}})",
        "month",
        "day",
        "year",
    ),
    Form(
        "Mon DD hh:mm:ss YYYY",
        rf"^\s*{_WEEKDAY}{_MONTH}\s+(\d{{1,2}}),?\s+(\d{{1,2}}):(\d{{2}})(?::(\d{{2}})(?:[.,](\d{{1,9}}))?)?"
        r"(?:\s?([AaPp])\.?[Mm]\.?)?(?:\s+([+-]\d{2}:?\d{2}|[A-Za-z]{1,5}|(?:UTC|GMT)[+-]\d{2}:?\d{2}))?"
        r",?\s+(\d{4})\s*$",
        ("month", "day", *_LAST_GROUPS, "year"),
    ),
    _dated("YYYY Mon DD", rf"(\d{{4}})[\s,./-]*{_MONTH}[\s./-]*(\d{{1,2}})", "year", "month", "day"),
    Form(
        "YYYYMMDD",
        r"^\s*((?:19|20|21)\d{2})([01]\d)([0-3]\d)(?:[T _-]?([0-2]\d):?([0-5]\d)(?::?([0-6]\d)(?:[.,]?(\d{1,9}))?)?())?"
        rf"{_ZONE}\s*$",
        ("year", "month", "day", *_LAST_GROUPS),
    ),
    Form("YYYY-Www-D", r"^\s*(\d{4})-?W(\d{2})(?:-?([1-7]))?\s*$", ("year", "week", "weekday")),
    Form("YYYY-DDD", r"^\s*(\d{4})-(\d{3})\s*$", ("year", "ordinal")),
    Form("YYYY-MM", r"^\s*(\d{4})\s?[-/.年년]\s?(\d{1,2})[月월]?\s*$", ("year", "month")),
    Form("MM/YYYY", r"^\s*(\d{1,2})[-/.](\d{4})\s*$", ("month", "year")),
    Form("YYYYMM", r"^\s*((?:19[7-9]|20\d)\d)(0[1-9]|1[0-2])\s*$", ("year", "month")),
    Form("Mon YYYY", rf"^\s*{_MONTH}[\s,/-]*(\d{{4}})\s*$", ("month", "year")),
    Form("Unix seconds", r"^\s*(\d{9,10}(?:\.\d+)?)\s*$", ("number",), per_second=1),
    Form("Unix milliseconds", r"^\s*(\d{12,13}(?:\.\d+)?)\s*$", ("number",), per_second=1000),
    Form("Unix microseconds", r"^\s*(\d{15,16}(?:\.\d+)?)\s*$", ("number",), per_second=1_000_000),
    Form("Unix nanoseconds", r"^\s*(\d{18,19})\s*$", ("number",), per_second=1_000_000_000),
)
"""All formats. `YYYYMMDD` precedes the epoch times, so a 12- or 14-digit number that is a date is parsed as a date."""


FORM = {form.name: form for form in FORMS}
_SHAPES = {form.name: re.compile(form.pattern) for form in FORMS}


def month_numbers() -> dict[str, int]:
    """Return month numbers by name and by every unambiguous prefix of at least three letters."""
    found: dict[str, set[int]] = {}
    for number, names in enumerate(_MONTHS, start=1):
        for name in names.split():
            for length in range(3, len(name) + 1):
                found.setdefault(name[:length], set()).add(number)
    return {name: next(iter(numbers)) for name, numbers in found.items() if len(numbers) == 1}


def form_sql(form: Form, cell: str, order: str | None) -> str:
    """Return the SQL that parses a text in one format as TIMESTAMPTZ; NULL if it does not match.

    Args:
        form: The format.
        cell: SQL of the text; trusted, never a name from a file.
        order: One of `ORDERS` for ordered formats, which yield NULL without it.
    """
    if form.ordered and (order is None or (form.name == "D/M/YY" and order == "year-month-day")):
        return "NULL::TIMESTAMPTZ"
    groups = _with_order(form.groups, order) if form.ordered else form.groups
    names = ", ".join(f"'{name}'" for name in groups)
    found = f"regexp_extract({cell}, '{_quoted(form.pattern)}', [{names}])"
    return f"list_transform([{found}], lambda g: CASE WHEN g.{groups[0]} <> '' THEN {_moment(form, groups)} END)[1]"


def matches_sql(form: Form, cell: str) -> str:
    """Return the SQL condition that a text matches the pattern of a format."""
    return f"regexp_matches({cell}, '{_quoted(form.pattern)}')"


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")


def _with_order(groups: Sequence[str], order: str | None) -> tuple[str, ...]:
    places = dict(zip(("head", "middle", "tail"), str(order).split("-"), strict=True))
    return tuple(places.get(group, group) for group in groups)


def _moment(form: Form, groups: Sequence[str]) -> str:
    """Return the SQL of the time given by the groups `g` of a format."""
    if form.per_second:
        return f"to_timestamp(try_cast(g.number AS DOUBLE) / {form.per_second})::TIMESTAMPTZ"
    if "week" in groups:
        day = "coalesce(nullif(g.weekday, ''), '1')"
        return f"try_strptime(g.year || ' ' || g.week || ' ' || {day}, '%G %V %u')::TIMESTAMPTZ"
    if "ordinal" in groups:
        return "try_strptime(g.year || ' ' || g.ordinal, '%Y %j')::TIMESTAMPTZ"
    month = _month() if "Mon" in form.name else "g.month"
    date = f"{_year()} || '-' || {month} || '-' || {'g.day' if 'day' in groups else repr('1')}"
    clock = " || ' ' || ".join([date, _clock()]) if "hour" in groups else date
    zone = f" || {_zone()}" if "zone" in groups else ""
    return f"try_cast({clock}{zone} AS TIMESTAMPTZ)"


def _year() -> str:
    """Return the SQL of the year; two-digit years 70 to 99 mean 1970 to 1999, as in POSIX."""
    return "(CASE WHEN length(g.year) > 2 THEN g.year WHEN g.year >= '70' THEN '19' || g.year ELSE '20' || g.year END)"


def _month() -> str:
    names = ", ".join(f"'{name}': {number}" for name, number in month_numbers().items())
    return f"MAP {{{names}}}[lower(strip_accents(g.month))]"


def _clock() -> str:
    hour = (
        "(CASE WHEN g.half = '' OR try_cast(g.hour AS INTEGER) > 12 THEN g.hour "
        "ELSE (try_cast(g.hour AS INTEGER) % 12 + CASE WHEN lower(g.half) = 'p' THEN 12 ELSE 0 END)::VARCHAR END)"
    )
    rest = "':' || g.minute || CASE WHEN g.second = '' THEN ':00' ELSE ':' || g.second END"
    fraction = "CASE WHEN g.fraction = '' THEN '' ELSE '.' || g.fraction END"
    return f"CASE WHEN g.hour = '' THEN '00:00:00' ELSE {hour} || {rest} || {fraction} END"


def _zone() -> str:
    """Return the SQL of a UTC offset in DuckDB syntax, or of a zone name; NULL for unknown abbreviations."""
    letters = ", ".join(f"'{name}': '{offset}'" for offset, names in _ZONES.items() for name in names.split())
    number = r"regexp_replace(g.zone, '^[A-Za-z\s]*([+-])(\d)?(\d)(?::?(\d{2}))?$', '\10\2\3:\4')"
    offset = rf"regexp_replace(regexp_replace({number}, '0(\d\d)', '\1'), ':$', '')"
    return (
        "CASE WHEN g.zone = '' THEN '' WHEN contains(g.zone, '/') THEN ' ' || g.zone "
        f"WHEN regexp_matches(g.zone, '[+-]') THEN {offset} ELSE MAP {{{letters}}}[lower(g.zone)] END"
    )


def named(names: Iterable[str]) -> list[Form]:
    """Return the formats with these names, without unknown ones."""
    return [FORM[name] for name in names if name in FORM]


def forms_to_try(first: Sequence[str] = ()) -> Iterator[Form]:
    """Yield the formats named `first`, then all others except epoch times, which must be named to be tried."""
    yield from named(first)
    yield from (form for form in FORMS if form.name not in first and not form.per_second)


def shapes(values: Sequence[str]) -> list[Form]:
    """Return the formats whose pattern matches at least one of some texts."""
    distinct = dict.fromkeys(values)
    return [form for form in FORMS if any(map(_SHAPES[form.name].match, distinct))]
