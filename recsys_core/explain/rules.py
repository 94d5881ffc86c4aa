"""Association rules of a model: all rules, those that lead to an item, or those that match a user's history."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import TITLE
from recsys_core.contracts import IntArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.association_rules import AssociationRules

SHOWN = 20
TO_ITEM, FIRED, ALL = "item", "person", "all"
WHICH = (FIRED, TO_ITEM, ALL)
SUPPORT, CONFIDENCE, LIFT, FIRES = "support", "confidence", "lift", "fires"


def rules(request: ViewRequest) -> ViewData:
    """Return rules by descending confidence, ties by descending lift.

    `choices["rules"]` selects the rules: "item" (with the item as consequent), "person" (that match the history and
    lead
    to an item outside it), or "all".

    Returns:
        Columns `title` (the rule), `confidence`, `support`, `lift`, `fires` (whether the history contains the
        antecedent). Facts: `found` (selected rules), `of` (all rules), `fired`, `which`, `item` (title).

    Raises:
        CannotScore: No rule is selected.
    """
    model: AssociationRules = request.model  # type: ignore[assignment]
    which = request.choices.get("rules", FIRED)
    held = np.zeros(model.n_items)
    held[request.history] = 1.0
    fires = (model.left @ held) == np.diff(model.left.indptr)
    wanted = {
        TO_ITEM: model.right == request.item,
        FIRED: fires & (held[model.right] == 0),
        ALL: np.ones(len(model.right), dtype=bool),
    }[which]
    found = np.flatnonzero(wanted)
    if not len(found):
        raise CannotScore(_("There is no such rule; train with lower minimum support or confidence to get more rules."))
    shown = found[np.lexsort((-model.lift[found], -model.confidence[found]))][:SHOWN]
    table = pd.DataFrame(
        {
            TITLE: _called(request, shown),
            CONFIDENCE: model.confidence[shown],
            SUPPORT: model.support[shown],
            LIFT: model.lift[shown],
            FIRES: fires[shown],
        }
    )
    facts = {
        "found": len(found),
        "of": len(model.right),
        "fired": int((fires & wanted).sum()),
        "which": which,
        "item": request.item_title,
    }
    return ViewData(table, facts)


def _called(request: ViewRequest, shown: IntArray) -> list[str]:
    """Return each rule as antecedent and consequent titles, joined by an arrow."""
    model: AssociationRules = request.model  # type: ignore[assignment]
    left = model.left[shown]
    to = titles_of(request.dataset, model.right[shown])
    sides = [
        " + ".join(titles_of(request.dataset, left.indices[left.indptr[row] : left.indptr[row + 1]]))
        for row in range(len(shown))
    ]
    return [f"{side} → {end}" for side, end in zip(sides, to, strict=True)]
