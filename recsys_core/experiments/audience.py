"""Whom a verdict is about: the test users with training history; users without any are counted and reported apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from recsys_core.columns import USER, USER_ID
from recsys_core.evaluation.evaluate import N_HISTORY
from recsys_core.experiments.pooling import one_row_a_user


@dataclass(frozen=True, eq=False)
class Audience:
    """The test users of an experiment, in two groups.

    A user has training history if the models were shown at least one interaction of this user, be it in training or
    with the question (as for held-out users). Models that personalize have nothing to go by for the others.

    Args:
        judged: Model -> one row a user whom the verdict is about: those with history; all if nobody has any.
        without: Model -> one row a user without history; no models if there is no such user, or nobody has any history.
        users: Number of all test users.
        n_without: Number of those without history.
    """

    judged: Mapping[str, pd.DataFrame]
    without: Mapping[str, pd.DataFrame]
    users: int
    n_without: int

    @property
    def nobody_has_history(self) -> bool:
        """Whether all users are judged because none of them has any history."""
        return 0 < self.users == self.n_without


def audience(per_user: Mapping[str, pd.DataFrame]) -> Audience:
    """Part the test users of models, from one row a user and fold; where histories were not counted all have one."""
    shown = {model: _has_history(frame) for model, frame in per_user.items()}
    everybody: set[int] = set()
    known: set[int] = set()
    for model, frame in per_user.items():
        everybody |= set(frame[USER])
        known |= set(frame.loc[shown[model], USER])
    if not known or len(known) == len(everybody):
        whole = {model: _joined(frame) for model, frame in per_user.items()}
        return Audience(whole, {}, len(everybody), len(everybody) - len(known))
    return Audience(
        judged={model: _joined(frame[shown[model]]) for model, frame in per_user.items()},
        without={model: _joined(frame[~shown[model]]) for model, frame in per_user.items()},
        users=len(everybody),
        n_without=len(everybody - known),
    )


def _has_history(frame: pd.DataFrame) -> "pd.Series[bool]":
    if N_HISTORY not in frame:
        return pd.Series(True, index=frame.index)
    return frame[N_HISTORY] > 0


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a user, in the order of identifiers: sums then do not depend on the order of a file."""
    return one_row_a_user(frame).sort_values(USER_ID, kind="stable", ignore_index=True)
