"""Parse a number from a single cell, independent of its column."""

import re
from math import isfinite

_ORNAMENT = re.compile(r"^[\s$€£¥₽₹₩+]+|[\s%$€£¥₽₹₩]+$|^(USD|EUR|GBP|CHF)\s*|\s*(USD|EUR|GBP|CHF)$")
_GROUPED = re.compile(r"^-?\d{1,3}(?P<mark>[.,'’ \u00a0\u202f\u2009])\d{3}((?P=mark)\d{3})*(?:(?!(?P=mark))[.,]\d+)?$")


def as_number(value: str) -> float | None:
    """Parse a cell as a number with optional decimal comma, thousands separators and currency sign; else None."""
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
