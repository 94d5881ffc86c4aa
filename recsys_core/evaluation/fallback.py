"""The list of users for whom a model has no score: none, the most popular items, or the recently popular ones."""

from typing import Literal

import numpy as np

from recsys_core.columns import ITEM, TIMESTAMP
from recsys_core.contracts import FloatArray
from recsys_core.data.dataset import Dataset
from recsys_core.errors import DataError
from recsys_core.text import _

Fallback = Literal["none", "popularity", "recent_popularity"]
RECENT_SHARE = 0.1
"""Share of the training interactions, the latest ones, that recent popularity counts."""


def fallback_scores(kind: Fallback, train: Dataset) -> FloatArray | None:
    """Return (I,) the scores of all items for users whom a model cannot serve; None without a fallback.

    Raises:
        DataError: Recent popularity needs timestamps, which the data do not have.
    """
    if kind == "none":
        return None
    frame = train.interactions
    items = frame[ITEM].to_numpy()
    if kind == "recent_popularity":
        if not train.has_timestamps:
            raise DataError(_("The fallback to recent popularity needs timestamps; choose popularity, or none."))
        times = frame[TIMESTAMP].to_numpy()
        items = items[times >= np.quantile(times, 1 - RECENT_SHARE, method="higher")]
    scores: FloatArray = np.bincount(items, minlength=train.n_items).astype(np.float32)
    return scores
