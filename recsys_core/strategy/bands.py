"""The values of a field as text: numbers with many different values become bands."""

from itertools import pairwise

import numpy as np
import pandas as pd

from recsys_core.columns import LIST_SEPARATOR
from recsys_core.contracts import FloatArray

MOST_VALUES = 8
"""A field of numbers with more different values is shown in bands."""
BANDS = 4


def labels_of(column: pd.Series) -> list[str | None]:
    """Return the text of each cell, None without a value; bands hold about equally many cells.

    Args:
        column: Cells of one field: numbers, or anything with a text.
    """
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric:
        return [str(cell) if isinstance(cell, str) or not pd.isna(cell) else None for cell in column]
    values = column.to_numpy(np.float64, na_value=np.nan)
    if len(np.unique(values[~np.isnan(values)])) <= MOST_VALUES:
        return [None if np.isnan(value) else f"{value:g}" for value in values]
    return _banded(values)


def entries_of(label: str | None) -> list[str]:
    """Return the distinct entries of a cell that may list several; none without a value."""
    parts = [] if label is None else [entry.strip() for entry in label.split(LIST_SEPARATOR)]
    return list(dict.fromkeys(part for part in parts if part))


def _banded(values: FloatArray) -> list[str | None]:
    ends = np.unique(np.nanquantile(values, np.linspace(0, 1, BANDS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in pairwise(ends)]
    bands = np.clip(np.searchsorted(ends, values, side="left") - 1, 0, len(names) - 1)
    return [None if np.isnan(value) else names[band] for value, band in zip(values, bands, strict=True)]
