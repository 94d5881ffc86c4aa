"""Latent factors of a matrix factorization: the strongest factors by their items, the latent space, and topics.

Scores are invariant to rotations of the latent space, so single trained dimensions have no meaning. The factors are
rotated to the principal axes of the items: with Q (I, D) the item factors and R (D, D) the eigenvectors of Q^T Q,

    p . q = sum_t (p R)_t (q R)_t

exactly, and axis t is the direction of largest item variation orthogonal to the previous axes.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, ITEM, TITLE
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore, DataError
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.lfm import Lfm

TASTES = 10
"""Number of factors offered."""
ENDS = 8
"""Items shown at each end of a factor."""
DRAWN = 400
"""Maximum number of items drawn from the history, and from all others."""
LISTED = 10
LEAST_ITEMS = 5
"""Minimum number of items of a category that is reported."""
CLEAR = 3.0
"""Distance from the mean of all items, in standard errors, at which a category is reported."""
TASTE, OTHER, ROLE, END = "taste", "other", "role", "end"
IN_HISTORY, RECOMMENDED, REST = "history", "recommended", "rest"
TOPICS = 30
"""Number of largest topics offered."""
ITEMS, ATTRIBUTES = 14, 4
SHARE = "share"


class Space(NamedTuple):
    """Factors on principal axes: `user` (D,) of the user, `items` (I, D), `axes` (D, D), `known` (I,) trained
    items.
    """

    user: FloatArray
    items: FloatArray
    axes: FloatArray
    known: FloatArray


def space_of(request: ViewRequest) -> Space:
    """Return the factors of a model on the principal axes of its items."""
    items = request.model.item_factors.astype(np.float64)  # type: ignore[attr-defined]
    values, axes = np.linalg.eigh(items.T @ items)
    axes = axes[:, np.argsort(-values)]
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return Space(_user_factors(request) @ axes, items @ axes, axes, np.any(items != 0, axis=1))


def _user_factors(request: ViewRequest) -> FloatArray:
    """Return (D,) the user's factors: from training, or folded in from the history."""
    model: Any = request.model
    if hasattr(model, "factors_of"):
        folded: FloatArray = model.factors_of(request.query)[1][0]
        return folded
    history = model.history_values(request.query)  # in the topic LFM a user is the weighted sum of their items
    summed: FloatArray = history.value @ model.item_factors[history.column]
    return summed


def tastes(request: ViewRequest) -> ViewData:
    """Return the items with the highest and lowest coordinates on one latent factor.

    The factor is `choices["taste"]`, from "1", the strongest.

    Returns:
        Columns `item`, `title`, `taste` (the coordinate), `end` ("high" or "low"); highest first. Facts: `number`,
        `strengths` (root mean square contribution of each factor to scores, over users and items), `person` (the user's
        coordinate), `high` and `low` (categories overrepresented at that end), `offered` (factor numbers).
    """
    space = space_of(request)
    users = request.model.user_factors.astype(np.float64) @ space.axes  # type: ignore[attr-defined]
    spread = np.sqrt(np.square(users).mean(axis=0) * np.square(space.items[space.known]).mean(axis=0))
    order = np.argsort(-spread, kind="stable")[:TASTES]
    number = min(int(request.choices.get("taste", "1")), len(order))
    axis = order[number - 1]
    known = np.flatnonzero(space.known)
    coordinate = space.items[known, axis]
    ranked = known[np.argsort(-coordinate, kind="stable")]
    ends = min(ENDS, len(ranked) // 2)
    chosen = np.concatenate([ranked[:ends], ranked[len(ranked) - ends :]])
    table = pd.DataFrame(
        {
            ITEM: chosen,
            TITLE: titles_of(request.dataset, chosen),
            TASTE: space.items[chosen, axis],
            END: ["high"] * ends + ["low"] * ends,
        }
    )
    high, low = _categories(request, space.items[:, axis], space.known)
    facts = {
        "number": number,
        "strengths": [float(value) for value in spread[order]],
        "person": float(space.user[axis]),
        "high": high,
        "low": low,
        "offered": [str(place) for place in range(1, len(order) + 1)],
    }
    return ViewData(table, facts)


def space(request: ViewRequest) -> ViewData:
    """Return items as points in the latent space, projected on the user's factor vector and one orthogonal direction.

    Returns:
        Columns `item`, `title`, `taste` (p . q, in units of the score), `other` (coordinate on the strongest direction
        orthogonal to the user's factors), `role`: "history", "recommended" or "rest"; long histories and the rest are
        sampled at regular intervals. Facts, over all items: `history_mean`, `rest_mean`, `recommended_mean` of `taste`.

    Raises:
        CannotScore: The model has no factors for this user.
    """
    found = space_of(request)
    length = float(np.linalg.norm(found.user))
    if length == 0:
        raise CannotScore(_("The model has no factors for this user: there are no interactions to learn them from."))
    added = found.items @ found.user
    beside = found.items - np.outer(added / length, found.user / length)
    _unused, axes = np.linalg.eigh(beside.T @ beside)
    other = beside @ axes[:, -1]
    known = np.flatnonzero(found.known)
    listed = request.model.recommend(request.query, LISTED).item[0]
    history = np.intersect1d(request.history, known)
    roles = np.full(len(added), "", dtype=object)
    roles[_sample(np.setdiff1d(known, history))] = REST
    roles[_sample(history)] = IN_HISTORY
    roles[listed[listed >= 0]] = RECOMMENDED
    shown = np.flatnonzero(roles != "")
    table = pd.DataFrame(
        {
            ITEM: shown,
            TITLE: titles_of(request.dataset, shown),
            TASTE: added[shown],
            OTHER: other[shown],
            ROLE: roles[shown],
        }
    )
    groups = {REST: np.setdiff1d(known, history), IN_HISTORY: history, RECOMMENDED: listed[listed >= 0]}
    return ViewData(table, {f"{role}_mean": float(added[items].mean()) for role, items in groups.items() if len(items)})


def _sample(items: IntArray) -> IntArray:
    """Return at most `DRAWN` of the items, sampled at regular intervals."""
    return items[:: max(1, -(-len(items) // DRAWN))]


def _categories(request: ViewRequest, coordinate: FloatArray, known: Any) -> tuple[list[str], list[str]]:
    """Return the categories overrepresented at the high and at the low end; empty without categories."""
    from recsys_core.profiles.features import item_features

    dataset = request.dataset
    if dataset.items is None or CATEGORIES not in dataset.items:
        return [], []
    try:
        features = item_features(dataset, parts=[CATEGORIES])
    except DataError:
        return [], []
    has = features.matrix[known].astype(bool).astype(np.float64)
    number = np.asarray(has.sum(axis=0)).ravel()
    values = coordinate[known]
    mean = (has.T @ (values - values.mean())) / np.maximum(number, 1)
    clear = mean * np.sqrt(number) / (values.std() or 1.0)
    clear[number < LEAST_ITEMS] = 0.0
    order = np.argsort(-clear, kind="stable")
    high = [features.names[place] for place in order[:3] if clear[place] >= CLEAR]
    low = [features.names[place] for place in order[::-1][:3] if clear[place] <= -CLEAR]
    return high, low


def topics(request: ViewRequest) -> ViewData:
    """Return the items with the largest shares of one topic.

    The topic is `choices["topic"]`, from "1", the largest. The share of topic t in item i is phi_it; the size of a
    topic is its mean share over all items. The weight of an attribute for a topic is its entry in the attribute weights
    minus the mean of its row, since a constant added to all topics does not change the shares.

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
