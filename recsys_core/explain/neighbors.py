"""Explanations of nearest-neighbor and linear models: neighbors, shared items, similarities and weights of items."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE, USER, USER_ID, WEIGHT
from recsys_core.contracts import FloatArray, IntArray, QueryBatch
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest, dense
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.item_knn import ItemKNN
    from recsys_core.models.user_knn import UserKNN

SHOWN = 20
SIMILARITY, SHARED, OWN, THEIRS, SHARE = "similarity", "shared", "own", "theirs", "share"
SHOWN_FOR, SHOWN_AGAINST = 14, 6
BACK, HELD = "back", "held"


def similarity_to_all(model: "UserKNN", query: QueryBatch) -> FloatArray:
    """Return (U,) similarities of the single user in `query` to all training users; 0 for the user themselves."""
    return next(iter(model.user_similarities(query, model.history_matrix(query))))


def item_similarities(model: "ItemKNN", items: IntArray) -> FloatArray:
    """Return (D, I) similarities of the given items (D,) to all items."""
    from recsys_core.models.similarity import compare_with_all, sums_buffer

    measure, vectors = model.config.measure, model.vectors
    sums = sums_buffer(measure, model.compared, False)
    found = np.empty((len(items), model.n_items))
    for row, item in enumerate(items):
        entries = slice(vectors.start[item], vectors.start[item + 1])
        columns, values = vectors.column[entries], vectors.value[entries]
        found[row] = compare_with_all(measure, model.compared, columns, values, sums)
    return found


def nearest(request: ViewRequest) -> ViewData:
    """Return the nearest neighbors of the user, most similar first.

    Returns:
        Columns `user`, `user_id`, `similarity` and `shared` (number of common items). Facts: `found` (number of
        neighbors, at most k), `k`, `history` (number of items of the user), `measure`, `trust` (whether trust is mixed
        in).

    Raises:
        CannotScore: The user has no neighbors.
    """
    model: UserKNN = request.model  # type: ignore[assignment]
    similarity = similarity_to_all(model, request.query)
    order = _nearest(similarity, model.config.neighbors)
    if not len(order):
        raise CannotScore(_("This user has no neighbors: no user in the training data has a positive similarity."))
    shown = order[:SHOWN]
    held = np.zeros(model.n_items, dtype=bool)
    held[request.history] = True
    ratings = model.ratings
    shared = [int(held[ratings.indices[ratings.indptr[user] : ratings.indptr[user + 1]]].sum()) for user in shown]
    ids = request.dataset.user_vocabulary.ids
    table = pd.DataFrame(
        {USER: shown, USER_ID: [ids[user] for user in shown], SIMILARITY: similarity[shown], SHARED: shared}
    )
    facts = {
        "found": len(order),
        "k": model.config.neighbors,
        "history": len(request.history),
        "measure": model.config.similarity,
        "trust": hasattr(model, "trust"),
    }
    return ViewData(table, facts)


def _nearest(similarity: FloatArray, most: int) -> IntArray:
    """Return at most `most` users with a positive similarity, most similar first."""
    order = np.argsort(-similarity, kind="stable")[:most]
    return order[similarity[order] > 0]


def shared_items(request: ViewRequest) -> ViewData:
    """Return the items shared by the user and one neighbor, the largest contributions to the similarity first.

    The neighbor is `choices["neighbour"]`, a user id; by default the nearest one.

    Returns:
        Columns `item`, `title`, `own` and `theirs` (ratings, 1 without ratings), `share`: contribution of the item to
        the similarity before shrinkage, NaN where the measure is not a sum over items. Facts: `neighbour` (id),
        `own_items` and `their_items` (numbers of items of the two users), `similarity`, `shares` (sum of
        contributions), `measure`, `scale` (lowest and highest rating, None without ratings), `offered` (ids of the
        nearest neighbors).

    Raises:
        CannotScore: The two users share no item.
        DataError: There is no user with that id.
    """
    model: UserKNN = request.model  # type: ignore[assignment]
    similarity = similarity_to_all(model, request.query)
    chosen = request.choices.get("neighbour")
    other = request.dataset.user_vocabulary.position(chosen) if chosen else int(np.argmax(similarity))
    entries = slice(model.ratings.indptr[other], model.ratings.indptr[other + 1])
    own = model.history_matrix(request.query)
    items, left, right = np.intersect1d(own.indices, model.ratings.indices[entries], return_indices=True)
    if not len(items):
        raise CannotScore(_("These two users have no item in common."))
    x, y = own.data[left].astype(np.float64), model.ratings.data[entries][right].astype(np.float64)
    table = pd.DataFrame(
        {ITEM: items.astype(np.int64), OWN: x, THEIRS: y, SHARE: _shares(model, request.query, other, items)}
    )
    order = np.argsort(-np.abs(table[SHARE].fillna(0.0).to_numpy()), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    table.insert(1, TITLE, titles_of(request.dataset, table[ITEM].to_numpy()))
    facts = {
        "neighbour": request.dataset.user_vocabulary.ids[other],
        "own_items": len(own.indices),
        "their_items": entries.stop - entries.start,
        "similarity": float(similarity[other]),
        "shares": float(table[SHARE].sum(skipna=False)),
        "measure": model.config.similarity,
        "scale": None if np.isnan(model.scale.low) else (model.scale.low, model.scale.high),
        "offered": [request.dataset.user_vocabulary.ids[user] for user in _nearest(similarity, SHOWN)],
    }
    return ViewData(table, facts)


def _shares(model: "UserKNN", query: QueryBatch, other: int, items: IntArray) -> FloatArray:
    """Return (n,) contributions of shared items (n,) to the similarity, from the terms of the model itself."""
    terms = model.similarity_terms(query, other, shrunk=False)
    if model.config.similarity == "msd" or terms.denominator == 0:
        return np.full(len(items), np.nan if model.config.similarity == "msd" else 0.0)
    observed = np.isin(terms.columns, items)
    counted = 1.0 if model.config.similarity in ("jaccard", "tversky") else terms.x[observed] * terms.y[observed]
    return np.broadcast_to(counted / terms.denominator, len(items)).astype(np.float64)


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
    into, out = dense(weights[:, [request.item]]), dense(weights[[request.item], :])
    order = np.argsort(-into, kind="stable")
    chosen = np.concatenate([order[:SHOWN_FOR], order[-SHOWN_AGAINST:]])
    chosen = np.array(list(dict.fromkeys(chosen.tolist())), dtype=np.int64)
    chosen = chosen[into[chosen] != 0]
    if not len(chosen):
        raise CannotScore(
            _("All weights for this item are 0: no user in the training data has it together with another item.")
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
        "item": request.item_title,
        "positive": int((into > 0).sum()),
        "negative": int((into < 0).sum()),
        "of": len(into) - 1,
    }
    return ViewData(table, facts)
