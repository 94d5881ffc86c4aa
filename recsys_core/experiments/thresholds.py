"""Checks of the relevance threshold: a threshold that no rating reaches is rejected before training."""

import numpy as np

from recsys_core.columns import RATING
from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset
from recsys_core.text import _


def scale_refusal(name: str, scale: RatingScale | None, relevant_from: float | None) -> str | None:
    """Return an error if no rating of the scale reaches the threshold, else None."""
    if relevant_from is None or scale is None or scale.high >= relevant_from:
        return None
    return _(
        "No rating in '{name}' can reach {relevant_from:g}, so no item would be relevant: "
        "the scale ranges from {low:g} to {high:g}. Choose a threshold of at most {high:g}."
    ).format(name=name, relevant_from=relevant_from, low=scale.low, high=scale.high)


def threshold_refusal(data: Dataset, relevant_from: float | None, part: str = "") -> str | None:
    """Return an error if no rating in the data reaches the threshold, else None.

    Args:
        data: A data set, or a subset of one.
        relevant_from: Smallest rating that makes an item relevant; None, or data without ratings: all interactions are
            relevant.
        part: Name of the subset, such as "the test set of ".
    """
    if relevant_from is None or not data.has_ratings:
        return None
    ratings = data.interactions[RATING].to_numpy(np.float64)
    known = ratings[~np.isnan(ratings)]
    if len(known) == 0:
        return _(
            "No interaction in {part}'{data_name}' has a rating, so none reaches {relevant_from:g}; omit it."
        ).format(part=part, data_name=data.name, relevant_from=relevant_from)
    low, high = float(known.min()), float(known.max())
    if high >= relevant_from:
        return None
    return _(
        "No rating in {part}'{data_name}' reaches {relevant_from:g}, so no item would be "
        "relevant: ratings range from {low:g} to {high:g}. Choose a threshold of at most "
        "{high:g}."
    ).format(part=part, data_name=data.name, relevant_from=relevant_from, low=low, high=high)
