"""The neighboring sessions of a session-based nearest-neighbor model, with the arithmetic of their votes."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import TITLE, WEIGHT
from recsys_core.contracts import IntArray
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.labels import users_called
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.session_knn import SessionKNN

SHOWN = 20
SHARED, ITEMS = "shared", "items"
SIMILARITY, TIME_DECAY, NEIGHBOR_WEIGHT, POSITION_DECAY = (
    "session_similarity",
    "time_decay",
    "neighbor_weight",
    "position_decay",
)


def sessions(request: ViewRequest) -> ViewData:
    """Return the neighbors of the user's current session, the largest weight first.

    Returns:
        Columns `title` (user and, if known, date of the session), `shared` (common items), `items` (items of the
        session), `session_similarity`, `time_decay`, `neighbor_weight` (the product of the two), `position_decay` (of
        the item in that session, 0 if it lacks the item), `weight` (what the session adds to the score: the product of
        the weight and the decay). Facts: `found` (neighbors), `k`, `holding` (neighbors that contain the item),
        `score` (sum of all their contributions), `item` (title), `nearest` (identifier of the first session's user).

    Raises:
        CannotScore: The current session has no neighbors.
    """
    model: SessionKNN = request.model  # type: ignore[assignment]
    found = model.neighbors(request.query)
    if not len(found.session):
        raise CannotScore(_("This session has no neighbors: no session with a common item contains an item beyond it."))
    votes = model.votes_for(found, request.item)
    shared, sizes = _sizes(request, found.session[:SHOWN])
    table = pd.DataFrame(
        {
            TITLE: _names(request, found.session[:SHOWN]),
            SHARED: shared,
            ITEMS: sizes,
            SIMILARITY: found.similarity[:SHOWN],
            TIME_DECAY: found.weight[:SHOWN] / found.similarity[:SHOWN],
            NEIGHBOR_WEIGHT: found.weight[:SHOWN],
            POSITION_DECAY: votes[:SHOWN],
            WEIGHT: (found.weight * votes)[:SHOWN],
        }
    )
    facts = {
        "found": len(found.session),
        "k": model.config.neighbors,
        "holding": int((votes > 0).sum()),
        "score": float(found.weight @ votes),
        "item": request.item_title,
        "nearest": request.dataset.user_vocabulary.ids[model.session_user[found.session[0]]],
    }
    return ViewData(table, facts)


def _sizes(request: ViewRequest, numbers: IntArray) -> tuple[list[int], IntArray]:
    """Return the number of items that each session has in common with the current one, and of all its items."""
    model: SessionKNN = request.model  # type: ignore[assignment]
    current = model.current_session(request.query)
    first, end = model.session_start[numbers], model.session_start[numbers + 1]
    shared = [int(np.isin(model.session_item[a:b], current).sum()) for a, b in zip(first, end, strict=True)]
    return shared, end - first


def _names(request: ViewRequest, numbers: IntArray) -> list[str]:
    """Return the user of each session and the date of its last interaction (UTC)."""
    model: SessionKNN = request.model  # type: ignore[assignment]
    names = users_called(request.dataset, model.session_user[numbers])
    times = model.session_time[numbers].tolist()
    return [
        name if time == NO_TIMESTAMP else f"{name}, {datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%d}"
        for name, time in zip(names, times, strict=True)
    ]
