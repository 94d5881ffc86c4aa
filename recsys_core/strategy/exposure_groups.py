"""Groups of items by the values of a field, whose shares of the exposure a strategy moves."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from recsys_core.columns import LIST_SEPARATOR
from recsys_core.contracts import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.facts import Facts

MOST_GROUPS = 8
BANDS = 4
"""Bands of a field of numbers with more different values than `MOST_GROUPS`."""


def groups_of(facts: Facts, field: str, exposed: FloatArray, most: int = MOST_GROUPS) -> Mapping[str, FloatArray]:
    """Return the groups with the most exposure: `field=value` -> (I,) share of each item that belongs to it.

    A cell that lists several values belongs to each in equal shares. Numbers with many different values form bands with
    about equally many items. Items without a value belong to no group.

    Args:
        facts: Facts of the data.
        field: A field of the items.
        exposed: (I,) exposure of each item, which decides what groups are returned.
        most: Number of groups returned.

    Raises:
        ConfigError: There is no such field.
    """
    if field not in facts.table:
        raise ConfigError(f"There is no item field '{field}'. Known: {', '.join(map(str, facts.table.columns))}.")
    column = facts.table[field]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        column = _banded(column)
    cells = pd.Series([_values(cell) for cell in column])
    counts = cells.map(len).to_numpy()
    rows = np.repeat(np.arange(len(cells)), counts)
    values = pd.Series([value for cell in cells for value in cell], dtype="str")
    weights = 1.0 / np.repeat(np.maximum(counts, 1), counts)
    totals = (pd.Series(exposed[rows] * weights).groupby(values.to_numpy()).sum()).sort_values(
        ascending=False, kind="stable"
    )
    groups = {}
    for value in totals.index[:most]:
        belongs = np.zeros(len(cells))
        own = (values == value).to_numpy()
        belongs[rows[own]] = weights[own]
        groups[f"{field}={value}"] = belongs
    return groups


def _values(cell: object) -> list[str]:
    """Return the distinct values of a cell; none if it is empty."""
    if cell is None or cell != cell or cell is pd.NA:  # noqa: PLR0124 - NaN is the only such value
        return []
    return list(dict.fromkeys(value.strip() for value in str(cell).split(LIST_SEPARATOR) if value.strip()))


def _banded(column: "pd.Series[float]") -> "pd.Series[str]":
    """Return numbers as text, in bands if they have many different values."""
    if column.nunique() <= MOST_GROUPS:
        return column.map(lambda value: None if pd.isna(value) else f"{value:g}")
    ends = np.unique(np.nanquantile(column, np.linspace(0, 1, BANDS + 1)))
    bands = np.clip(np.searchsorted(ends, column.to_numpy(np.float64), side="left"), 1, len(ends) - 1)
    names = [f"{low:g} to {high:g}" for low, high in pairwise(ends)]
    return pd.Series([None if pd.isna(value) else names[band - 1] for value, band in zip(column, bands, strict=True)])
