"""The audit trail of one user's list in words: raw 14 -> after decay 9 -> after MMR 3 -> pinned 1."""

import numpy as np
import pandas as pd

from recsys_core.contracts import PAD
from recsys_core.data.dataset import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.strategy.apply import Outcome
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.card_text import title
from recsys_core.text import _

ARROW = " → "


def trail_table(outcome: Outcome, row: int, candidates: Candidates, dataset: Dataset) -> pd.DataFrame:
    """Return the items of the final and of the raw list of one user, with their way through the cards.

    Args:
        outcome: Lists of the strategy.
        row: Row of the user.
        candidates: The candidates that the strategy was applied to.
        dataset: Names the items.

    Returns:
        A row per item: `place` in the final list (0: not in it), `item`, `title`, `raw` (place by the model, 0: not a
        candidate), `trail` (text), `hit` (whether it is a relevant test item). The final list first, then items that
        left it, by their raw place.
    """
    k = outcome.lists.item.shape[1]
    final = [int(item) for item in outcome.lists.item[row] if item != PAD]
    raw = [int(item) for item in outcome.trail[0][1][row][:k] if item != PAD]
    items = [*final, *(item for item in raw if item not in final)]
    relevant = set(candidates.relevant[row].tolist())
    return pd.DataFrame(
        {
            "place": [final.index(item) + 1 if item in final else 0 for item in items],
            "item": items,
            "title": titles_of(dataset, np.array(items, dtype=np.int64)),
            "raw": [outcome.places(row, item)[0] for item in items],
            "trail": [trail_text(outcome, row, item) for item in items],
            "hit": [item in relevant for item in items],
        }
    )


def trail_text(outcome: Outcome, row: int, item: int) -> str:
    """Return the places of an item after each card that moved it."""
    places = outcome.places(row, item)
    parts = [_("model {place}").format(place=places[0]) if places[0] else _("not a candidate")]
    before = places[0]
    for (card, _items), place in zip(outcome.trail[1:], places[1:], strict=True):
        if place == before or card is None:
            continue
        where = str(place) if place else _("left out")
        parts.append(f"{title(type(card))} {where}")
        before = place
    return ARROW.join(parts)
