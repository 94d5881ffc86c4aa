"""A log of shown items with rewards and propensities, as arrays."""

from dataclasses import dataclass, replace

import numpy as np

from recsys_core.contracts import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class LoggedFeedback:
    """One row per item shown: N rows, U users, I items, M impressions.

    Args:
        user: (N,) code of the user.
        item: (N,) code of the item shown.
        place: (N,) position in the list, from 0.
        reward: (N,) what the user did, such as 1 for a click.
        propensity: (N,) probability with which the logging policy shows this item at this position.
        impression: (N,) code of the impression, from 0 to M - 1.
        cluster: (N,) code of what is independent: the user.
        user_ids: U identifiers, by code.
        item_ids: I identifiers, by code.
        listed: Whether impressions are known: a value is then per impression, else per item shown.
        target: (N,) probability with which the target policy shows this item at this position, if the log has it.
    """

    user: IntArray
    item: IntArray
    place: IntArray
    reward: FloatArray
    propensity: FloatArray
    impression: IntArray
    cluster: IntArray
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    listed: bool = True
    target: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_impressions(self) -> int:
        """M, the number of impressions with a row."""
        return len(np.unique(self.impression))

    @property
    def n_clusters(self) -> int:
        """Number of independent units."""
        return len(np.unique(self.cluster))

    @property
    def places(self) -> int:
        """K, the number of positions."""
        return int(self.place.max()) + 1 if len(self.place) else 0

    def only(self, rows: BoolArray) -> "LoggedFeedback":
        """Return the log with the marked rows (N,); codes stay the same."""
        columns = ("user", "item", "place", "reward", "propensity", "impression", "cluster")
        target = None if self.target is None else self.target[rows]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns}, target=target)
