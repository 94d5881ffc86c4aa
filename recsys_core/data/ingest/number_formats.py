"""Numbers as files write them: decimal comma or point, separators of thousands, currency and percent signs."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

SPACES = " \u00a0\u202f\u2009"
"""What stands between thousands where that is a space: ordinary, not breaking, narrow, thin."""
_SIGNS = r"€$£¥₹₽₩₺₫฿%‰"
_WORDS = r"(?:EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|RUB|BRL|SEK|NOK|DKK|PLN|CZK|HUF|TRY|KRW|AUD|CAD|Kč|zł|kr|元|円|Fr\.?|R\$)"
MARKS = rf"(?:[{_SIGNS}]|{_WORDS})"
"""Regular expression of the signs and codes that may stand before or after a number."""
MISSING = frozenset(
    ["na", "n/a", "nan", "null", "none", "nil", "\\n", "-", "--", "?", "#n/a", "nat", "<na>", "missing", "unknown"]
)
"""Words, in small letters, that stand for no number in columns where they are repeated."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MARKED = re.compile(rf"^([+-]?)\s*{MARKS}?\s*([+-]?[\d.,'’{SPACES}]*\d[.,]?)\s*{MARKS}?$", re.IGNORECASE)
_MOST_VALUES = 20_000
_REPEATED = 3


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Args:
        decimal: What stands before the decimals, a point or a comma.
        thousands: What stands between groups of three digits: nothing, a comma, a point, an apostrophe, or a space.
        marks: Whether currency or percent signs stand beside numbers; they are left out, 85 % is 85.
        missing: Words that stand for no number, as they are written; they occur more than twice.
        share: Part of the values, empty ones and those in `missing` left out, that this reads, 0 to 1.
        undecided: Whether the commas (or points) could as well have the other meaning: all of them stand before
            exactly three digits, and no number has two of them.
    """

    decimal: str = "."
    thousands: str = ""
    marks: bool = False
    missing: tuple[str, ...] = ()
    share: float = 1.0
    undecided: bool = False

    @property
    def name(self) -> str:
        """The format as an example: 1234.5, 1,234.5, 1.234,5 ..."""
        return f"1{self.thousands}234{self.decimal}5"

    @property
    def plain(self) -> bool:
        """Whether the numbers are written as a programming language writes them."""
        return self.decimal == "." and not self.thousands and not self.marks and not self.missing


NAMES = ("1234.5", "1234,5", "1,234.5", "1.234,5", "1'234.5", "1 234,5", "1 234.5", "1'234,5")
"""Names of all formats that can be chosen."""


def format_of_name(name: str, marks: bool = True, missing: tuple[str, ...] = ()) -> NumberFormat:
    """Return the format that a name shows.

    Raises:
        KeyError: There is no such format.
    """
    if name not in NAMES:
        raise KeyError(name)
    return NumberFormat(name[-2], name[1:-5], marks=marks, missing=missing)


def guess_number_format(values: Sequence[str]) -> NumberFormat:
    """Return how some values are written as numbers, with the part of them that are numbers.

    A comma (or point) is a separator of thousands where a number has two of them or another sign follows for the
    decimals, and is the decimal sign where other than three digits follow it or a zero alone stands before it. Where
    neither is seen it separates thousands if it is a comma, and is the decimal sign if it is a point; a comma leaves
    the format undecided.

    Args:
        values: Cells of the column, at best taken from all over the file.
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


def missing_words(values: Sequence[str]) -> tuple[str, ...]:
    """Return the words among some values that stand for nothing, if they are repeated: one alone is a mistake."""
    words = Counter(value for value in values if value.lower() in MISSING)
    return tuple(sorted(word for word, count in words.items() if count >= _REPEATED))


def read_number(text: str, form: NumberFormat) -> float | None:
    """Return the number that a text is in a format, None if it is none; this is what `number_sql` does in SQL."""
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
    """Return the regular expression, for RE2 and Python, of a number without signs of currency."""
    groups = {"": "", " ": f"[{SPACES}]", "'": "['’]"}.get(form.thousands, re.escape(form.thousands))
    whole = rf"(?:\d+|\d{{1,3}}(?:{groups}\d{{3}})+)" if groups else r"\d+"
    point = re.escape(form.decimal)
    return rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"


def number_sql(cell: str, form: NumberFormat, kind: str = "FLOAT") -> str:
    """Return the SQL that reads a text as a number, NULL where it is none in this format.

    Args:
        cell: SQL of the text; made by us, never a name from a file.
        form: How numbers are written.
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


def missing_sql(cell: str, form: NumberFormat) -> str:
    """Return the SQL condition that a text stands for no number: it is empty or one of the words of the format."""
    words = ", ".join("'" + word.replace("'", "''") + "'" for word in ("", *form.missing))
    return f"trim(coalesce({cell}::VARCHAR, '')) IN ({words})"


def _unmarked(text: str) -> str:
    found = _MARKED.match(text)
    return (found[1] + found[2]).strip(SPACES) if found else text


def _separators(cells: Sequence[str]) -> tuple[tuple[str, str], bool]:
    """Return decimal sign and separator of thousands, and whether commas may have the other meaning."""
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
    """Return whether a number has decimals behind a point, so that commas are none."""
    return "," not in cell and bool(re.fullmatch(r"[+-]?\d+\.\d+", cell)) and not _groups(cell, ".")


def _meaning(cell: str) -> str:
    """Return what the comma in a number is: decimal, thousands, or open."""
    if cell.count(",") > 1:
        return "thousands"
    if "." in cell:
        return "decimal" if cell.rindex(",") > cell.rindex(".") else "thousands"
    whole, _, rest = cell.lstrip("+-").partition(",")
    if len(rest) != 3 or len(whole) > 3 or whole.startswith("0"):
        return "decimal"
    return "open"
