"""The users that a verdict covers: test users with training history; the others are reported separately."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from recsys_core.columns import USER, USER_ID
from recsys_core.evaluation.evaluate import N_HISTORY
from recsys_core.experiments.pooling import one_row_a_user


@dataclass(frozen=True, eq=False)
class Audience:
    """The test users of an experiment, in two groups.

    A user has training history if the models get at least one interaction of this user, in training or in the query (as
    for held-out users). Models cannot personalize for the others.

    Args:
        judged: Model -> one row per user that the verdict covers: users with history, or all users if none has any.
        without: Model -> one row per user without history; empty without such users, or if no user has any history.
        users: Number of all test users.
        n_without: Number of test users without history.
    """

    judged: Mapping[str, pd.DataFrame]
    without: Mapping[str, pd.DataFrame]
    users: int
    n_without: int

    @property
    def no_user_has_history(self) -> bool:
        """Whether the verdict covers all users because none of them has any history."""
        return 0 < self.users == self.n_without


def audience(per_user: Mapping[str, pd.DataFrame]) -> Audience:
    """Split the test users by history, from one row per user and fold; without stored counts all have a history."""
    has_history = {model: _has_history(frame) for model, frame in per_user.items()}
    all_users: set[int] = set()
    known: set[int] = set()
    for model, frame in per_user.items():
        all_users |= set(frame[USER])
        known |= set(frame.loc[has_history[model], USER])
    if not known or len(known) == len(all_users):
        whole = {model: _joined(frame) for model, frame in per_user.items()}
        return Audience(whole, {}, len(all_users), len(all_users) - len(known))
    return Audience(
        judged={model: _joined(frame[has_history[model]]) for model, frame in per_user.items()},
        without={model: _joined(frame[~has_history[model]]) for model, frame in per_user.items()},
        users=len(all_users),
        n_without=len(all_users - known),
    )


def _has_history(frame: pd.DataFrame) -> "pd.Series[bool]":
    if N_HISTORY not in frame:
        return pd.Series(True, index=frame.index)
    return frame[N_HISTORY] > 0


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per user, ordered by identifier, so sums do not depend on the order of the file."""
    return one_row_a_user(frame).sort_values(USER_ID, kind="stable", ignore_index=True)
