"""Data sets by their properties: which are alike, and a map in two dimensions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import FloatArray
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset

DAY_MS = 86_400_000
LOGARITHMIC = ("users", "items", "interactions", "per_user", "density", "days")
TRAITS = (*LOGARITHMIC, "concentration", "repeated")
"""Properties, see `traits`; those in `LOGARITHMIC` count by their logarithm."""


def traits(dataset: Dataset) -> dict[str, float]:
    """Return the properties of a data set with interactions.

    Returns:
        `users`, `items` (with interactions), `interactions`, `per_user` (median interactions per user), `density`
        (share of the user-item pairs that occur), `days` (from the first to the last known time, at least 1),
        `concentration` (Gini coefficient of the interactions per item: 0 equal, 1 all with one item) and `repeated`
        (share of interactions whose pair occurred before).
    """
    frame = dataset.interactions
    per_user = np.bincount(frame[USER])
    per_item = np.sort(np.bincount(frame[ITEM])[np.bincount(frame[ITEM]) > 0])
    users, items, rows = int((per_user > 0).sum()), len(per_item), len(frame)
    pairs = int((~frame.duplicated([USER, ITEM])).sum())
    ranks = np.arange(1, items + 1)
    gini = float((2 * ranks - items - 1) @ per_item / (items * per_item.sum()))
    days = 1.0
    if dataset.has_timestamps:
        times = frame[TIMESTAMP].to_numpy()
        known = times[times != NO_TIMESTAMP]
        days = max(1.0, float(known.max() - known.min()) / DAY_MS) if len(known) else 1.0
    return {
        "users": float(users), "items": float(items), "interactions": float(rows),
        "per_user": float(np.median(per_user[per_user > 0])), "density": pairs / (users * items), "days": days,
        "concentration": gini, "repeated": 1 - pairs / rows,
    }  # fmt: skip


def distances(named: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return (N, N) distances between data sets: Euclidean, over properties standardized over these data sets.

    Args:
        named: Properties of each data set by its name.
    """
    points = _standardized(named)
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    return pd.DataFrame(apart, index=list(named), columns=list(named))


def most_alike(named: Mapping[str, Mapping[str, float]], own: str) -> str | None:
    """Return the data set that is most like `own`; None if there is no other."""
    others = distances(named)[own].drop(own)
    return None if others.empty else str(others.idxmin())


def positions(named: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return one row per data set with `x` and `y`, the first two principal components, and `share` of the variance.

    `share` is the same in all rows: how much of the variance of the standardized properties the map shows.
    """
    points = _standardized(named)
    left, sizes, _ = np.linalg.svd(points, full_matrices=False)
    shown = np.zeros((len(points), 2))
    width = min(2, len(sizes))
    shown[:, :width] = left[:, :width] * sizes[:width]
    total = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum()) / total if total > 0 else 1.0
    return pd.DataFrame({"x": shown[:, 0], "y": shown[:, 1], "share": share}, index=list(named))


def table_of(named: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return the properties as a table, one row per data set."""
    return pd.DataFrame.from_dict({name: dict(values) for name, values in named.items()}, orient="index")[list(TRAITS)]


def _standardized(named: Mapping[str, Mapping[str, float]]) -> FloatArray:
    """Return (N, traits) properties with mean 0 and standard deviation 1, or 0 where all data sets are equal."""
    table = table_of(named)
    table[list(LOGARITHMIC)] = np.log10(table[list(LOGARITHMIC)].clip(lower=1e-12))
    values: FloatArray = table.to_numpy(np.float64)
    spread = values.std(axis=0)
    centered: FloatArray = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return centered
