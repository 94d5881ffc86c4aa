"""What neighbour models go by: who is most like a person and which items make them alike, and how alike items are."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TITLE, USER, USER_ID
from recsys_core.contracts import FloatArray, IntArray, QueryBatch
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest

if TYPE_CHECKING:
    from recsys_core.models.item_knn import ItemKNN
    from recsys_core.models.user_knn import UserKNN

SHOWN = 20
SIMILARITY, SHARED, OWN, THEIRS, SHARE = "similarity", "shared", "own", "theirs", "share"


def similarity_to_all(model: "UserKNN", query: QueryBatch) -> FloatArray:
    """Return (U,) how similar the model finds each training user to the one person in `query`; 0 for themselves."""
    return next(iter(model.user_similarities(query, model.history_matrix(query))))


def item_similarities(model: "ItemKNN", items: IntArray) -> FloatArray:
    """Return (D, I) how similar the model finds some items (D,) to all."""
    from recsys_core.models.similarity import compare_with_all, room_for_sums

    measure, vectors = model.config.measure, model.vectors
    sums = room_for_sums(measure, model.compared, False)
    found = np.empty((len(items), model.n_items))
    for row, item in enumerate(items):
        entries = slice(vectors.start[item], vectors.start[item + 1])
        columns, values = vectors.column[entries], vectors.value[entries]
        found[row] = compare_with_all(measure, model.compared, columns, values, sums)
    return found


def nearest(request: ViewRequest) -> ViewData:
    """Return the people most like the one asked about, most similar first.

    Returns:
        Columns `user`, `user_id`, `similarity` and `shared` (items that both have). Facts: `found` (people who have a
        say, at most k), `k`, `history` (items of the person), `measure`, `trust` (whether trust is mixed in).

    Raises:
        CannotScore: Nobody is like this person.
    """
    model: UserKNN = request.model  # type: ignore[assignment]
    similarity = similarity_to_all(model, request.query)
    order = _nearest(similarity, model.config.neighbors)
    if not len(order):
        raise CannotScore("Nobody in the training data is like this person, as far as this model can tell.")
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
    """Return the most similar users, at most so many, most similar first."""
    order = np.argsort(-similarity, kind="stable")[:most]
    return order[similarity[order] > 0]


def shared_items(request: ViewRequest) -> ViewData:
    """Return the items that the person and one neighbour both have, those that speak most for or against first.

    The neighbour is `choices["neighbour"]`, an identifier; by default the nearest one.

    Returns:
        Columns `item`, `title`, `own` and `theirs` (ratings, 1 where people did not rate), `share`: what the item adds
        to the similarity before it is shrunk, NaN where the measure is no sum over items. Facts: `neighbour` (id),
        `similarity`, `shares` (their sum), `measure`, `scale` (lowest and highest rating,
        None without), `offered` (ids of
        the nearest people).

    Raises:
        CannotScore: Nobody is like this person, or the two share nothing.
        DataError: There is no user of that identifier.
    """
    model: UserKNN = request.model  # type: ignore[assignment]
    similarity = similarity_to_all(model, request.query)
    asked = request.choices.get("neighbour")
    other = request.dataset.user_vocabulary.position(asked) if asked else int(np.argmax(similarity))
    entries = slice(model.ratings.indptr[other], model.ratings.indptr[other + 1])
    own = model.history_matrix(request.query)
    items, left, right = np.intersect1d(own.indices, model.ratings.indices[entries], return_indices=True)
    if not len(items):
        raise CannotScore("These two people have no item in common.")
    x, y = own.data[left].astype(np.float64), model.ratings.data[entries][right].astype(np.float64)
    table = pd.DataFrame(
        {ITEM: items.astype(np.int64), OWN: x, THEIRS: y, SHARE: _shares(model, own, other, items, x, y)}
    )
    order = np.argsort(-np.abs(table[SHARE].fillna(0.0).to_numpy()), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    table.insert(1, TITLE, titles_of(request.dataset, table[ITEM].to_numpy()))
    facts = {
        "neighbour": request.dataset.user_vocabulary.ids[other],
        "similarity": float(similarity[other]),
        "shares": float(table[SHARE].sum(skipna=False)),
        "measure": model.config.similarity,
        "scale": None if np.isnan(model.scale.low) else (model.scale.low, model.scale.high),
        "offered": [request.dataset.user_vocabulary.ids[user] for user in _nearest(similarity, SHOWN)],
    }
    return ViewData(table, facts)


def _shares(model: "UserKNN", own: Any, other: int, items: Any, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return (n,) what each shared item adds to the similarity; see `models/similarity.py` for the formulas."""
    measure = model.config.similarity
    if measure == "jaccard":
        return np.full(len(x), 1.0 / (len(own.data) + model.compared.size[other] - len(x)))
    if measure == "cosine":
        return x * y / float(np.linalg.norm(own.data.astype(np.float64)) * model.compared.length[other])
    if measure == "msd":
        return np.full(len(x), np.nan)
    if measure == "pearson":
        x, y = x - x.mean(), y - y.mean()
    else:
        x, y = x - model.item_means[items], y - model.item_means[items]
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return x * y / lengths if lengths > 0 else np.zeros(len(x))
