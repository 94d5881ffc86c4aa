"""Inference of the kind of an attribute column: categories, text, numbers, dates, images, vectors, or codes."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, EMBEDDING, IMAGE, LIST_SEPARATOR, TEXT, TITLE
from recsys_core.contracts import FloatArray

LOOKED_AT = 400
"""Number of cells of a column that are inspected."""
PICTURE_ENDING = re.compile(r"\.(jpe?g|png|gif|bmp|webp|tiff?)$", re.IGNORECASE)
_CODE_NAME = re.compile(r"(^|_| )(id|ids|zip|zip_?code|postal|postcode|phone|url|link|imdb\w*|tmdb\w*)$", re.IGNORECASE)
_CODED_NAME = re.compile(
    r"(sex|gender|city|country|region|state|education|occupation|job|profession|class|type|category|brand|group)",
    re.IGNORECASE,
)
_DATE = re.compile(r"^\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}\b")
_DATE_NAME = re.compile(r"(date|time|released|created|born|year)", re.IGNORECASE)
FIRST_YEAR, LAST_YEAR = 1000, 2200


class Kind(StrEnum):
    """Kind of a column."""

    CATEGORIES = "categories"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    PICTURE = "picture"
    EMBEDDING = "embedding"
    CODE = "code"
    EMPTY = "empty"


def kinds_of(table: pd.DataFrame) -> dict[str, Kind]:
    """Return the kind of each column of a user or item table, in order."""
    return {str(name): kind_of(str(name), table[name]) for name in table.columns}


def columns_of(kinds: Mapping[str, Kind], *wanted: Kind) -> list[str]:
    """Return the names of the columns of the wanted kinds."""
    return [name for name, kind in kinds.items() if kind in wanted]


def kind_of(name: str, column: pd.Series) -> Kind:
    """Return the kind of a column, inferred from its name and its first non-empty cells.

    Codes (identifiers, links, postal codes) and empty columns are not used as features.
    """
    given = column.dropna()
    if not len(given):
        return Kind.EMPTY
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Kind.DATE
    if pd.api.types.is_bool_dtype(column.dtype):
        return Kind.CATEGORIES
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _kind_of_numbers(name, given)
    return _kind_of_objects(name, given)


def _kind_of_numbers(name: str, given: pd.Series) -> Kind:
    numbers = given.astype(np.float64).to_numpy()
    whole = bool((numbers % 1 == 0).all())
    if whole and _CODE_NAME.search(name):
        return Kind.CODE
    if whole and _CODED_NAME.search(name) and given.nunique() <= 50:
        return Kind.CATEGORIES
    if whole and _DATE_NAME.search(name) and (_are_years(numbers) or bool((numbers > 1e8).all())):
        return Kind.DATE
    return Kind.NUMBER


def _are_years(numbers: FloatArray) -> bool:
    return bool(((numbers >= FIRST_YEAR) & (numbers <= LAST_YEAR)).mean() > 0.95)


def _kind_of_objects(name: str, given: pd.Series) -> Kind:
    cells = given.head(LOOKED_AT).tolist()
    if isinstance(cells[0], bytes | bytearray | memoryview):
        return Kind.PICTURE
    if isinstance(cells[0], list | tuple | np.ndarray):
        return Kind.EMBEDDING if vector(cells[0]) is not None else Kind.CATEGORIES
    return _kind_of_text(name, given.astype(str), [str(cell) for cell in cells])


def _kind_of_text(name: str, given: pd.Series, cells: Sequence[str]) -> Kind:
    """Return the kind of the first matching rule."""
    words = float(np.mean([len(cell.split()) for cell in cells]))
    is_vector = name == EMBEDDING or cells[0].startswith("[")
    of_pictures = _share(PICTURE_ENDING.search(cell) for cell in cells) > 0.5
    few = given.nunique() <= max(12, 0.5 * len(given))
    rules = (
        (name == CATEGORIES, Kind.CATEGORIES),
        (name in (TITLE, TEXT), Kind.TEXT),
        (is_vector and vector(cells[0]) is not None, Kind.EMBEDDING),
        (_share(cell.startswith(("http://", "https://")) for cell in cells) > 0.5, Kind.CODE),
        (of_pictures, Kind.PICTURE),
        (bool(_CODE_NAME.search(name)) or name == IMAGE, Kind.CODE),
        (_share(_DATE.match(cell) for cell in cells) > 0.9, Kind.DATE),
        (_share(LIST_SEPARATOR in cell for cell in cells) > 0.1, Kind.CATEGORIES),
        (words <= 4 and few, Kind.CATEGORIES),
        (words > 1.5, Kind.TEXT),
    )
    return next((kind for holds, kind in rules if holds), Kind.CODE)


def _share(hits: Any) -> float:
    return float(np.mean([bool(hit) for hit in hits]))


def vector(cell: object) -> FloatArray | None:
    """Return the numbers in a cell: a list, or text such as `[0.1, 2]` or `0.1|2`; None for any other content."""
    if isinstance(cell, str):
        parts = [part for part in re.split(r"[|,;\s]+", cell.strip().strip("[]()")) if part]
    elif isinstance(cell, list | tuple | np.ndarray):
        parts = list(cell)
    else:
        return None
    try:
        numbers = np.array([float(part) for part in parts], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) and bool(np.isfinite(numbers).all()) else None


def entries(cell: object) -> list[str]:
    """Return the distinct entries of a cell with one or several; empty for a missing cell."""
    if isinstance(cell, list | tuple | np.ndarray):
        parts = [str(part) for part in cell]
    elif cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return []
    else:
        parts = str(cell).split(LIST_SEPARATOR)
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
