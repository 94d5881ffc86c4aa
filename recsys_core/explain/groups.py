"""Pairwise similarities within a group of users or items, ordered so that clusters are adjacent.

The order is the optimal leaf ordering of average-linkage clustering with the distances 1 - s / max(s).

Source: Bar-Joseph et al. 2001, "Fast Optimal Leaf Ordering for Hierarchical Clustering", as in SciPy.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_core.columns import ITEM
from recsys_core.contracts import FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.data.labels import titles_of
from recsys_core.data.summaries import top_items
from recsys_core.errors import CannotScore
from recsys_core.explain.neighbors import SIMILARITY, item_similarities, similarity_to_all
from recsys_core.explain.view import ViewData, ViewRequest, dense
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.user_knn import UserKNN

SIZE = 25
"""Maximum number of members of a group, limited by the axis labels."""
FIRST, SECOND = "first", "second"
NEAREST, BUSIEST, HISTORY, AROUND, POPULAR = "nearest", "busiest", "history", "around", "popular"
USER_GROUPS = (NEAREST, BUSIEST)
ITEM_GROUPS = (HISTORY, AROUND, POPULAR)


def clustered(similarity: FloatArray) -> IntArray:
    """Return (n,) an order of rows in which similar ones are adjacent.

    Args:
        similarity: (n, n) symmetric similarities; the diagonal is ignored.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(similarity) < 3:
        return np.arange(len(similarity))
    top = float(np.max(np.abs(similarity - np.diag(np.diag(similarity)))))
    distance = 1.0 - similarity / (top or 1.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def alike_users(request: ViewRequest) -> ViewData:
    """Return the similarities within a group of users: the user with their nearest neighbors, or the most active users.

    Raises:
        CannotScore: The user has no neighbors.
    """
    model: UserKNN = request.model  # type: ignore[assignment]
    ids, group = request.dataset.user_vocabulary.ids, request.choices.get("group", NEAREST)
    if group == BUSIEST:
        members = np.argsort(-np.diff(model.ratings.indptr), kind="stable")[:SIZE]
        return _view_data(_among_users(model, members), [ids[user] for user in members], group)
    own = similarity_to_all(model, request.query)
    members = np.argsort(-own, kind="stable")[: min(SIZE, model.config.neighbors)]
    members = members[own[members] > 0]
    if not len(members):
        raise CannotScore(_("This user has no neighbors: no user in the training data has a positive similarity."))
    if request.is_unknown:  # the model has no similarities of its users to this one
        similarity: FloatArray = np.zeros((len(members) + 1, len(members) + 1))
        similarity[0, 1:] = similarity[1:, 0] = own[members]
        similarity[1:, 1:] = _among_users(model, members)
    else:
        similarity = _among_users(model, np.append(request.user, members))
    name = "this user" if request.is_unknown else ids[request.user]
    return _view_data(similarity, [name, *(ids[user] for user in members)], group, user=name)


def alike_items(request: ViewRequest) -> ViewData:
    """Return the similarities (or weights) within a group of items.

    The group is the latest part of the history, the items with the largest weights for the selected one, or the most
    popular items.

    Raises:
        CannotScore: The group has fewer than two items.
    """
    group = request.choices.get("group", HISTORY)
    members = _items_of(request, group)
    if len(members) < 2:
        raise CannotScore(_("This group has fewer than two items; select another group."))
    return _view_data(_among_items(request.model, members), titles_of(request.dataset, members), group)


def _among_users(model: "UserKNN", users: IntArray) -> FloatArray:
    """(n, n) similarities of training users to each other, row to column."""
    rows = model.ratings[users]
    query = QueryBatch(
        np.asarray(users), Ragged(rows.indices.astype(np.int64), rows.indptr.astype(np.int64)), rows.data
    )
    found = model.user_similarities(query, csr_array(rows, dtype=np.float64))
    return np.array([np.asarray(row)[users] for row in found])


def _among_items(model: Any, items: IntArray) -> FloatArray:
    """(n, n) similarities or weights of items, row to column."""
    from recsys_core.models.item_knn import ItemKNN

    if isinstance(model, ItemKNN):
        return item_similarities(model, items)[:, items]
    return dense(model.item_weights[items][:, items])


def _items_of(request: ViewRequest, group: str) -> IntArray:
    weights = request.model.item_weights  # type: ignore[attr-defined]
    if group == AROUND:
        strength = dense(weights[:, [request.item]])
        nearest = np.argsort(-strength, kind="stable")[: SIZE - 1]
        return np.concatenate([[request.item], nearest[strength[nearest] > 0]]).astype(np.int64)
    if group == POPULAR:
        return top_items(request.dataset, SIZE)[ITEM].to_numpy(np.int64)
    latest = request.query.history[0][::-1]
    _, first = np.unique(latest, return_index=True)
    return latest[np.sort(first)][:SIZE].astype(np.int64)


def _view_data(similarity: FloatArray, names: list[str], group: str, user: str = "") -> ViewData:
    """Return the means of both directions as a long table, rows and columns in clustered order.

    Returns:
        Columns `first`, `second`, `similarity` (NaN on the diagonal), row by row. Facts: `size`, `mean`, `strongest`
        (two names), `highest`, `empty` (share of pairs with similarity 0), `group`, `person`.
    """
    similarity = (similarity + similarity.T) / 2
    order, size = clustered(similarity), len(names)
    ordered, called = similarity[np.ix_(order, order)], [names[place] for place in order]
    np.fill_diagonal(ordered, np.nan)
    upper = np.triu_indices(size, 1)
    pairs = ordered[upper]
    best = int(np.argmax(pairs))
    table = pd.DataFrame({FIRST: np.repeat(called, size), SECOND: called * size, SIMILARITY: ordered.ravel()})
    facts = {
        "size": size,
        "mean": float(pairs.mean()),
        "strongest": (called[upper[0][best]], called[upper[1][best]]),
        "highest": float(pairs[best]),
        "empty": float((pairs == 0).mean()),
        "group": group,
        "person": user,
    }
    return ViewData(table, facts)
