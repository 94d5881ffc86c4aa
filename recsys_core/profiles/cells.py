"""Attributes of users and items as text, and notes about missing information."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recsys_core.columns import LIST_SEPARATOR
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.features import CATEGORY_PART, PICTURE_PART, TERM_PART, Features
from recsys_core.profiles.kinds import Kind, columns_of, kinds_of
from recsys_core.profiles.phrases import Words

_MOST_ENTRIES = 12


def given_cells(table: pd.DataFrame | None, row: int) -> dict[str, str]:
    """Return the cells of a row as text, without empty ones and images; empty without a table."""
    if table is None:
        return {}
    cells = {str(name): table[name].iloc[row] for name in table.columns}
    return {name: _text(cell) for name, cell in cells.items() if _is_given(cell)}


def _is_given(cell: object) -> bool:
    if isinstance(cell, bytes | bytearray | memoryview):
        return False
    if isinstance(cell, list | tuple | np.ndarray):
        return len(cell) > 0
    return not (cell is None or cell is pd.NA or cell is pd.NaT or cell != cell or str(cell) == "")  # noqa: PLR0124


def _text(cell: object) -> str:
    if not isinstance(cell, list | tuple | np.ndarray):
        return str(cell)
    shown = [f"{entry:.3g}" if isinstance(entry, float | np.floating) else str(entry) for entry in cell]
    return LIST_SEPARATOR.join(shown[:_MOST_ENTRIES]) + ("..." if len(shown) > _MOST_ENTRIES else "")


def missing_of_users(dataset: Dataset) -> Iterator[Words]:
    """Yield notes on information about users that the data set lacks."""
    if dataset.users is None:
        yield Words(
            "There is no user table: attributes such as age or city are unknown, and profiles are based on "
            "interactions only."
        )
    else:
        yield from _unused(columns_of(kinds_of(dataset.users), Kind.CODE, Kind.PICTURE))
    if not dataset.has_ratings:
        yield Words("There are no ratings: every interaction counts as relevant.")
    if not dataset.has_timestamps:
        yield Words("There are no timestamps: activity over time and sessions are unknown.")
    if dataset.items is None:
        yield Words(
            "There is no item table: preferences are described by latent directions only, not by categories, terms "
            "or prices."
        )


def _unused(columns: list[str]) -> Iterator[Words]:
    if columns:
        yield Words("Columns with codes or links are not used: {columns}.", {"columns": ", ".join(columns)})


def missing_of_items(dataset: Dataset, content: Features | None) -> Iterator[Words]:
    """Yield notes on information about items that the data set lacks, and on unused columns."""
    if dataset.items is None or content is None:
        yield Words("There is no item table: items are described by their interactions only.")
    else:
        kinds = kinds_of(dataset.items)
        yield from _unused(columns_of(kinds, Kind.CODE))
        if CATEGORY_PART not in content.parts:
            yield Words("The item table has no categories.")
        if TERM_PART not in content.parts:
            yield Words("The item table has no titles or texts with terms that occur more than once.")
        for name in columns_of(kinds, Kind.PICTURE):
            yield _pictures(dataset.items[name], name, content)
    if not dataset.has_ratings:
        yield Words("There are no ratings: rating means and deviations are unknown.")
    if not dataset.has_timestamps:
        yield Words("There are no timestamps: the history of an item over time is unknown.")


def _pictures(column: pd.Series, name: str, content: Features) -> Words:
    """Return the numbers of images that were read, are broken, and are missing."""
    contents = int(column.map(lambda cell: isinstance(cell, bytes | bytearray)).sum())
    if not contents:
        return Words("Column {column} contains image file names; upload the images as a zip file.", {"column": name})
    read = 0
    if PICTURE_PART in content.parts:
        flag, names = f"{name} missing", content.names_of(PICTURE_PART)
        gone = content.part(PICTURE_PART)[:, [names.index(flag)]].sum() if flag in names else 0
        read = len(column) - int(gone)
    values = {"read": f"{read:,}", "broken": f"{contents - read:,}", "missing": f"{len(column) - contents:,}"}
    return Words("Images: {read} read, {broken} broken, {missing} missing.", values)
