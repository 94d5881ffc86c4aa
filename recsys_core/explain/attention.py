"""Attention traces of trained models with item names, as tables.

Shapes use fixed letters: L layers, H heads, Q steps (queries), T attended items (keys), N candidates.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from recsys_core.text import _

Head = tuple[int, int]
"""Layer and head, both from 0."""
STEP, PLACE, AFTER, RAW = "step", "place", "after", "raw_weight"
RECENT = 3
"""Number of latest items whose share of the attention is reported."""
OUTPUT, QUANTITY, VALUE, CHOSEN = "output", "quantity", "value", "chosen"
NORMS = ("context_norm", "hidden_norm")
"""Details of a decoder with one number per step."""
WHOLE = "Int64"
"""Nullable integer type."""
LOCAL_STEP, POINT, POINT_TITLE = "local_step", "point", "point_title"


@dataclass(frozen=True, eq=False)
class Attended:
    """An attention trace with item names.

    Args:
        trace: The trace returned by the model.
        titles: (T,) titles of the history items, oldest first.
        item_ids: (T,) their identifiers.
        names: Position -> title of each item in the trace, its candidates and its details.
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
        """(Q,) name of each step: the input item of a causal model, or the output item of a decoder."""
        if self.trace.causal:
            return list(self.titles)
        return [self.called(int(item)) for item in chosen(self.trace)]

    def called(self, item: int) -> str:
        """Return the title of an item; empty for `PAD`."""
        return self.names.get(item, "")


def attended(trace: AttentionTrace, dataset: Dataset) -> Attended:
    """Return a trace with the item titles of its data set."""
    ids = dataset.item_vocabulary.ids
    mentioned = np.unique(np.concatenate([trace.tokens, trace.next_items.ravel(), *_mentioned(trace.details)]))
    mentioned = mentioned[(mentioned >= 0) & (mentioned < len(ids))].astype(np.int64)
    names = dict(zip(mentioned.tolist(), titles_of(dataset, mentioned), strict=True))
    tokens = trace.tokens.tolist()
    return Attended(trace, tuple(names[item] for item in tokens), tuple(ids[item] for item in tokens), names)


def _mentioned(details: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return all item positions in the details: by convention, the arrays whose names end in `items`."""
    return [np.asarray(array).ravel() for name, array in details.items() if name.endswith("items")]


def chosen(trace: AttentionTrace) -> NDArray[Any]:
    """Return (Q,) the output item of each step: the detail `chosen_items`, else the top candidate."""
    return np.asarray(trace.details.get("chosen_items", trace.next_items[:, 0]))


def foreseen(trace: AttentionTrace) -> tuple[int, int]:
    """Return in how many steps a causal model ranked the next item first, and the number of steps with a next item."""
    came = trace.tokens[1:]
    return int((trace.next_items[: len(came), 0] == came).sum()), len(came)


def shares(trace: AttentionTrace) -> FloatArray:
    """Return (L, H, Q, T) the share of the attention of each step and head that goes to each item, 0 to 1.

    For a softmax these are the weights. Pointwise weights (HSTU) can be negative: their share is that of their absolute
    value in the sum of the absolute values of the row; 0 in a row of zeros. If a step is a mask token, its own share is
    what is missing to 1.
    """
    if trace.softmax:
        return trace.weights
    sizes = np.abs(trace.weights)
    total = sizes.sum(axis=-1, keepdims=True)
    if trace.mask_weights is not None:
        total = total + np.abs(trace.mask_weights)[..., None]
    found: FloatArray = sizes / np.where(total > 0, total, 1.0)
    return found


def mean_weights(trace: AttentionTrace, heads: Sequence[Head] | None = None) -> FloatArray:
    """Return (Q, T) mean `shares` over the given heads, all by default; rows sum to 1, without mask tokens.

    Raises:
        DataError: The list of heads is empty or contains a head that the model does not have.
    """
    layers, width = trace.weights.shape[:2]
    if heads is None:
        return _mean_of_heads(shares(trace), None)
    if not heads or any(not (0 <= layer < layers and 0 <= head < width) for layer, head in heads):
        raise DataError(
            _("The model has {layers} layers with {width} heads each, but the selected heads are {list}.").format(
                layers=layers, width=width, list=list(heads)
            )
        )
    return _mean_of_heads(shares(trace), heads)


def _mean_of_heads(weights: FloatArray, heads: Sequence[Head] | None) -> FloatArray:
    """Return (Q, T) the mean of weights (L, H, Q, T) over the given heads, over all if None."""
    if heads is None:
        everything: FloatArray = weights.mean(axis=(0, 1), dtype=np.float64)
        return everything
    mean: FloatArray = np.mean(np.stack([weights[layer, head] for layer, head in heads]), axis=0, dtype=np.float64)
    return mean


def sees(trace: AttentionTrace) -> NDArray[np.bool_]:
    """Return (Q, T) whether a step can attend to an item: in a causal model only up to its own position."""
    steps, items = trace.weights.shape[2:]
    return np.tri(steps, items, dtype=bool) if trace.causal else np.ones((steps, items), dtype=bool)


def links(attended: Attended, heads: Sequence[Head] | None = None) -> pd.DataFrame:
    """Return the attention weights as a long table, one row for each step and item it can attend to.

    Returns:
        Columns `step` (from 1), `after` (name of the step), `place` (position of the attended item, from 1), `item_id`,
        `title`, `weight` (mean share of the attention); by step, the largest weight first. If the weights are not those
        of a softmax, also `raw_weight`, their mean with its sign.
    """
    weights = mean_weights(attended.trace, heads)
    step, place = np.nonzero(sees(attended.trace))
    names = attended.steps
    table = pd.DataFrame(
        {
            STEP: step + 1,
            AFTER: [names[one] for one in step],
            PLACE: place + 1,
            ITEM_ID: [attended.item_ids[one] for one in place],
            TITLE: [attended.titles[one] for one in place],
            WEIGHT: weights[step, place],
        }
    )
    if not attended.trace.softmax:
        table[RAW] = _mean_of_heads(attended.trace.weights, heads)[step, place]
    return table.sort_values([STEP, WEIGHT, PLACE], ascending=[True, False, False], ignore_index=True)


def candidates(attended: Attended) -> pd.DataFrame:
    """Return the top candidates of each step: `step`, `after`, `rank`, `title`, `score`, `chosen`."""
    trace, names = attended.trace, attended.steps
    picked = chosen(trace)
    rows = [
        (step + 1, names[step], rank + 1, attended.called(int(item)), float(score), bool(item == picked[step]))
        for step in range(len(trace.next_items))
        for rank, (item, score) in enumerate(zip(trace.next_items[step], trace.next_scores[step], strict=True))
        if item != PAD
    ]
    return pd.DataFrame(rows, columns=[STEP, AFTER, "rank", TITLE, "score", "chosen"])


@dataclass(frozen=True)
class Habit:
    """Summary statistics of attention.

    Args:
        step: Name of the step with the largest single weight.
        item: The item with that weight.
        weight: The weight.
        steps: Number of steps in the means below.
        latest: Mean share of the `RECENT` latest items visible to a step, of its attention to items.
        even: The same share under uniform attention.
        spread: Mean over steps of exp(entropy): the effective number of attended items.
        seen: Mean number of items visible to a step.
    """

    step: str
    item: str
    weight: float
    steps: int
    latest: float
    even: float
    spread: float
    seen: float


def habit(attended: Attended, heads: Sequence[Head] | None = None) -> Habit:
    """Return summary statistics over all steps that see more than `RECENT` items, or over all steps without such."""
    weights, may = mean_weights(attended.trace, heads), sees(attended.trace)
    seen = may.sum(axis=1)
    rows = np.flatnonzero(seen > RECENT)
    rows = rows if len(rows) else np.arange(len(seen))
    looked = weights[rows]
    best_row, best_item = np.unravel_index(int(np.argmax(looked)), looked.shape)
    weight = float(looked[best_row, best_item])
    if attended.trace.mask_weights is not None:  # the rest is on the mask token itself
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        looked = weights[rows]
    entropy = -np.sum(looked * np.log(np.where(looked > 0, looked, 1.0)), axis=1)
    recent = [weights[row, max(0, seen[row] - RECENT) : seen[row]].sum() for row in rows]
    return Habit(
        step=attended.steps[rows[best_row]],
        item=attended.titles[best_item],
        weight=weight,
        steps=len(rows),
        latest=float(np.mean(recent)),
        even=float(np.mean(np.minimum(RECENT, seen[rows]) / seen[rows])),
        spread=float(np.mean(np.exp(entropy))),
        seen=float(np.mean(seen[rows])),
    )


def decoded(attended: Attended) -> pd.DataFrame:
    """Return the values computed in each decoding step.

    Returns:
        Columns `step` (from 1), `output` (the item of that step), `quantity`, `place`, `item_id`, `title`, `value`,
        `chosen`. The quantities: `energy` and `alpha` of each history item (`place` in the history, from 1);
        `context_norm` |C| and `hidden_norm` |H|; `candidate_log_probability` and `beam_log_probability` (`place` is the
        rank; the title of a beam is its items, joined by arrows). `chosen` marks the output item and the beam that is
        the prefix of the final sequence.
    """
    names = attended.steps
    rows = [
        (step + 1, names[step], *numbers) for step in range(len(names)) for numbers in _decoded_in_step(attended, step)
    ]
    table = pd.DataFrame(rows, columns=[STEP, OUTPUT, QUANTITY, PLACE, ITEM_ID, TITLE, VALUE, CHOSEN])
    return table.astype({PLACE: WHOLE})


def _decoded_in_step(attended: Attended, step: int) -> Iterator[tuple[Any, ...]]:
    trace, details = attended.trace, attended.trace.details
    looks = {"alpha": mean_weights(trace)[step]}
    if "energies" in details:
        looks = {"energy": details["energies"][step]} | looks
    for quantity, values in looks.items():
        for place, value in enumerate(values):
            yield quantity, place + 1, attended.item_ids[place], attended.titles[place], float(value), False
    for quantity in NORMS:
        if quantity in details:
            yield quantity, None, None, None, float(details[quantity][step]), False
    own = chosen(trace)[: step + 1].tolist()
    for rank, (item, score) in enumerate(zip(trace.next_items[step], trace.next_scores[step], strict=True), start=1):
        if item != PAD:
            name = attended.called(int(item))
            yield "candidate_log_probability", rank, None, name, float(score), int(item) == own[-1]
    if "beam_items" not in details:
        return
    beams = zip(details["beam_items"][step], details["beam_scores"][step], strict=True)
    for rank, (items, score) in enumerate(beams, start=1):
        sequence = [int(item) for item in items if item != PAD]
        if sequence:
            name = " → ".join(attended.called(item) for item in sequence)
            yield "beam_log_probability", rank, None, name, float(score), sequence == own


def moved(attended: Attended) -> pd.DataFrame:
    """Return the values of interest attention for the last history step, before and after each local step.

    Returns:
        Columns `local_step` (0 before the first move; missing for final values), `quantity`, `point` (from 1),
        `point_title`, `place` (of a history item, from 1), `title`, `value`. The quantities: `mass` of each point,
        `attention` A between each history item and each point, `proposed` (1 if the point moved to the item with that
        title in this local step, else 0), and the final `history_weight` and `point_weight`.
    """
    table = pd.DataFrame(_moved(attended), columns=[LOCAL_STEP, QUANTITY, POINT, POINT_TITLE, PLACE, TITLE, VALUE])
    return table.astype({LOCAL_STEP: WHOLE, POINT: WHOLE, PLACE: WHOLE})


def _moved(attended: Attended) -> Iterator[tuple[Any, ...]]:
    details = attended.trace.details
    for step, points in enumerate(details["point_items"]):
        names = [attended.called(int(point)) for point in points]
        for number, name in enumerate(names):
            if step:
                proposed = attended.called(int(details["proposed_items"][step - 1, number]))
                yield step, "proposed", number + 1, name, None, proposed, float(details["accepted"][step - 1, number])
            yield step, "mass", number + 1, name, None, None, float(details["mass"][step, number])
            for place, title in enumerate(attended.titles):
                value = float(details["attention"][step, place, number])
                yield step, "attention", number + 1, name, place + 1, title, value
    for place, title in enumerate(attended.titles):
        yield None, "history_weight", None, None, place + 1, title, float(details["history_weights"][place])
    for number, name in enumerate(names):
        yield None, "point_weight", number + 1, name, None, None, float(details["point_weights"][number])
