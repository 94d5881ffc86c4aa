"""Two strategies against each other: the paired difference of every metric."""

import pandas as pd

from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.prices import Pricing, difference_of

COLUMNS = ["metric", "before", "after", "difference", "low", "high", "users"]


def differences_between(pricing: Pricing, one: Strategy, other: Strategy, confidence: float = 0.95) -> pd.DataFrame:
    """Return the difference of `other` from `one` in every metric of price tags.

    Args:
        pricing: Prices strategies over the candidates.
        one: The strategy before.
        other: The strategy after.
        confidence: Nominal coverage of the intervals, each that of a single difference.

    Returns:
        A row per metric: `metric`, `before` and `after` (means over users with a value for both), `difference`, `low`,
        `high` (NaN if undefined), `users`.

    Raises:
        ConfigError: A card does not fit the data.
    """
    before, after = pricing.judged(one)[1], pricing.judged(other)[1]
    rows = []
    for metric in after.values:
        found = difference_of(before, after, metric, confidence)
        rows.append((metric, found.before, found.after, found.difference, found.low, found.high, found.users))
    return pd.DataFrame(rows, columns=COLUMNS)
