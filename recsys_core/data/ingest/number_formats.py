"""Number formats: decimal comma or point, thousands separators, currency and percent signs."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from recsys_core.errors import DataError
from recsys_core.text import _

SPACES = " \u00a0\u202f\u2009"
"""Spaces used as thousands separators: ordinary, non-breaking, narrow non-breaking, thin."""
_SIGNS = r"€$£¥₹₽₩₺₫฿%‰"
_WORDS = r"(?:EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|RUB|BRL|SEK|NOK|DKK|PLN|CZK|HUF|TRY|KRW|AUD|CAD|Kč|zł|kr|元|円|Fr\.?|R\$)"
MARKS = rf"(?:[{_SIGNS}]|{_WORDS})"
"""Regular expression of currency codes and signs before or after a number."""
MISSING = frozenset(
    ["na", "n/a", "nan", "null", "none", "nil", "\\n", "-", "--", "?", "#n/a", "nat", "<na>", "missing", "unknown"]
)
"""Missing-value words, in lower case; they count as missing if they are repeated in a column."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MARKED = re.compile(rf"^([+-]?)\s*{MARKS}?\s*([+-]?[\d.,'’{SPACES}]*\d[.,]?)\s*{MARKS}?$", re.IGNORECASE)
_ORNAMENT = re.compile(r"^[\s$€£¥₽₹₩+]+|[\s%$€£¥₽₹₩]+$|^(USD|EUR|GBP|CHF)\s*|\s*(USD|EUR|GBP|CHF)$")
_GROUPED = re.compile(r"^-?\d{1,3}(?P<mark>[.,'’ \u00a0\u202f\u2009])\d{3}((?P=mark)\d{3})*(?:(?!(?P=mark))[.,]\d+)?$")
_MOST_VALUES = 20_000
_REPEATED = 3


@dataclass(frozen=True)
class NumberFormat:
    """Number format of a column.

    Args:
        decimal: Decimal separator, a point or a comma.
        thousands: Thousands separator: none, a comma, a point, an apostrophe, or a space.
        marks: Whether numbers carry currency or percent signs, which are dropped: 85 % is 85.
        missing: Missing-value words as written; each occurs more than twice.
        share: Share of the non-missing values that this format reads, 0 to 1.
        undecided: Whether the format is ambiguous: exactly three digits follow every comma (or point), and no number
            has two of them.
    """

    decimal: str = "."
    thousands: str = ""
    marks: bool = False
    missing: tuple[str, ...] = ()
    share: float = 1.0
    undecided: bool = False

    @property
    def name(self) -> str:
        """The format as an example: 1234.5, 1,234.5, 1.234,5, ..."""
        return f"1{self.thousands}234{self.decimal}5"

    @property
    def plain(self) -> bool:
        """Whether numbers are written as in programming languages."""
        return self.decimal == "." and not self.thousands and not self.marks and not self.missing


NAMES = ("1234.5", "1234,5", "1,234.5", "1.234,5", "1'234.5", "1 234,5", "1 234.5", "1'234,5")
"""Names of all available formats."""


def format_of_name(name: str) -> NumberFormat:
    """Return the format with this name, with or without currency and percent signs.

    Raises:
        DataError: The format is unknown.
    """
    if name not in NAMES:
        raise DataError(_("Unknown number format '{name}'. Known: {names}.").format(name=name, names="  ".join(NAMES)))
    return NumberFormat(name[-2], name[1:-5], marks=True)


def guess_number_format(values: Sequence[str]) -> NumberFormat:
    """Return the most likely number format of some values.

    A comma (or point) is a thousands separator if a number has two of them or another separator follows. It is the
    decimal separator if a number of digits other than three follows it, or a leading zero precedes it. Without such
    evidence a comma separates thousands, a point separates decimals, and a comma leaves the format undecided.

    Args:
        values: Cells of the column, ideally sampled over the whole file.
    """
    step = max(1, -(-len(values) // _MOST_VALUES))
    given = [stripped for value in values[::step] if (stripped := value.strip())]
    missing = missing_words(given)
    given = [value for value in given if value not in missing]
    if not given:
        return NumberFormat(missing=missing, share=0.0)
    bare = [value for value in given if not _PLAIN.fullmatch(value)]
    if not bare and not any("e" in value or "E" in value for value in given):
        return NumberFormat(missing=missing)
    marks = sum(bool(_MARKED.match(value)) and bool(re.search(MARKS, value, re.IGNORECASE)) for value in bare) > 0
    cells = [_unmarked(value) for value in given]
    best, undecided = _separators(cells)
    found = NumberFormat(*best, marks=marks, missing=missing)
    read = sum(read_number(value, found) is not None for value in given)
    return NumberFormat(*best, marks=marks, missing=missing, share=read / len(given), undecided=undecided)


def as_number(value: str) -> float | None:
    """Parse a single cell, whatever its column: with optional decimal comma, thousands separators, currency sign."""
    text = value.strip()
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        text = _ORNAMENT.sub("", text)
        if match := _GROUPED.match(text):
            text = text.replace(match["mark"], "")
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return None
    return number if isfinite(number) else None


def missing_words(values: Sequence[str]) -> tuple[str, ...]:
    """Return the repeated missing-value words among some values; an isolated one counts as a bad cell."""
    words = Counter(value for value in values if value.lower() in MISSING)
    return tuple(sorted(word for word, count in words.items() if count >= _REPEATED))


def read_number(text: str, form: NumberFormat) -> float | None:
    """Return a text as a number, None if it does not match the format; the Python counterpart of `number_sql`."""
    text = text.strip()
    if form.marks:
        text = _unmarked(text)
    if not re.fullmatch(pattern_of(form), text):
        return None
    for space in SPACES if form.thousands == " " else form.thousands:
        text = text.replace(space, "")
    text = text.replace("’", "") if form.thousands == "'" else text
    number = float(text.replace(form.decimal, "."))
    return number if isfinite(number) else None


def pattern_of(form: NumberFormat) -> str:
    """Return the regular expression, for RE2 and Python, of a number without currency signs."""
    groups = {"": "", " ": f"[{SPACES}]", "'": "['’]"}.get(form.thousands, re.escape(form.thousands))
    whole = rf"(?:\d+|\d{{1,3}}(?:{groups}\d{{3}})+)" if groups else r"\d+"
    point = re.escape(form.decimal)
    return rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"


def number_sql(cell: str, form: NumberFormat, kind: str = "FLOAT") -> str:
    """Return the SQL that parses a text as a number, NULL if it does not match the format.

    Args:
        cell: SQL of the text; trusted, never a name from a file.
        form: Number format.
        kind: FLOAT or DOUBLE.
    """
    if form.plain or (form.missing and not (form.thousands or form.marks) and form.decimal == "."):
        return f"try_cast({cell} AS {kind})"
    text = f"trim({cell}, '{SPACES}\t')"
    if form.marks:
        mark = MARKS.replace("'", "''")
        text = f"regexp_replace({text}, '(?i)^([+-]?)\\s*{mark}?[{SPACES}]*(.*?)[{SPACES}]*{mark}?$', '\\1\\2')"
    pattern = pattern_of(form).replace("'", "''")
    bare = "t"
    if form.thousands:
        signs = {" ": SPACES, "'": "''’"}.get(form.thousands, form.thousands)
        bare = f"translate(t, '{signs}', '')"
    if form.decimal != ".":
        bare = f"replace({bare}, '{form.decimal}', '.')"
    read = f"CASE WHEN regexp_full_match(t, '{pattern}') THEN try_cast({bare} AS {kind}) END"
    return f"list_transform([{text}], lambda t: {read})[1]"


def _unmarked(text: str) -> str:
    found = _MARKED.match(text)
    return (found[1] + found[2]).strip(SPACES) if found else text


def _separators(cells: Sequence[str]) -> tuple[tuple[str, str], bool]:
    """Return decimal and thousands separator, and whether the meaning of commas is ambiguous."""
    signed = [cell for cell in cells if re.fullmatch(rf"[+-]?\d[\d.,'’{SPACES}]*", cell)]
    commas = [cell for cell in signed if "," in cell]
    points = [cell for cell in signed if "." in cell]
    spaced = [cell for cell in signed if re.search(rf"\d[{SPACES}'’]\d{{3}}(?!\d)", cell)]
    outer = "'" if any("'" in cell or "’" in cell for cell in spaced) else " " if spaced else ""
    if not commas:
        grouped = sum(bool(re.fullmatch(r"[+-]?\d{1,3}(\.\d{3}){2,}", cell)) for cell in points)
        if grouped and grouped + sum(_groups(cell, ".") for cell in points) >= len(points):
            return (",", "."), False
        return (".", outer), False
    votes = Counter({"decimal": 0, "thousands": 0})
    for cell in commas:
        votes[_meaning(cell)] += 1
    if votes["decimal"] or votes["thousands"]:
        if votes["decimal"] > votes["thousands"]:
            grouped = sum(_groups(cell.partition(",")[0], ".") for cell in points)
            return (",", outer or ("." if grouped else "")), False
        return (".", ","), False
    return ((",", outer), False) if outer else ((".", ","), not any(_fractional(cell) for cell in points))


def _groups(cell: str, separator: str) -> bool:
    return bool(re.fullmatch(rf"[+-]?\d{{1,3}}(\{separator}\d{{3}})+", cell))


def _fractional(cell: str) -> bool:
    """Return whether a number has decimals after a point, so that commas cannot be decimal separators."""
    return "," not in cell and bool(re.fullmatch(r"[+-]?\d+\.\d+", cell)) and not _groups(cell, ".")


def _meaning(cell: str) -> str:
    """Return the meaning of the comma in a number: decimal, thousands, or open."""
    if cell.count(",") > 1:
        return "thousands"
    if "." in cell:
        return "decimal" if cell.rindex(",") > cell.rindex(".") else "thousands"
    whole, _, rest = cell.lstrip("+-").partition(",")
    if len(rest) != 3 or len(whole) > 3 or whole.startswith("0"):
        return "decimal"
    return "open"
