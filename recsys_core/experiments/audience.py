"""The users that a verdict covers, and their metrics aggregated to one value per user or per model.

Test users with training history are covered; the others are reported separately.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, TRAINING, USER, USER_ID
from recsys_core.evaluation.estimates import metric_columns
from recsys_core.evaluation.evaluate import N_HISTORY
from recsys_core.experiments.spec import Users

COUNTS = ("n_relevant", "n_ratings", "n_history", "n_listed", "by_fallback")


@dataclass(frozen=True, eq=False)
class Audience:
    """The test users of an experiment, in two groups.

    A user has training history if the models get at least one interaction of this user, in training or in the query (as
    for held-out users). Models cannot personalize for the others.

    Args:
        judged: Model -> one row per user that the verdict covers: users with history, or all users if none has any.
            Values are means over trainings.
        without: Model -> one row per user without history; empty without such users, or if no user has any history.
        users: Number of all test users.
        n_without: Number of test users without history.
        trainings: Model -> the same users as in `judged`, one frame per training.
        about: The users that the experiment is about.
    """

    judged: Mapping[str, pd.DataFrame]
    without: Mapping[str, pd.DataFrame]
    users: int
    n_without: int
    trainings: Mapping[str, Sequence[pd.DataFrame]]
    about: Users = "with_history"

    @property
    def no_user_has_history(self) -> bool:
        """Whether the verdict covers all users because none of them has any history."""
        return 0 < self.users == self.n_without

    def covers(self, per_user: pd.DataFrame) -> "pd.Series[bool]":
        """Return which rows of one user and fold the verdict covers: a user may have a history in some folds only."""
        if self.about == "all" or self.n_without in (0, self.users):
            return pd.Series(True, index=per_user.index)
        has_history = _has_history(per_user)
        return has_history if self.about == "with_history" else ~has_history


def audience(per_user: Mapping[str, pd.DataFrame], about: Users = "with_history") -> Audience:
    """Split the test users by history; without stored counts all have a history.

    Args:
        per_user: Model -> one row per user, fold and training.
        about: The users that the verdict is about; all users if there are none of this kind.
    """
    has_history = {model: _has_history(frame) for model, frame in per_user.items()}
    all_users: set[int] = set()
    known: set[int] = set()
    for model, frame in per_user.items():
        all_users |= set(frame[USER])
        known |= set(frame.loc[has_history[model], USER])
    n_without = len(all_users - known)
    everybody = about == "all" or n_without in (0, len(all_users))
    trainings, without = {}, {}
    for model, frame in per_user.items():
        chosen = has_history[model] if about == "with_history" else ~has_history[model]
        trainings[model] = _joined(frame if everybody else frame[chosen])
        if about == "with_history" and not everybody:
            without[model] = mean_of_trainings(_joined(frame[~has_history[model]]))
    judged = {model: mean_of_trainings(frames) for model, frames in trainings.items()}
    return Audience(judged, without, len(all_users), n_without, trainings, about)


def _has_history(frame: pd.DataFrame) -> "pd.Series[bool]":
    if N_HISTORY not in frame:
        return pd.Series(True, index=frame.index)
    return frame[N_HISTORY] > 0


def _joined(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return one frame per training with one row per user, by identifier, so sums do not depend on the file's order."""
    return [one_row_a_user(rows).sort_values(USER_ID, kind="stable", ignore_index=True) for rows in by_training(frame)]


def pooled(per_user: pd.DataFrame) -> dict[str, float | None]:
    """Return the mean over users of each metric, None without any value.

    RMSE and MAE weight users by their number of ratings, which gives the error over all ratings of the test set.
    """
    return {name: _pooled(per_user, name) for name in metric_columns(per_user)}


def one_row_a_user(per_user: pd.DataFrame) -> pd.DataFrame:
    """Average each user's metrics over the folds in which they are defined, rating errors over all ratings."""
    if not per_user[FOLD].any():
        return per_user.drop(columns=FOLD)
    return _averaged(per_user, "sum")


def by_training(per_user: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each training; earlier versions stored only one."""
    if TRAINING not in per_user:
        return [per_user]
    return [rows.drop(columns=TRAINING) for _, rows in per_user.groupby(TRAINING, sort=True)]


def mean_of_trainings(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return each user's mean over trainings, from one frame per training with one row per user."""
    return frames[0] if len(frames) == 1 else _averaged(pd.concat(frames, ignore_index=True), "mean")


def _averaged(per_user: pd.DataFrame, counts: Literal["sum", "mean"]) -> pd.DataFrame:
    """Average each user's metrics over the rows of this user; counts are summed or averaged."""
    by_user = per_user.groupby(USER, sort=True)
    joined = by_user[[USER_ID]].first()
    metrics, weighted = metric_columns(per_user), dict[str, pd.Series]()
    for name in metrics:
        key, _, part = name.partition(":")
        count = f"n_ratings:{part}".rstrip(":")
        if key in ("rmse", "mae") and count in per_user:
            power = 2 if key == "rmse" else 1
            sums = (per_user[name] ** power * per_user[count]).groupby(per_user[USER]).sum(min_count=1)
            weighted[name] = (sums / by_user[count].sum()) ** (1 / power)
    plain = by_user[[name for name in metrics if name not in weighted]].mean()
    counted = [str(name) for name in per_user.columns if str(name).startswith(COUNTS)]
    parts = [joined, pd.DataFrame(weighted, index=joined.index), plain, by_user[counted].agg(counts)]
    return pd.concat(parts, axis=1)[[USER_ID, *metrics, *counted]].copy().reset_index()  # a copy is not fragmented


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
