"""User slices, and the difference of each model to a baseline in each slice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, MODEL, RANK, USER
from recsys_core.contracts import IntArray
from recsys_core.evaluation.comparison import paired_difference


@dataclass(frozen=True, eq=False)
class UserSlice:
    """A named group of users.

    Args:
        key: Language-neutral name: "new", "active", "mainstream", "niche".
        border: The threshold between this group and its counterpart.
        users: Positions of its members, increasing.
    """

    key: str
    border: float
    users: IntArray


def user_slices(users_of_folds: pd.DataFrame) -> tuple[UserSlice, ...]:
    """Split users in half twice: by the length of their history, and by the mean popularity of its items.

    Users at the median count as new, and as niche. Users without any history are neither mainstream nor niche.

    Args:
        users_of_folds: Columns `user`, `n_history` and `taste` (mean popularity of the history, NaN without one). A
            user of several folds counts with the mean over the folds.
    """
    known = users_of_folds.groupby(USER)[["n_history", "taste"]].mean()
    users = known.index.to_numpy(np.int64)
    lengths, taste = known["n_history"].to_numpy(np.float64), known["taste"].to_numpy(np.float64)
    length_border = float(np.median(lengths)) if len(users) else 0.0
    taste_border = float(np.median(taste[~np.isnan(taste)])) if (~np.isnan(taste)).any() else np.nan
    return (
        UserSlice("new", length_border, users[lengths <= length_border]),
        UserSlice("active", length_border, users[lengths > length_border]),
        UserSlice("mainstream", taste_border, users[taste > taste_border]),
        UserSlice("niche", taste_border, users[taste <= taste_border]),
    )


def border_text(border: float) -> str:
    """Format the longest history of the users with a short one: 27 for a median of 27.5; 11.3 for means over folds."""
    return f"{math.floor(border)}" if (2 * border).is_integer() else f"{border:.1f}"


def slice_differences(
    per_user: Mapping[str, pd.DataFrame],
    slices: Mapping[str, IntArray | None],
    *,
    metrics: Mapping[str, str],
    baseline: str,
) -> pd.DataFrame:
    """Return the difference of each model to the baseline in each slice, over users with a value for both.

    Estimates are those of `compare`: means over users, rating errors over all ratings. The interval is Student's, from
    the influence of each user on the difference; it never has zero width, and is NaN for fewer than two users.

    Args:
        per_user: Model -> frame with `user` (and `fold`, if there are several) and one column per metric; NaN where the
            metric is undefined. A user of several folds counts once, with the mean over the folds.
        slices: Name of the slice -> positions of its users, None for all.
        metrics: Name of the slice -> metric column used there.
        baseline: The model to compare with, one of `per_user`.

    Returns:
        Columns `model`, `slice`, `difference`, `low`, `high`, `users`; the baseline itself is left out.
    """
    rows = []
    for name, users in slices.items():
        column = metrics[name]
        frames = {model: _of_slice(frame, users) for model, frame in per_user.items() if column in frame}
        for model, own in frames.items():
            if model == baseline or baseline not in frames:
                continue
            rows.append({MODEL: model, "slice": name} | paired_difference(own, frames[baseline], column))
    return pd.DataFrame(rows, columns=[MODEL, "slice", "difference", "low", "high", "users"])


def user_values(per_user: pd.DataFrame, column: str) -> pd.Series:
    """Return one metric by user position, averaged over folds."""
    values = per_user.set_index(USER)[column]
    return values if values.index.is_unique else values.groupby(level=0).mean()


def _of_slice(frame: pd.DataFrame, users: IntArray | None) -> pd.DataFrame:
    """Return one row per user of the slice, averaged over folds."""
    chosen = frame if users is None else frame[frame[USER].isin(users)]
    if chosen[USER].is_unique:
        return chosen
    return chosen.groupby(USER, as_index=False).mean(numeric_only=True)


def disagreements(
    first: pd.DataFrame, second: pd.DataFrame, first_quality: pd.Series, second_quality: pd.Series, *, k: int
) -> pd.DataFrame:
    """Return the users on whom two models differ, largest difference in the metric first, then in their lists.

    Args:
        first: Lists of one model: `user`, `fold`, `rank` from 1, `item`.
        second: Lists of the other.
        first_quality: A metric of the first model by user; NaN where undefined.
        second_quality: The same of the second.
        k: Length of the lists compared.

    Returns:
        Columns `user`, `first`, `second` (the metric values), `difference` (first minus second) and `shared`, the share
        of the first model's items that the second one recommends as well.
    """
    place = [USER, FOLD, ITEM]
    tops = [lists.loc[lists[RANK] <= k, place] for lists in (first, second)]
    listed = tops[0].groupby(USER).size()
    shared = tops[0].merge(tops[1], on=place).groupby(USER).size().reindex(listed.index, fill_value=0) / listed
    frame = pd.DataFrame({"first": first_quality, "second": second_quality})
    frame["difference"] = frame["first"] - frame["second"]
    frame["shared"] = shared.reindex(frame.index)
    frame = frame.rename_axis(USER).reset_index().assign(apart=-frame["difference"].abs().to_numpy())
    ordered = frame.sort_values(["apart", "shared", USER], kind="stable")
    return ordered.drop(columns="apart").reset_index(drop=True)
