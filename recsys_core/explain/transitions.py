"""Transitions of a Markov chain around an item: which items come next, or which ones it comes after."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE
from recsys_core.contracts import FloatArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.markov import Markov

SHOWN = 20
AFTER, BEFORE = "after", "before"
DIRECTIONS = (AFTER, BEFORE)
COUNT, PROBABILITY, HELD = "count", "probability", "held"


def transitions(request: ViewRequest) -> ViewData:
    """Return the most probable transitions from or to the item, as `choices["direction"]` says.

    Returns:
        Columns `item`, `title`, `count` (weighted number of transitions n), `probability` (of the transition, with
        smoothing), `held` (whether the other item is in the user's history); most probable first. Only counted
        transitions are listed. Facts: `found` (counted transitions), `direction`, `item` (title), `total` (n of all
        transitions from the item), `smoothing`, `smoothed` (share of the probabilities from the item that is due to
        smoothing, NaN without any transition or smoothing).

    Raises:
        CannotScore: No transition from or to the item was counted.
    """
    model: Markov = request.model  # type: ignore[assignment]
    direction = request.choices.get("direction", AFTER)
    counts, probability = _counted(model, request.item, direction)
    found = np.flatnonzero(counts)
    if not len(found):
        raise CannotScore(_("No transition was counted: this item was never followed or preceded by another one."))
    shown = found[np.lexsort((-counts[found], -probability[found]))][:SHOWN]
    table = pd.DataFrame(
        {
            ITEM: shown,
            TITLE: titles_of(request.dataset, shown),
            COUNT: counts[shown],
            PROBABILITY: probability[shown],
            HELD: np.isin(shown, request.history),
        }
    )
    total, alpha = float(model.totals[request.item]), model.config.smoothing
    facts = {
        "found": len(found),
        "direction": direction,
        "item": request.item_title,
        "total": total,
        "smoothing": alpha,
        "smoothed": alpha / (total + alpha) if total + alpha > 0 else float("nan"),
    }
    return ViewData(table, facts)


def _counted(model: "Markov", item: int, direction: str) -> tuple[FloatArray, FloatArray]:
    """Return (I,) the counts and (I,) the probabilities of the transitions from or to an item."""
    out, into = model.probabilities(item)
    if direction == AFTER:
        return model.transitions[[item]].toarray()[0], out
    return model.transitions[:, [item]].toarray()[:, 0], into
