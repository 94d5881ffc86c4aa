"""Weights of a linear item-item model between one item and all others."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE, WEIGHT
from recsys_core.contracts import FloatArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest

SHOWN_FOR, SHOWN_AGAINST = 14, 6
BACK, HELD = "back", "held"


def around(request: ViewRequest) -> ViewData:
    """Return the items with the largest positive and negative weights for the selected item.

    Returns:
        Columns `item`, `title`, `weight` (of that item for the selected one), `back` (weight in the other direction),
        `held` (whether it is in the user's history); largest first. Facts: `item` (title), `positive` and `negative`
        (numbers of weights), `of` (items).

    Raises:
        CannotScore: All weights for this item are 0.
    """
    weights: Any = request.model.item_weights  # type: ignore[attr-defined]
    into, out = _line(weights[:, [request.item]]), _line(weights[[request.item], :])
    order = np.argsort(-into, kind="stable")
    chosen = np.concatenate([order[:SHOWN_FOR], order[-SHOWN_AGAINST:]])
    chosen = np.array(list(dict.fromkeys(chosen.tolist())), dtype=np.int64)
    chosen = chosen[into[chosen] != 0]
    if not len(chosen):
        raise CannotScore(
            "All weights for this item are 0: no user in the training data has it together with another item."
        )
    table = pd.DataFrame(
        {
            ITEM: chosen,
            TITLE: titles_of(request.dataset, chosen),
            WEIGHT: into[chosen],
            BACK: out[chosen],
            HELD: np.isin(chosen, request.history),
        }
    )
    facts = {
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "positive": int((into > 0).sum()),
        "negative": int((into < 0).sum()),
        "of": len(into) - 1,
    }
    return ViewData(table, facts)


def _line(values: Any) -> FloatArray:
    """Return one sparse or dense row or column as a dense vector."""
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(dense, dtype=np.float64).ravel()
