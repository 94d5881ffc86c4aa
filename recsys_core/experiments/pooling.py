"""Aggregation of per-user metrics to one value per model: means over users, rating errors over all ratings."""

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, USER, USER_ID
from recsys_core.evaluation.comparison import metric_columns

COUNTS = ("n_relevant", "n_ratings", "n_history", "n_listed")


def pooled(per_user: pd.DataFrame) -> dict[str, float | None]:
    """Return the mean over users of each metric, None without any value.

    RMSE and MAE weight users by their number of ratings, which gives the error over all ratings of the test set.
    """
    return {name: _pooled(per_user, name) for name in metric_columns(per_user)}


def one_row_a_user(per_user: pd.DataFrame) -> pd.DataFrame:
    """Average each user's metrics over the folds in which they are defined, rating errors over all ratings."""
    if not per_user[FOLD].any():
        return per_user.drop(columns=FOLD)
    by_user = per_user.groupby(USER, sort=True)
    joined = by_user.first()[[USER_ID]].copy()
    values: dict[str, pd.Series] = {}
    for name in metric_columns(per_user):
        key, _, part = name.partition(":")
        count = f"n_ratings:{part}".rstrip(":")
        if key in ("rmse", "mae") and count in per_user:
            power = 2 if key == "rmse" else 1
            weighted = (per_user[name] ** power * per_user[count]).groupby(per_user[USER]).sum(min_count=1)
            values[name] = (weighted / by_user[count].sum()) ** (1 / power)
        else:
            values[name] = by_user[name].mean()
    for name in per_user.columns:
        if str(name).startswith(COUNTS):
            values[str(name)] = by_user[name].sum()
    return pd.concat([joined, pd.DataFrame(values)], axis=1).reset_index()


def _pooled(per_user: pd.DataFrame, name: str) -> float | None:
    values = per_user[name].to_numpy(np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return None
    key, _, part = name.partition(":")
    count = f"n_ratings:{part}".rstrip(":")
    if key not in ("rmse", "mae") or count not in per_user:
        return float(values[known].mean())
    weights = per_user[count].to_numpy(np.float64)[known]
    if key == "rmse":
        return float(np.sqrt(np.average(values[known] ** 2, weights=weights)))
    return float(np.average(values[known], weights=weights))
