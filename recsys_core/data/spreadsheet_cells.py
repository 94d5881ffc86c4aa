"""Escape text that spreadsheets would run as a formula (CSV injection).

A cell is dangerous if it begins with = + - @ (or their full-width forms, which Excel accepts in East Asian locales), or
with a tab, carriage return or line feed, after which a formula may begin. A leading apostrophe turns it into text.
Numbers such as -5 or +1.5e3 are not formulas and stay unchanged.

Source: OWASP, "CSV Injection".
"""

import re
from typing import Any

STARTS = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"
_NUMBER = r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?"
_PLAIN = re.compile(_NUMBER)


def escaped_cell(value: Any) -> Any:
    """Return dangerous text with a leading apostrophe; any other value unchanged."""
    if isinstance(value, str) and value.startswith(tuple(STARTS)) and not _PLAIN.fullmatch(value):
        return f"'{value}"
    return value


def escaped_sql(column: str) -> str:
    """Return the SQL of a text column with a leading apostrophe on dangerous cells."""
    starts = ", ".join(f"chr({ord(letter)})" for letter in STARTS)
    text = f"CAST({column} AS VARCHAR)"
    dangerous = f"left({text}, 1) IN ({starts}) AND NOT regexp_full_match({text}, '{_NUMBER}')"
    return f"CASE WHEN {dangerous} THEN chr(39) || {text} ELSE {text} END"
