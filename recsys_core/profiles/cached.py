"""Cached intermediate results of user and item profiles: item features and latent directions."""

from functools import partial
from pathlib import Path

import numpy as np

from recsys_core.contracts import RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.directions import Directions, directions
from recsys_core.profiles.features import Features, item_features
from recsys_core.profiles.stored import derived, read_arrays, read_features, write_arrays, write_features

VERSION = 1
TOPICS = 12


def cached_directions(dataset: Dataset, root: Path | None, ctx: RunContext) -> Directions:
    """Return the latent directions of a data set, computed once and cached.

    Raises:
        Cancelled: The work was cancelled.
    """
    made = partial(directions, dataset, ctx)
    return derived(root, dataset.fingerprint, "directions", VERSION, make=made, write=_write, read=_read)


def _write(folder: Path, made: Directions) -> None:
    single = {"users": made.users.astype(np.float32), "items": made.items.astype(np.float32)}
    write_arrays(folder, "directions", {**single, "strength": made.strength})


def _read(folder: Path) -> Directions:
    arrays = read_arrays(folder, "directions")
    return Directions(*(arrays[name].astype(np.float64) for name in ("users", "items", "strength")))


def cached_item_features(dataset: Dataset, root: Path | None, ctx: RunContext) -> Features | None:
    """Return all item features, including both `terms` and `topics`, cached; None without an item table.

    Raises:
        Cancelled: The work was cancelled.
        DataError: The table has vectors of different lengths.
    """
    if dataset.load_items is None:
        return None
    made = partial(_item_features, dataset, ctx)
    return derived(
        root, dataset.fingerprint, "item-features", VERSION, make=made, write=write_features, read=read_features
    )


def _item_features(dataset: Dataset, ctx: RunContext) -> Features:
    for _ in ctx.track(range(1), stage="compute item features"):
        plain = item_features(dataset)
        topics = item_features(dataset, parts=("topics",), components=TOPICS)
    return plain.beside(topics)
