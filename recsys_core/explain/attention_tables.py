"""The raw numbers of a trace as long tables for CSV download.

Each row is one number, named by `quantity`; columns that do not apply are missing.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from recsys_core.columns import ITEM_ID, TITLE
from recsys_core.contracts import PAD
from recsys_core.explain.attention import PLACE, STEP, Attended, chosen, mean_weights

OUTPUT, QUANTITY, VALUE, CHOSEN = "output", "quantity", "value", "chosen"
NORMS = ("context_norm", "hidden_norm")
"""Details of a decoder with one number per step."""
WHOLE = "Int64"
"""Nullable integer type."""
LOCAL_STEP, POINT, POINT_TITLE = "local_step", "point", "point_title"


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
