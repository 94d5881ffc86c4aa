"""Identifiers of users and items, written alike wherever they come from: interactions, tables, links, lists."""

import re
from collections.abc import Container, Sequence

import pandas as pd

BLANKS = (
    " \t\r\n\v\f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What is taken away at both ends of an identifier: white space of any kind, and byte order marks."""
NO_IDENTIFIERS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "NULL", "\\N", "NaN", "nan", "<NA>")
"""What spreadsheets, databases and data frames write where there is no identifier."""
NO_IDENTIFIER_REASON = "stands for an empty cell (such as #N/A, NULL, nan)"
_POINT = re.compile(r"(-?\d+)\.0+")
_BLANK_ENDS = rf"^[{BLANKS}]|[{BLANKS}]$"
ROUNDED = r"^-?\d(?:\.\d+)?[eE]\+\d+$"
"""Regular expression of a number of more than 15 digits, as spreadsheets write it once its last digits are lost."""
ROUNDED_REASON = (
    "a number of more than 15 digits, whose last digits are lost; keep the identifiers as text, or export them as CSV"
)


def trimmed(text: str) -> str:
    """Return an identifier without blanks at its ends; this is what `trimmed_sql` does in SQL."""
    return text.strip(BLANKS)


def trimmed_sql(cell: str, *, pointed: bool = False) -> str:
    """Return the SQL of an identifier without blanks at its ends.

    Args:
        cell: SQL of the text; made by us, never a name from a file.
        pointed: Whether 10.0 stands for 10, see `are_pointed`.
    """
    text = f"(CASE WHEN regexp_matches({cell}, '{_BLANK_ENDS}') THEN trim({cell}, '{BLANKS}') ELSE {cell} END)"
    return rf"regexp_replace({text}, '^(-?\d+)\.0+$', '\1')" if pointed else text


def are_pointed(ids: Sequence[str]) -> bool:
    """Return whether identifiers are whole numbers that were written as decimal ones, such as 10.0, by a program that
    had to leave some of them empty.
    """
    given = [text for text in map(trimmed, ids) if text]
    return any("." in text for text in given) and all(
        _POINT.fullmatch(text) or text.removeprefix("-").isdigit() for text in given
    )


def cleaned(ids: pd.Series) -> pd.Series:
    """Return a whole column of identifiers, trimmed, and without `.0` where all are numbers."""
    text = ids.str.strip(BLANKS)
    return text.str.replace(_POINT.pattern + "$", r"\1", regex=True) if are_pointed(text.tolist()) else text


def as_known(text: str, known: Container[str]) -> str:
    """Return an identifier as data write it: trimmed, and without `.0` if it is known only so."""
    text = trimmed(text)
    if text not in known and (match := _POINT.fullmatch(text)) and match[1] in known:
        return match[1]
    return text
