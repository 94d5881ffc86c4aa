"""The default question for a data set: what to predict, what to learn from, and how to split, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import RatingScale
from recsys_core.data.dataset import NO_TIMESTAMP, Dataset
from recsys_core.data.held_rows import after_border
from recsys_core.data.split_spec import SplitKind
from recsys_core.data.task import Task
from recsys_core.text import Sentence, Template, percent, whole

TEST_SHARE = 0.2
FEWEST_CASES = 50
"""Test cases from which an event can be predicted: below it hardly any difference between models can be detected."""
FEWEST_USERS = 20
"""Test users with history that a time split must leave; with fewer, almost nothing can be compared."""
RELEVANT_SHARE = 0.75
"""Relevance threshold as a share of the rating scale: 4 on a scale from 1 to 5."""
MOST_UNTIMED = 0.1
"""Share of interactions of unknown time up to which a time split is suggested."""

ONE_EVENT = Template("All interactions are predicted and learned from: there is only one kind of event.")
RAREST = Template(
    "'{event}' is predicted: the rarest event with enough test cases (about {cases}). Models learn from all events.",
)
TOO_RARE = Template("All interactions are predicted: no event would have {count} test cases of its own.")
ONLY_FREQUENT = Template(
    "All interactions are predicted: only the most frequent event, '{event}', would have {count} test cases of its own."
)
BY_TIME = Template(
    "The latest {share} are test cases, and models learn from what precedes them, as in production: nothing is learned "
    "from the future."
)
NO_TIMES = Template("A random share of each user's interactions is tested: the data have no timestamps.")
FEW_TIMES = Template(
    "A random share of each user's interactions is tested: {share} of the interactions have no timestamp."
)
ONE_TIME = Template("A random share of each user's interactions is tested: all timestamps are equal.")
NO_HISTORY = Template(
    "A random share of each user's interactions is tested: after a split by time only {count} test user would have a "
    "history to learn from.",
    "A random share of each user's interactions is tested: after a split by time only {count} test users would have a "
    "history to learn from.",
)


@dataclass(frozen=True)
class EventCount:
    """An event of a data set: its number of interactions and their mean weight."""

    count: int
    weight: float


@dataclass(frozen=True, eq=False)
class Suggestion:
    """The default question.

    Args:
        events: The events of the data by name, most frequent first; empty without events.
        task: What to predict and what to learn from.
        split: Kind of split.
        relevant_from: Relevance threshold; None without ratings.
        why_task: Reason for the task; None for data without events.
        why_split: Reason for the split.
    """

    events: Mapping[str, EventCount]
    task: Task
    split: SplitKind
    relevant_from: float | None
    why_task: Sentence | None
    why_split: Sentence

    def fields(self) -> dict[str, Any]:
        """Return the fields of an `ExperimentSpec` that the suggestion sets."""
        task = {"target": self.task.target, "learn_from": dict(self.task.learn_from)}
        return task | {"split": {"kind": self.split}, "relevant_from": self.relevant_from}


def suggest(dataset: Dataset) -> Suggestion:
    """Return the default question of a data set with interactions."""
    events = event_counts(dataset)
    task, why_task = _task(events)
    split, why_split = _split(dataset, task)
    threshold = None if dataset.rating_scale is None else relevance_threshold(dataset.rating_scale)
    return Suggestion(events, task, split, threshold, why_task, why_split)


def relevance_threshold(scale: RatingScale) -> float | None:
    """Return the minimum rating of a relevant item, in steps of 0.5; None if all ratings are equal."""
    if scale.low == scale.high:
        return None
    threshold = scale.low + RELEVANT_SHARE * (scale.high - scale.low)
    return float(min(scale.high, max(scale.low, round(2 * threshold) / 2)))


def event_counts(dataset: Dataset) -> dict[str, EventCount]:
    """Return the events of the data, most frequent first."""
    if not dataset.has_events:
        return {}
    frame = dataset.interactions
    weights = frame[WEIGHT] if WEIGHT in frame else np.ones(len(frame))
    by_event = pd.DataFrame({EVENT: frame[EVENT].astype(object), WEIGHT: weights}).groupby(EVENT)[WEIGHT]
    table = pd.DataFrame({"n": by_event.size(), "weight": by_event.mean()})
    table = table.sort_values("n", ascending=False, kind="stable")
    rows = zip(table.index.tolist(), table["n"].tolist(), table["weight"].tolist(), strict=True)
    return {str(name): EventCount(int(n), float(weight)) for name, n, weight in rows}


def _task(events: Mapping[str, EventCount]) -> tuple[Task, Sentence | None]:
    """Predict the rarest event that has enough test cases, among those that count (undone actions weigh 0)."""
    if not events:
        return Task(), None
    counted = {name: event for name, event in events.items() if event.weight > 0}
    if len(counted) < 2:
        return Task(), ONE_EVENT.fill()
    able = {name: event for name, event in counted.items() if event.count * TEST_SHARE >= FEWEST_CASES}
    if not able:
        return Task(), TOO_RARE.fill(FEWEST_CASES)
    rarest = min(able, key=lambda name: (able[name].count, name))
    if rarest == next(iter(counted)):
        return Task(), ONLY_FREQUENT.fill(FEWEST_CASES, event=rarest)
    learned = {name: event.weight for name, event in counted.items()}
    return Task((rarest,), learned), RAREST.fill(event=rarest, cases=whole(able[rarest].count * TEST_SHARE))


def _split(dataset: Dataset, task: Task) -> tuple[SplitKind, Sentence]:
    if not dataset.has_timestamps:
        return "ratio", NO_TIMES.fill()
    times = dataset.interactions[TIMESTAMP].to_numpy()
    target = task.is_target(dataset)
    untimed = float((times == NO_TIMESTAMP).mean())
    if untimed > MOST_UNTIMED:
        return "ratio", FEW_TIMES.fill(share=percent(untimed))
    if len(np.unique(times[target])) < 2:
        return "ratio", ONE_TIME.fill()
    held = after_border(dataset, TEST_SHARE, target).held
    users = dataset.interactions[USER].to_numpy()
    with_history = len(np.intersect1d(users[held & target], users[~held]))
    if with_history < FEWEST_USERS:
        return "ratio", NO_HISTORY.fill(with_history)
    return "global_time", BY_TIME.fill(share=percent(TEST_SHARE))
