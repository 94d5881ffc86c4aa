"""What a trained model attended to, as tables: a trace with the names of the items that it is about.

Arrays carry their shape in fixed letters: L layers, H heads, Q steps, T items that are looked at, N candidates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_core.columns import ITEM_ID, TITLE, WEIGHT
from recsys_core.contracts import PAD, AttentionTrace, FloatArray
from recsys_core.data.dataset import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.errors import DataError

Head = tuple[int, int]
"""Layer and head, both from 0."""
STEP, PLACE, AFTER, LATEST_SHARE = "step", "place", "after", "latest_share"
RECENT = 3
"""So many of the latest items are told apart in the sentence about attention."""


@dataclass(frozen=True, eq=False)
class Attended:
    """A trace with the names of what it is about.

    Args:
        trace: As the model gave it.
        titles: (T,) what to call the items read, oldest first.
        item_ids: (T,) their identifiers.
        names: Position -> what to call an item: those of the trace, its candidates, and what else it mentions.
    """

    trace: AttentionTrace
    titles: tuple[str, ...]
    item_ids: tuple[str, ...]
    names: Mapping[int, str]

    @property
    def heads(self) -> list[Head]:
        """All heads, layer by layer."""
        layers, heads = self.trace.weights.shape[:2]
        return [(layer, head) for layer in range(layers) for head in range(heads)]

    @property
    def steps(self) -> list[str]:
        """(Q,) what to call each step: the item just read, or the item that the step chose."""
        if self.trace.causal:
            return list(self.titles)
        return [self.called(int(item)) for item in chosen(self.trace)]

    def called(self, item: int) -> str:
        """Return what to call an item; empty for `PAD` and for padding."""
        return self.names.get(item, "")


def attended(trace: AttentionTrace, dataset: Dataset) -> Attended:
    """Return a trace with the titles of the data set that its items are from."""
    ids = dataset.item_vocabulary.ids
    mentioned = np.unique(np.concatenate([trace.tokens, trace.next_items.ravel(), *_mentioned(trace.details)]))
    mentioned = mentioned[(mentioned >= 0) & (mentioned < len(ids))].astype(np.int64)
    names = dict(zip(mentioned.tolist(), titles_of(dataset, mentioned), strict=True))
    tokens = trace.tokens.tolist()
    return Attended(trace, tuple(names[item] for item in tokens), tuple(ids[item] for item in tokens), names)


def _mentioned(details: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return all item positions among the details: by convention, arrays whose name ends in `items`."""
    return [np.asarray(array).ravel() for name, array in details.items() if name.endswith("items")]


def chosen(trace: AttentionTrace) -> NDArray[Any]:
    """Return (Q,) the item that each step chose: the detail `chosen_items`, else the best candidate."""
    return np.asarray(trace.details.get("chosen_items", trace.next_items[:, 0]))


def foreseen(trace: AttentionTrace) -> tuple[int, int]:
    """Return how often a causal model put the item that came next first, among all items, and out of how many steps."""
    came = trace.tokens[1:]
    return int((trace.next_items[: len(came), 0] == came).sum()), len(came)


def mean_weights(trace: AttentionTrace, heads: Sequence[Head] | None = None) -> FloatArray:
    """Return (Q, T) the mean of some heads, of all by default; its rows sum to 1.

    Raises:
        DataError: No head was chosen, or one that the model does not have.
    """
    layers, width = trace.weights.shape[:2]
    if heads is None:
        everything: FloatArray = trace.weights.mean(axis=(0, 1), dtype=np.float64)
        return everything
    if not heads or any(not (0 <= layer < layers and 0 <= head < width) for layer, head in heads):
        raise DataError(f"Choose from {layers} layers with {width} heads each; asked for {list(heads)}.")
    picked = [trace.weights[layer, head] for layer, head in heads]
    mean: FloatArray = np.mean(np.stack(picked), axis=0, dtype=np.float64)
    return mean


def sees(trace: AttentionTrace) -> NDArray[np.bool_]:
    """Return (Q, T) whether a step may look at an item: in a causal model only at those up to its own place."""
    steps, items = trace.weights.shape[2:]
    return np.tri(steps, items, dtype=bool) if trace.causal else np.ones((steps, items), dtype=bool)


def links(found: Attended, heads: Sequence[Head] | None = None) -> pd.DataFrame:
    """Return who looked at what: a row for each step and item that the step may look at.

    Returns:
        Columns `step` (from 1), `after` (name of the step), `place` (of the item looked at, from 1), `item_id`,
        `title`, `weight`; step by step, the largest weight first.
    """
    weights = mean_weights(found.trace, heads)
    step, place = np.nonzero(sees(found.trace))
    names = found.steps
    table = pd.DataFrame(
        {
            STEP: step + 1,
            AFTER: [names[one] for one in step],
            PLACE: place + 1,
            ITEM_ID: [found.item_ids[one] for one in place],
            TITLE: [found.titles[one] for one in place],
            WEIGHT: weights[step, place],
        }
    )
    return table.sort_values([STEP, WEIGHT, PLACE], ascending=[True, False, False], ignore_index=True)


def candidates(found: Attended) -> pd.DataFrame:
    """Return the best items after each step: `step`, `after`, `rank`, `title`, `score`, `chosen`."""
    trace, names = found.trace, found.steps
    picked = chosen(trace)
    rows = [
        (step + 1, names[step], rank + 1, found.called(int(item)), float(score), bool(item == picked[step]))
        for step in range(len(trace.next_items))
        for rank, (item, score) in enumerate(zip(trace.next_items[step], trace.next_scores[step], strict=True))
        if item != PAD
    ]
    return pd.DataFrame(rows, columns=[STEP, AFTER, "rank", TITLE, "score", "chosen"])


@dataclass(frozen=True)
class Habit:
    """How attention is spread, in numbers for a sentence.

    Args:
        step: The step of the strongest single look, by name; of steps that see at least three items.
        item: What that looks at.
        weight: How much of the step's attention goes there.
        steps: Number of steps that the means below are over.
        latest: Mean share of the latest `RECENT` items that a step sees.
        even: The same share if attention were even.
        spread: Mean over steps of exp(entropy): over how many items attention is spread.
        seen: Mean number of items that those steps see.
    """

    step: str
    item: str
    weight: float
    steps: int
    latest: float
    even: float
    spread: float
    seen: float


def habit(found: Attended, heads: Sequence[Head] | None = None) -> Habit:
    """Return how attention is spread over the items: by all steps that see more than `RECENT`, else by all steps."""
    weights, may = mean_weights(found.trace, heads), sees(found.trace)
    seen = may.sum(axis=1)
    rows = np.flatnonzero(seen > RECENT)
    rows = rows if len(rows) else np.arange(len(seen))
    looked = weights[rows]
    entropy = -np.sum(looked * np.log(np.where(looked > 0, looked, 1.0)), axis=1)
    recent = [weights[row, max(0, seen[row] - RECENT) : seen[row]].sum() for row in rows]
    best_row, best_item = np.unravel_index(int(np.argmax(looked)), looked.shape)
    return Habit(
        step=found.steps[rows[best_row]],
        item=found.titles[best_item],
        weight=float(looked[best_row, best_item]),
        steps=len(rows),
        latest=float(np.mean(recent)),
        even=float(np.mean(np.minimum(RECENT, seen[rows]) / seen[rows])),
        spread=float(np.mean(np.exp(entropy))),
        seen=float(np.mean(seen[rows])),
    )
