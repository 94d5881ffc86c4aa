"""Number formats: decimal comma or point, thousands separators, currency and percent signs, 4/5 and drawn stars."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from recsys_core.errors import DataError
from recsys_core.text import _

SPACES = " \u00a0\u202f\u2009"
"""Spaces used as thousands separators: ordinary, non-breaking, narrow non-breaking, thin."""
_SIGNS = r"€$£¥₹₽₩₺₫฿%‰"
_WORDS = r"(?:EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|RUB|BRL|SEK|NOK|DKK|PLN|CZK|HUF|TRY|KRW|AUD|CAD|Kč|zł|kr|元|円|Fr\.?|R\$)"
_STAR_WORDS = r"(?:stars?|Sternen?|Stern|étoiles?|estrellas?|estrelas?|stell[ae]|sterren|ster|gwiazdk[ai]|★|⭐)"
MARKS = rf"(?:[{_SIGNS}]|{_WORDS}|{_STAR_WORDS})"
"""Regular expression of currency codes and signs, and of words for stars, before or after a number."""
_OUT_OF = r"\s*(?:/|out of|of|von|sur|de|su|van|av|af|z|из)\s*"
_TOPS = r"(?:100|10|20|[3-7])"
_AFTER = rf"(?:\s*{_STAR_WORDS})?"


def _rated_by(tops: str) -> str:
    """Return the regular expression, for RE2 and Python, of a number out of a maximum: the groups are the two."""
    return rf"(?i)^(\d+(?:[.,]\d+)?){_OUT_OF}({tops}){_AFTER}$"


_RATED = re.compile(_rated_by(_TOPS))
_STARS = r"(?:[★⭐]+½?|½)[☆✩✰]*"
"""Regular expression of a rating drawn as stars: full ones, perhaps a half, empty ones."""
MISSING = frozenset(
    ["na", "n/a", "nan", "null", "none", "nil", "\\n", "-", "--", "?", "#n/a", "nat", "<na>", "missing", "unknown"]
)
"""Missing-value words, in lower case; they count as missing if they are repeated in a column."""
_SCRIPTS = (
    "".join(chr(zero + n) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10) for n in range(10)) + "٫٬．，－"
)
_LATIN = 6 * "0123456789" + ".,.,-"
"""Arabic, Persian, Devanagari, Bengali, Thai and full-width digits with their separators, and what they stand for."""
_TO_LATIN = str.maketrans(_SCRIPTS, _LATIN)
_MINUS_AFTER = r"^\((.*\d.*)\)$|^([^-]*\d[^-]*)-$"
"""Negative numbers of accounting programs: (12) and 12-."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MARKED = re.compile(rf"^([+-]?)\s*{MARKS}?\s*([+-]?[\d.,'’{SPACES}]*\d[.,]?)\s*{MARKS}?$", re.IGNORECASE)
_ORNAMENT = re.compile(
    rf"^[\s$€£¥₽₹₩+]+|[\s%$€£¥₽₹₩]+$|^(USD|EUR|GBP|CHF)\s*|\s*(USD|EUR|GBP|CHF|{_STAR_WORDS})$", re.IGNORECASE
)
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
        top: Maximum that follows each number, as 5 in '4/5', '4 out of 5' or '4,0 von 5 Sternen'; empty for none.
        scripts: Whether some digits are those of other scripts, such as ٤ or ４.
        minus_after: Whether some negative numbers are written as (12) or 12-.
        stars: Whether numbers are drawn as stars: ★★★½ is 3.5.
        undecided: Whether the format is ambiguous: exactly three digits follow every comma (or point), and no number
            has two of them.
    """

    decimal: str = "."
    thousands: str = ""
    marks: bool = False
    missing: tuple[str, ...] = ()
    share: float = 1.0
    top: str = ""
    scripts: bool = False
    minus_after: bool = False
    stars: bool = False
    undecided: bool = False

    @property
    def name(self) -> str:
        """The format as an example: 1234.5, 1,234.5, 1.234,5, ..., 4.5/5, ★★★½."""
        if self.stars:
            return _NAME_OF_STARS
        return f"4{self.decimal}5/{self.top}" if self.top else f"1{self.thousands}234{self.decimal}5"

    @property
    def plain(self) -> bool:
        """Whether numbers are written as in programming languages."""
        usual = self.decimal == "." and not self.thousands and not self.marks
        usual = usual and not self.scripts and not self.minus_after
        return usual and not self.missing and not self.top and not self.stars


NAMES = ("1234.5", "1234,5", "1,234.5", "1.234,5", "1'234.5", "1 234,5", "1 234.5", "1'234,5")
"""Names of the formats of numbers in any column; ratings out of a maximum and drawn stars have further ones."""
_NAME_OF_STARS = "★★★½"
_NAME_OF_RATED = re.compile(rf"4([.,])5/({_TOPS})")


def format_of_name(name: str) -> NumberFormat:
    """Return the format with this name, with or without currency and percent signs.

    Raises:
        DataError: The format is unknown.
    """
    if name == _NAME_OF_STARS:
        return NumberFormat(stars=True)
    if match := _NAME_OF_RATED.match(name):
        return NumberFormat(match[1], top=match[2])
    if name not in NAMES:
        raise DataError(_("Unknown number format '{name}'. Known: {names}.").format(name=name, names="  ".join(NAMES)))
    return NumberFormat(name[-2], name[1:-5], marks=True, scripts=True, minus_after=True)


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
    latin = [_in_latin(value) for value in given]
    signed = [_with_minus_first(value) for value in latin]
    found = _guessed(signed, missing)
    return replace(found, scripts=latin != given, minus_after=signed != latin)


def with_points_of_thousands(
    formats: Mapping[str, NumberFormat], values: Mapping[str, Sequence[str]]
) -> dict[str, NumberFormat]:
    """Return the formats of a file's columns, with 1.500 as 1500 if another column has decimal commas.

    Args:
        formats: Format of each role.
        values: Sample values of each role.
    """
    commas = any(form.decimal == "," and not form.undecided for form in formats.values())
    return {
        role: replace(form, decimal=",", thousands=".") if commas and _has_groups(form, values[role]) else form
        for role, form in formats.items()
    }


def _has_groups(form: NumberFormat, values: Sequence[str]) -> bool:
    pointed = [value for value in map(_unmarked, values) if "." in value]
    plain = form.decimal == "." and not form.thousands and not form.top and not form.stars
    whole = all(_GROUPED.match(value) and not value.lstrip("-").startswith("0") for value in pointed)  # no 0.125
    return plain and bool(pointed) and whole


def _guessed(given: list[str], missing: tuple[str, ...]) -> NumberFormat:
    bare = [value for value in given if not _PLAIN.fullmatch(value)]
    if not bare and not any("e" in value or "E" in value for value in given):
        return NumberFormat(missing=missing)
    if sum(map(_is_drawn, bare)) > len(given) / 2:
        return _counted(NumberFormat(stars=True, missing=missing), given)
    rated = [match for value in bare if (match := _RATED.match(value))]
    if len(rated) > len(given) / 2:
        (top, _count), *_others = Counter(match[2] for match in rated).most_common()
        comma = any("," in match[1] for match in rated)
        return _counted(NumberFormat("," if comma else ".", top=top, missing=missing), given)
    marks = sum(bool(_MARKED.match(value)) and bool(re.search(MARKS, value, re.IGNORECASE)) for value in bare) > 0
    cells = [_unmarked(value) for value in given]
    best, undecided = _separators(cells)
    return _counted(NumberFormat(*best, marks=marks, missing=missing, undecided=undecided), given)


def _counted(form: NumberFormat, given: Sequence[str]) -> NumberFormat:
    """Return the format with the share of the values that it reads."""
    return replace(form, share=sum(read_number(value, form) is not None for value in given) / len(given))


def _is_drawn(value: str) -> bool:
    return re.fullmatch(_STARS, value) is not None


def _in_latin(text: str) -> str:
    """Return a text with Latin digits."""
    return text if text.isascii() else text.translate(_TO_LATIN)


def _with_minus_first(text: str) -> str:
    """Return -12 for 12- and (12), any other text unchanged."""
    return re.sub(_MINUS_AFTER, r"-\1\2", text) if text[-1:] in {"-", ")"} else text


def as_number(value: str) -> float | None:
    """Parse a single cell, whatever its column, in any of the formats; of ratings such as 4/5, up to the maximum."""
    text = _with_minus_first(_in_latin(value.strip()))
    if _is_drawn(text):
        return _drawn(text)
    if match := _RATED.match(text):
        number = as_number(match[1])
        return number if number is not None and number <= float(match[2]) else None
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
    text = _in_latin(text) if form.scripts else text
    text = _with_minus_first(text) if form.minus_after else text
    if form.stars:
        return _drawn(text) if _is_drawn(text) else None
    if form.top:
        match = re.fullmatch(_rated_by(form.top), text)
        text = match[1] if match else ""
    if form.marks:
        text = _unmarked(text)
    if not re.fullmatch(pattern_of(form), text, re.ASCII):
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
    if replace(form, missing=()).plain:
        return f"try_cast({cell} AS {kind})"
    text = f"trim({cell}, '{SPACES}\t')"
    if form.scripts:
        text = f"translate({text}, '{_SCRIPTS}', '{_LATIN}')"
    if form.minus_after:
        text = f"regexp_replace({text}, '{_MINUS_AFTER}', '-\\1\\2')"
    if form.stars:
        count = "length(regexp_replace(t, '[^★⭐]', '', 'g')) + 0.5 * contains(t, '½')::INTEGER"
        drawn = f"CASE WHEN regexp_full_match(t, '{_STARS}') THEN {count} END"
        return f"list_transform([{text}], lambda t: {drawn})[1]::{kind}"
    if form.top:
        text = f"regexp_extract({text}, '{_rated_by(form.top)}', 1)"
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


def _drawn(text: str) -> float:
    """Return the number of full and half stars."""
    return sum(text.count(star) for star in "★⭐") + 0.5 * text.count("½")


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
