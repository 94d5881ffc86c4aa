"""Encoding of table columns as matrix columns: scaled numbers, dates as numbers, categories as flags."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array, hstack

from recsys_core.contracts import FloatArray
from recsys_core.profiles.kinds import entries

FARTHEST = 5.0
"""Scaled numbers are clipped at this number of robust standard deviations."""
MOST_CATEGORIES = 300
"""Maximum number of categories per column, the most frequent ones."""
_SMALL = 50


@dataclass(frozen=True, eq=False)
class Block:
    """Named columns for N rows.

    Args:
        matrix: (N, F) float64.
        names: (F,) column names.
    """

    matrix: csr_array
    names: tuple[str, ...]


def joined(blocks: Sequence[Block], rows: int) -> Block:
    """Return blocks concatenated by columns; (rows, 0) for no blocks."""
    kept = [block for block in blocks if block.names]
    if not kept:
        return Block(csr_array((rows, 0), dtype=np.float64), ())
    matrix = csr_array(hstack([block.matrix for block in kept], format="csr"), dtype=np.float64)
    return Block(matrix, tuple(name for block in kept for name in block.names))


def dense_block(columns: FloatArray, names: Sequence[str]) -> Block:
    """Return (N, F) numbers as a block."""
    return Block(csr_array(columns, dtype=np.float64), tuple(names))


def as_numbers(column: pd.Series) -> FloatArray:
    """Return (N,) float64, NaN where missing or not finite."""
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def robust_scale(values: FloatArray) -> tuple[float, float]:
    """Return center and scale of (N,) numbers: median and interquartile range / 1.349, which is the standard deviation
    for a normal distribution; the standard deviation itself if the quartiles are equal; 0 for constant numbers.
    """
    given = values[~np.isnan(values)]
    if not len(given):
        return 0.0, 0.0
    low, middle, high = np.quantile(given, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 if high > low else float(given.std())
    return float(middle), float(scale)


def scaled(values: FloatArray, name: str, *, flagged: bool = True) -> Block:
    """Return (N,) numbers as (x - median) / robust deviation, clipped at 5, and, if some are missing, a missing flag.

    Missing numbers become 0 (the median). Constant numbers give no column; without `flagged` there is no flag.
    """
    middle, scale = robust_scale(values)
    missing = np.isnan(values)
    columns, names = [], []
    if scale > 0:
        columns.append(np.where(missing, 0.0, np.clip((values - middle) / scale, -FARTHEST, FARTHEST)))
        names.append(name)
    if flagged and missing.any() and not missing.all():
        columns.append(missing.astype(np.float64))
        names.append(f"{name} missing")
    return dense_block(np.column_stack(columns) if columns else np.zeros((len(values), 0)), names)


def flags(column: pd.Series, name: str, most: int = MOST_CATEGORIES) -> Block:
    """Return one 0/1 column for each category; cells contain one or several.

    Only the `most` frequent categories with at least two rows (one row for fewer than 50 rows) are kept, in
    alphabetical order.
    """
    cells = [entries(cell) for cell in column]
    counts = Counter(entry for cell in cells for entry in cell)
    least = 2 if len(cells) >= _SMALL else 1
    ranked = sorted((-count, entry) for entry, count in counts.items() if count >= least)
    kept = sorted(entry for _, entry in ranked[:most])
    place = {entry: number for number, entry in enumerate(kept)}
    pairs = [(row, place[entry]) for row, cell in enumerate(cells) for entry in cell if entry in place]
    rows, columns = np.array(pairs, dtype=np.int64).T if pairs else np.empty((2, 0), np.int64)
    matrix = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(cells), len(kept)))
    return Block(csr_array(matrix), tuple(f"{name}: {entry}" for entry in kept))


def years(column: pd.Series) -> FloatArray:
    """Return (N,) dates as decimal years, NaN where missing.

    Numbers up to 2200 are years, above 1e11 Unix milliseconds, others Unix seconds.
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers = as_numbers(column)
        seconds = np.where(np.abs(numbers) > 1e11, numbers / 1000, numbers)
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(numbers) <= 2200, numbers, 1970 + seconds / (365.2425 * 86_400))
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        dates = pd.to_datetime(column, utc=True)
    else:
        dates = pd.to_datetime(column.astype("str"), errors="coerce", format="mixed", utc=True)
    inside = (dates.dt.day_of_year - 1) / (365 + dates.dt.is_leap_year)
    return (dates.dt.year + inside).to_numpy(dtype=np.float64, na_value=np.nan)


def seasons(column: pd.Series) -> Block:
    """Return the time of year as (sine, cosine), 0 where missing; no columns if there are only years."""
    moments = years(column)
    share = moments % 1
    given = ~np.isnan(moments)
    if not given.any() or bool((share[given] == 0).all()):
        return joined([], len(column))
    angle = 2 * np.pi * np.where(given, share, 0)
    circle = np.column_stack([np.sin(angle), np.cos(angle)]) * given[:, None]
    return dense_block(circle, (f"{column.name} in the year (sine)", f"{column.name} in the year (cosine)"))
