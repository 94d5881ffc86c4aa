"""Whether anything can be relevant: a rating threshold that no rating reaches is refused before any training."""

import numpy as np

from recsys_core.columns import RATING
from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset


def scale_refusal(name: str, scale: RatingScale | None, relevant_from: float | None) -> str | None:
    """Return why nothing in a data set of that name could be relevant by its rating scale alone, None if it could."""
    if relevant_from is None or scale is None or scale.high >= relevant_from:
        return None
    return (
        f"No rating in '{name}' can reach {relevant_from:g}, so no item would be relevant: the scale goes from "
        f"{scale.low:g} to {scale.high:g}. Choose a threshold of at most {scale.high:g}."
    )


def threshold_refusal(data: Dataset, relevant_from: float | None, part: str = "") -> str | None:
    """Return why nothing in the data could be relevant, None if something can.

    Args:
        data: A data set, or a part of one.
        relevant_from: Smallest rating that makes an item relevant; None, or data without ratings: every interaction
            does.
        part: What part of the data set it is, such as "the test part of ".
    """
    if relevant_from is None or not data.has_ratings:
        return None
    ratings = data.interactions[RATING].to_numpy(np.float64)
    known = ratings[~np.isnan(ratings)]
    if len(known) == 0:
        return f"No interaction in {part}'{data.name}' has a rating, so none can reach {relevant_from:g}; leave it out."
    low, high = float(known.min()), float(known.max())
    if high >= relevant_from:
        return None
    return (
        f"No rating in {part}'{data.name}' reaches {relevant_from:g}, so no item would be relevant: ratings go from "
        f"{low:g} to {high:g}. Choose a threshold of at most {high:g}."
    )
