"""Groups of users, and how much better than a baseline each model is for each of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.columns import MODEL, USER
from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, Ragged, TopK

NORMAL_95 = 1.959964
"""Half width of a 95 % interval in standard errors."""


@dataclass(frozen=True, eq=False)
class UserSlice:
    """A named group of users.

    Args:
        key: Language-neutral name: "new", "active", "mainstream", "niche".
        border: The number that parts this group from its counterpart.
        users: Positions of its members, increasing.
    """

    key: str
    border: float
    users: IntArray


def user_slices(users: IntArray, history: Ragged, n_items: int) -> tuple[UserSlice, ...]:
    """Part users in halves twice: by the length of their history, and by how popular the items in it are.

    The popularity of a history is the mean, over its items, of the share of these users who have the item. Users at
    the median count as new, and as niche; without any history there is no taste, and a user is in neither half of it.

    Args:
        users: (B,) positions of the users.
        history: B rows of item positions, what was known of each user before the test.
        n_items: Number of items.
    """
    lengths = history.lengths
    popularity = np.bincount(history.values, minlength=n_items) / max(1, len(users))  # (I,)
    sums = np.bincount(history.row_numbers(), weights=popularity[history.values], minlength=len(users))
    taste = np.divide(sums, lengths, out=np.full(len(users), np.nan), where=lengths > 0)
    length_border = float(np.median(lengths)) if len(users) else 0.0
    taste_border = float(np.nanmedian(taste)) if (lengths > 0).any() else np.nan
    return (
        UserSlice("new", length_border, users[lengths <= length_border]),
        UserSlice("active", length_border, users[lengths > length_border]),
        UserSlice("mainstream", taste_border, users[taste > taste_border]),
        UserSlice("niche", taste_border, users[taste <= taste_border]),
    )


def slice_differences(
    per_user: Mapping[str, pd.DataFrame],
    slices: Mapping[str, IntArray | None],
    *,
    metrics: Mapping[str, str],
    baseline: str,
) -> pd.DataFrame:
    """Return how far each model lies above the baseline in each slice, over users whom both can be judged by.

    The interval is the mean of the paired differences plus and minus 1.96 standard errors; NaN below two users.

    Args:
        per_user: Model -> frame with `user` and one column a metric; NaN where the metric is undefined.
        slices: Name of the slice -> positions of its users, None for all.
        metrics: Name of the slice -> column of the metric to take there.
        baseline: The model to compare with, one of `per_user`.

    Returns:
        Columns `model`, `slice`, `difference`, `low`, `high`, `users`; the baseline itself is left out.
    """
    rows = []
    base = per_user[baseline].set_index(USER)
    for model, frame in per_user.items():
        own = frame.set_index(USER)
        for name, users in slices.items():
            column = metrics[name]
            if model == baseline or column not in own or column not in base:
                continue
            paired = (own[column] - base[column]).dropna()
            values = paired if users is None else paired[paired.index.isin(users)]
            rows.append({MODEL: model, "slice": name} | _mean_difference(values.to_numpy(np.float64)))
    return pd.DataFrame(rows, columns=[MODEL, "slice", "difference", "low", "high", "users"])


def _mean_difference(values: FloatArray) -> dict[str, float]:
    if len(values) < 2:
        mean = float(values[0]) if len(values) else np.nan
        return {"difference": mean, "low": np.nan, "high": np.nan, "users": len(values)}
    mean, half = float(values.mean()), NORMAL_95 * float(values.std(ddof=1)) / len(values) ** 0.5
    return {"difference": mean, "low": mean - half, "high": mean + half, "users": len(values)}


def shared_share(first: TopK, second: TopK) -> FloatArray:
    """Return (B,) the share of the first model's items that the second one lists too; NaN for an empty list."""
    listed = first.item != PAD
    both: BoolArray = (first.item[:, :, None] == second.item[:, None, :]).any(axis=2) & listed
    size = listed.sum(axis=1)
    share: FloatArray = np.divide(both.sum(axis=1), size, out=np.full(len(first), np.nan), where=size > 0)
    return share


def disagreements(
    users: IntArray, first: TopK, second: TopK, first_quality: FloatArray, second_quality: FloatArray
) -> pd.DataFrame:
    """Return the users on whom two models differ, the strongest difference in quality first, then in their lists.

    Args:
        users: (B,) positions.
        first: B lists of one model.
        second: B lists of the other.
        first_quality: (B,) a metric of the first model for each user; NaN where undefined.
        second_quality: (B,) the same of the second.

    Returns:
        Columns `user`, `first`, `second`, `difference` (first minus second) and `shared`, the share of items in both.
    """
    frame = pd.DataFrame(
        {
            USER: users,
            "first": first_quality,
            "second": second_quality,
            "difference": first_quality - second_quality,
            "shared": shared_share(first, second),
        }
    )
    order = pd.DataFrame({"apart": -frame["difference"].abs(), "shared": frame["shared"], USER: frame[USER]})
    return frame.loc[order.sort_values(["apart", "shared", USER], kind="stable").index].reset_index(drop=True)
