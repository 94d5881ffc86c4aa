"""The tree that a recursive network builds from a history: state norm and influence of each node.

The influence of a node is the score of an item minus its score without all items below the node, computed for an
unknown
user with the remaining history (see `explain.deletion`). If the history is longer than the window, no older items move
into it. Sessions are segmented again from the remaining items.
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
from recsys_core.models.recursive import Recursive
from recsys_core.models.topk import SCORE_BLOCK_BYTES
from recsys_core.text import _

NODE, PARENT, LEVEL, NORM = "node", "parent", "level", "norm"
ROOT, SESSION, LEAF = "person", "session", "item"


def tree(request: ViewRequest) -> ViewData:
    """Return the nodes of the tree: the user, the sessions, latest first, and the items of each, latest first.

    Returns:
        Columns `node` and `parent` (numbers, `PAD` above the root), `level` ("person" for the root, "session", "item"),
        `title`, `item` (position, `PAD` for other nodes), `norm` (norm of the node's state) and `weight` (influence;
        NaN
        for the root, for items older than the latest 200, and where nothing of the history is left). Facts: `item`
        (title), `score`, `folded`, `sessions`, `items`.

    Raises:
        CannotScore: The history is empty.
    """
    model = cast("Recursive", request.model)
    found = model.tree(request.query)
    count, owner = len(found.items), found.session
    sessions = int(owner[-1]) + 1
    below = np.vstack([np.arange(sessions)[:, None] == owner, np.eye(count, dtype=bool)])  # (S + T, T)
    folded, effects = _effects(request, below)
    titles = titles_of(request.dataset, found.items)
    rows = [(0, PAD, ROOT, "User", PAD, found.person_norm, np.nan)]
    for session in range(sessions - 1, -1, -1):
        norm, effect = float(found.session_norms[session]), effects[session]
        rows.append((1 + session, 0, SESSION, f"Session {session + 1}", PAD, norm, effect))
        for place in np.flatnonzero(owner == session)[::-1]:
            node, norm, effect = 1 + sessions + place, float(found.item_norms[place]), effects[sessions + place]
            rows.append((int(node), 1 + session, LEAF, titles[place], int(found.items[place]), norm, effect))
    table = pd.DataFrame(rows, columns=[NODE, PARENT, LEVEL, TITLE, ITEM, NORM, WEIGHT])
    facts = {
        "item": request.item_title,
        "score": float(model.score(request.query)[0, request.item]),
        "folded": folded,
        "sessions": sessions,
        "items": count,
    }
    return ViewData(table, facts)


def _effects(request: ViewRequest, below: BoolArray) -> tuple[float, FloatArray]:
    """Return the score for an unknown user with this history, and the influence of the items of each row.

    Args:
        request: The model, one user and an item.
        below: (N, T) which of the latest T history items are left out.
    """
    query = request.query
    unknown = request.model.as_read(query.of_unknown())
    folded = float(request.model.score(unknown)[0, request.item])
    if np.isnan(folded):
        raise CannotScore(
            _("{info_title} has no score for this item: the history is empty.").format(
                info_title=request.model.info.title
            )
        )
    recent = below[:, -LATEST:].any(axis=1)
    reduced = _with_only(unknown, ~below[recent])
    size = max(1, SCORE_BLOCK_BYTES // (8 * max(1, request.model.n_items)))
    without = [request.model.score(block)[:, request.item] for block in reduced.batches(size)]
    effects = np.full(len(below), np.nan)
    effects[recent] = folded - np.concatenate(without)
    return folded, effects


def _with_only(query: QueryBatch, kept: BoolArray) -> QueryBatch:
    """Return the single user in `query` repeated N times, each with the history positions in `kept` (N, T)."""
    rows, places = np.nonzero(kept)
    history = Ragged.from_keys(rows, query.history.values[places], len(kept))
    return query.repeated(history, places)
