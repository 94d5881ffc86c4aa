"""Normalize user and item identifiers from all sources: interactions, tables, links, lists."""

import re
from collections.abc import Container, Sequence

import pandas as pd

from recsys_core.text import later

BLANKS = (
    " \t\r\n\v\f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""Characters stripped from both ends of an identifier: any white space, and byte order marks."""
NO_IDENTIFIERS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "NULL", "\\N", "NaN", "nan", "<NA>")
"""Placeholders for missing values in spreadsheets, databases and data frames."""
NO_IDENTIFIER_REASON = later("placeholder for a missing value (such as #N/A, NULL, nan)")
_POINT = re.compile(r"(-?\d+)\.0+")
_FORMULA = re.compile(r'="(.*)"')
"""Text that spreadsheets keep unchanged, as in exports of Goodreads: the identifier is between the quotes."""
_BLANK_ENDS = rf"^[{BLANKS}]|[{BLANKS}]$"
ROUNDED = r"^-?\d(?:\.\d+)?[eE]\+\d+$"
"""Regular expression of a number in scientific notation, as spreadsheets export those with over 15 digits."""
ROUNDED_REASON = later(
    "number in scientific notation (1.2E+17), whose last digits may be lost; write identifiers in full, or as text"
)


def trimmed(text: str) -> str:
    """Return an identifier without surrounding blanks and `="..."`; the Python counterpart of `trimmed_sql`."""
    text = text.strip(BLANKS)
    return found[1] if (found := _FORMULA.fullmatch(text)) else text


def trimmed_sql(cell: str, *, pointed: bool = False) -> str:
    """Return the SQL of an identifier without surrounding blanks and `="..."`.

    Args:
        cell: SQL of the text; trusted, never a name from a file.
        pointed: Whether 10.0 means 10, see `are_pointed`.
    """
    text = (
        f"(CASE WHEN regexp_matches({cell}, '{_BLANK_ENDS}|^=') "
        f"THEN regexp_replace(trim({cell}, '{BLANKS}'), '^{_FORMULA.pattern}$', '\\1') ELSE {cell} END)"
    )
    return rf"regexp_replace({text}, '^(-?\d+)\.0+$', '\1')" if pointed else text


def are_pointed(ids: Sequence[str]) -> bool:
    """Return whether identifiers are integers written as decimals, such as 10.0, as pandas does if some are empty."""
    given = [text for text in map(trimmed, ids) if text]
    return any("." in text for text in given) and all(
        _POINT.fullmatch(text) or text.removeprefix("-").isdigit() for text in given
    )


def cleaned(ids: pd.Series) -> pd.Series:
    """Return a column of identifiers, trimmed, and without `.0` if all are numbers."""
    text = ids.str.strip(BLANKS).str.replace(f"^{_FORMULA.pattern}$", r"\1", regex=True)
    return text.str.replace(_POINT.pattern + "$", r"\1", regex=True) if are_pointed(text.tolist()) else text


def as_known(text: str, known: Container[str]) -> str:
    """Return an identifier in the form used by the data: trimmed, and without `.0` if only that form is known."""
    text = trimmed(text)
    if text not in known and (match := _POINT.fullmatch(text)) and match[1] in known:
        return match[1]
    return text
