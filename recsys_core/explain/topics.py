"""Topics of the topic LFM: the items and attributes with the largest shares of each.

The share of topic t in item i is phi_it; the size of a topic is its mean share over all items. The weight of an
attribute for a topic is its entry in the attribute weights minus the mean of its row, since a constant added to all
topics does not change the shares.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE
from recsys_core.data.labels import titles_of
from recsys_core.explain.view import ViewData, ViewRequest

if TYPE_CHECKING:
    from recsys_core.models.lfm import Lfm

TOPICS = 30
"""Number of largest topics offered."""
ITEMS, ATTRIBUTES = 14, 4
SHARE = "share"


def topics(request: ViewRequest) -> ViewData:
    """Return the items with the largest shares of one topic.

    The topic is `choices["topic"]`, from "1", the largest.

    Returns:
        Columns `item`, `title`, `share` (phi, 0..1), largest first. Facts: `number`, `size` (mean share over all
        items), `of` (number of topics), `even` (share under uniform topics), `person` (mean share in the history, NaN
        without one), `for` and `against` (attributes with positive and negative weights), `offered`.
    """
    model: Lfm = request.model  # type: ignore[assignment]
    sizes = model.affinity.mean(axis=0, dtype=np.float64)
    order = np.argsort(-sizes, kind="stable")[:TOPICS]
    number = min(int(request.choices.get("topic", "1")), len(order))
    topic = order[number - 1]
    share = model.affinity[:, topic].astype(np.float64)
    shown = np.argsort(-share, kind="stable")[:ITEMS]
    table = pd.DataFrame({ITEM: shown, TITLE: titles_of(request.dataset, shown), SHARE: share[shown]})
    speaks_for, against = _attributes(request, int(topic))
    facts = {
        "number": number,
        "size": float(sizes[topic]),
        "of": len(sizes),
        "even": 1.0 / len(sizes),
        "person": float(share[request.history].mean()) if len(request.history) else float("nan"),
        "for": speaks_for,
        "against": against,
        "offered": [str(place) for place in range(1, len(order) + 1)],
    }
    return ViewData(table, facts)


def _attributes(request: ViewRequest, topic: int) -> tuple[list[str], list[str]]:
    """Return the attributes with the largest positive and negative weights for a topic; empty without attributes."""
    model: Lfm = request.model  # type: ignore[assignment]
    if not model.attribute_topics.shape[0]:
        return [], []
    features = model.attributes(request.dataset)
    if features is None or len(features.names) != model.attribute_topics.shape[0]:
        return [], []
    rows = model.attribute_topics.astype(np.float64)
    weight = rows[:, topic] - rows.mean(axis=1)
    order = np.argsort(-weight, kind="stable")
    speaks_for = [features.names[place] for place in order[:ATTRIBUTES] if weight[place] > 0]
    against = [features.names[place] for place in order[::-1][:ATTRIBUTES] if weight[place] < 0]
    return speaks_for, against
