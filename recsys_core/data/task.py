"""What models learn from and what they predict: events, with their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, WEIGHT
from recsys_core.contracts import BoolArray
from recsys_core.data.dataset import Dataset
from recsys_core.errors import ConfigError
from recsys_core.text import _


@dataclass(frozen=True)
class Task:
    """The events to predict and the events to learn from.

    Args:
        target: Events that are test cases; empty: all interactions.
        learn_from: Weight of each event that models learn from; empty: all interactions with the weights of the data.
    """

    target: tuple[str, ...] = ()
    learn_from: Mapping[str, float] = field(default_factory=dict)

    def applied(self, dataset: Dataset) -> Dataset:
        """Return the data with the interactions that are learned from or predicted, and the weights of this task.

        Raises:
            ConfigError: The data have no events, or none of this name.
        """
        self.check(dataset)
        return self.selected(dataset)

    def selected(self, dataset: Dataset) -> Dataset:
        """As `applied`, but the data may lack some of the events: later data need not have all of them."""
        if not self.learn_from:
            return dataset
        kept = np.isin(_events(dataset.interactions), [*self.learn_from, *self.target])
        frame = self._weighted(dataset.interactions[kept].reset_index(drop=True))
        return replace(dataset.with_interactions(frame), columns=dataset.columns | {WEIGHT})

    def history(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a user's interactions that models learn from, with the weights of this task."""
        if not self.learn_from or EVENT not in rows:
            return rows
        return self._weighted(rows[np.isin(_events(rows), [*self.learn_from])].reset_index(drop=True))

    def targets(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a user's interactions that have a target event."""
        return rows if not self.target or EVENT not in rows else rows[np.isin(_events(rows), self.target)]

    def _weighted(self, rows: pd.DataFrame) -> pd.DataFrame:
        weights = pd.Series(_events(rows)).map(dict(self.learn_from)).fillna(1.0)  # events that are only predicted
        return rows.assign(**{WEIGHT: weights.to_numpy(np.float32)})

    def is_target(self, dataset: Dataset) -> BoolArray:
        """Return (N,) whether an interaction can be a test case."""
        return _among(dataset, self.target)

    def is_learned(self, dataset: Dataset) -> BoolArray:
        """Return (N,) whether models learn from an interaction."""
        return _among(dataset, tuple(self.learn_from))

    def check(self, dataset: Dataset) -> None:
        """Check that the data have the events of this task.

        Raises:
            ConfigError: The data have no events, or none of this name.
        """
        named = {*self.target, *self.learn_from}
        if not named:
            return
        if not dataset.has_events:
            raise ConfigError(
                _("'{dataset_name}' has no events, so none can be chosen: {named}.").format(
                    dataset_name=dataset.name, named=", ".join(sorted(named))
                )
            )
        known = set(_events(dataset.interactions))
        if unknown := sorted(named - known):
            raise ConfigError(
                _("'{dataset_name}' has no event '{unknown}'. Known: {known}.").format(
                    dataset_name=dataset.name, unknown=unknown[0], known=", ".join(sorted(known))
                )
            )


def _among(dataset: Dataset, events: tuple[str, ...]) -> BoolArray:
    if not events:
        return np.ones(dataset.n_interactions, dtype=np.bool_)
    found: BoolArray = np.isin(_events(dataset.interactions), events)
    return found


def _events(rows: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return rows[EVENT].astype(object).to_numpy()
