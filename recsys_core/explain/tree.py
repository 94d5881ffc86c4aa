"""The tree that a recursive network reads a history as: how long the state of each node is, and what hangs on it.

The effect of a node is what the score of an item loses without all items below it: the model is asked again for an
unknown person with the rest of what it reads (see `explain.deletion`). Where a history is longer than the window, no
older items move up into it. Sessions are parted anew, as they would be for a person who never did these things.
"""

from typing import cast

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE, WEIGHT
from recsys_core.contracts import PAD, BoolArray, FloatArray, QueryBatch, Ragged
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.deletion import LATEST
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.models.base import SCORE_BLOCK_BYTES
from recsys_core.models.recursive import Recursive

NODE, PARENT, LEVEL, NORM = "node", "parent", "level", "norm"
PERSON, SESSION, LEAF = "person", "session", "item"


def tree(request: ViewRequest) -> ViewData:
    """Return the nodes of the tree: the person, the sessions from the latest on, and the items of each likewise.

    Returns:
        Columns `node` and `parent` (numbers, `PAD` above the person), `level` ("person", "session", "item"), `title`,
        `item` (position, `PAD` for other nodes), `norm` (length of the node's state) and `weight` (the effect; NaN for
        the person, for items older than the latest 200, and where nothing of the history is left). Facts: `item`
        (title), `score`, `folded`, `sessions`, `items`.

    Raises:
        CannotScore: There is no history.
    """
    model = cast("Recursive", request.model)
    found = model.tree(request.query)
    count, owner = len(found.items), found.session
    sessions = int(owner[-1]) + 1
    below = np.vstack([np.arange(sessions)[:, None] == owner, np.eye(count, dtype=bool)])  # (S + T, T)
    folded, effects = _effects(request, below)
    titles = titles_of(request.dataset, found.items)
    rows = [(0, PAD, PERSON, "The person", PAD, found.person_norm, np.nan)]
    for session in range(sessions - 1, -1, -1):
        norm, effect = float(found.session_norms[session]), effects[session]
        rows.append((1 + session, 0, SESSION, f"Session {session + 1}", PAD, norm, effect))
        for place in np.flatnonzero(owner == session)[::-1]:
            node, norm, effect = 1 + sessions + place, float(found.item_norms[place]), effects[sessions + place]
            rows.append((int(node), 1 + session, LEAF, titles[place], int(found.items[place]), norm, effect))
    table = pd.DataFrame(rows, columns=[NODE, PARENT, LEVEL, TITLE, ITEM, NORM, WEIGHT])
    facts = {
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "score": float(model.score(request.query)[0, request.item]),
        "folded": folded,
        "sessions": sessions,
        "items": count,
    }
    return ViewData(table, facts)


def _effects(request: ViewRequest, below: BoolArray) -> tuple[float, FloatArray]:
    """Return the score for an unknown person with this history, and what it loses without the items of each row.

    Args:
        request: The model, one person and an item.
        below: (N, T) which of the latest T items of the history are left out.
    """
    query = request.query
    stranger = request.model.as_read(query.of_unknown())
    folded = float(request.model.score(stranger)[0, request.item])
    if np.isnan(folded):
        raise CannotScore(f"{request.model.info.title} has no score for this item: there is no history.")
    recent = below[:, -LATEST:].any(axis=1)
    asked = _with_only(stranger, ~below[recent])
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, request.model.n_items)))
    without = [request.model.score(block)[:, request.item] for block in asked.batches(size)]
    effects = np.full(len(below), np.nan)
    effects[recent] = folded - np.concatenate(without)
    return folded, effects


def _with_only(query: QueryBatch, kept: BoolArray) -> QueryBatch:
    """Return the one person in `query` so many times, each with some places of the history, (N, T)."""
    rows, places = np.nonzero(kept)
    history = Ragged.from_keys(rows, query.history.values[places], len(kept))
    return query.repeated(history, places)
