"""Why a split is refused: no training or test data, with the cause."""

from collections.abc import Iterable

import numpy as np

from recsys_core.columns import USER
from recsys_core.data.dataset import Dataset
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.task import Task
from recsys_core.errors import DataError
from recsys_core.text import _, later

_ADVICE = {
    "ratio": later("keeps at least one training interaction per user; choose a larger test share or use more data"),
    "leave_last_out": later("needs users with more interactions than are held out; hold out fewer"),
    "global_time": later("needs at least two different timestamps"),
    "k_fold": later("needs at least as many interactions as folds; choose fewer folds"),
    "user_holdout": later("needs users with at least two interactions; choose another share of users"),
    "item_holdout": later("needs at least two items with interactions; choose another share of items"),
    "uploaded": later("found no row whose user and item are both in the training data; check the identifiers"),
}


def refuse_empty(
    dataset: Dataset,
    spec: SplitSpec,
    train: Dataset,
    test: Dataset,
    *,
    rest: int = 0,
    hidden: int = 0,
    task: Task | None = None,
) -> None:
    """Refuse a split without training or test data, with the cause.

    Args:
        dataset: The data.
        spec: How they are split.
        train: The interactions to learn from.
        test: The test cases.
        rest: Number of training interactions, of any event.
        hidden: Number of interactions of the test part, of any event.
        task: Which events are learned from and predicted; all by default.

    Raises:
        DataError: A part is empty.
    """
    task = task or Task()
    parts = ((test, "test", hidden, task.target), (train, "training", rest, task.learn_from))
    for part, name, rows, events in parts:
        if part.n_interactions == 0:
            raise DataError(
                _(
                    "The {name} data are empty: '{dataset_name}' has {n_interactions} interactions of "
                    "{users_in} users, and the split '{spec_kind}' {advice}."
                ).format(
                    name=name,
                    dataset_name=dataset.name,
                    n_interactions=dataset.n_interactions,
                    users_in=users_in(dataset),
                    spec_kind=spec.kind,
                    advice=_advice(spec, name, rows, events),
                )
            )


def _advice(spec: SplitSpec, name: str, rows: int, events: Iterable[str]) -> str:
    """Return what an empty part lacks, which has `rows` interactions of events that do not count."""
    if rows and (listed := ", ".join(events)):
        return _("leaves no interaction of these events there: {events}; choose other events or another share").format(
            events=listed
        )
    if name == "training" and spec.gap_days:
        return _("leaves no interaction before the gap of {days} days; choose a shorter gap").format(
            days=f"{spec.gap_days:g}"
        )
    return _(_ADVICE[spec.kind])


def users_in(dataset: Dataset) -> int:
    """Return the number of users with interactions."""
    return len(np.unique(dataset.interactions[USER].to_numpy()))
