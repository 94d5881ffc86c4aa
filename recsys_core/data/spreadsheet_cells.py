"""Text that a spreadsheet would run as a formula, made harmless in files that are meant for spreadsheets.

A cell is dangerous if it begins with = + - @ (also in full width, which Excel reads alike in East Asian settings), or
with a tab, a carriage return or a line feed, behind which a formula may begin. An apostrophe before it makes it text.
Numbers such as -5 or +1.5e3 are no formulas and stay as they are.

Source: OWASP, "CSV Injection".
"""

import re
from typing import Any

STARTS = "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"
_NUMBER = r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?"
_PLAIN = re.compile(_NUMBER)


def escaped_cell(value: Any) -> Any:
    """Return dangerous text with an apostrophe before it; everything else as it is."""
    if isinstance(value, str) and value.startswith(tuple(STARTS)) and not _PLAIN.fullmatch(value):
        return f"'{value}"
    return value


def escaped_sql(column: str) -> str:
    """Return the SQL of a column of text whose dangerous cells have an apostrophe before them."""
    starts = ", ".join(f"chr({ord(letter)})" for letter in STARTS)
    text = f"CAST({column} AS VARCHAR)"
    dangerous = f"left({text}, 1) IN ({starts}) AND NOT regexp_full_match({text}, '{_NUMBER}')"
    return f"CASE WHEN {dangerous} THEN chr(39) || {text} ELSE {text} END"
