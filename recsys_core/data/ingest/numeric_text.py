"""Numbers as people write them, read from one cell without knowing the rest of its column."""

import re
from math import isfinite

_ORNAMENT = re.compile(r"^[\s$€£¥₽₹₩+]+|[\s%$€£¥₽₹₩]+$|^(USD|EUR|GBP|CHF)\s*|\s*(USD|EUR|GBP|CHF)$")
_GROUPED = re.compile(r"^-?\d{1,3}(?P<mark>[.,'’ \u00a0\u202f\u2009])\d{3}((?P=mark)\d{3})*(?:(?!(?P=mark))[.,]\d+)?$")


def as_number(value: str) -> float | None:
    """Return a cell as a number, a decimal comma, thousands and a currency sign allowed; None if it is none."""
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
