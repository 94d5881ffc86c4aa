"""The social graph around a user, and the contribution of each linked user to one score."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

FRIENDS, FURTHER = 24, 24
"""Maximum number of users drawn: directly linked ones, and those one link further."""
SOURCE_ID, TARGET_ID, HOP, LINK, CARRIED = "source_id", "target_id", "hop", "link", "carried"


def graph(request: ViewRequest) -> ViewData:
    """Return the links around the user and the contributions of linked users to the score, the largest first.

    Returns:
        Columns `source_id`, `target_id`, `hop` (1: a link of the user, 2: one link further), `link` (its weight),
        `carried`: contribution of the target to the score of the item, 0 for none. Facts: `person` (user id), `item`
        (title), `links` (number of links of the user), `moved` (number of drawn users with a contribution), `most` (id)
        and `most_weight`, `adds_up` (whether contributions are parts of the score), `implicit` (whether links were
        inferred from ratings).

    Raises:
        CannotScore: The user is not in the training data or has no links.
    """
    if request.is_unknown:
        raise CannotScore(_("The model has no links for a user who is not in the training data."))
    links: csr_array = request.model.links  # type: ignore[attr-defined]
    own = slice(links.indptr[request.user], links.indptr[request.user + 1])
    friends, weights = links.indices[own].astype(np.int64), links.data[own].astype(np.float64)
    if not len(friends):
        raise CannotScore(_("This user has no links, so the model makes no use of the social graph for them."))
    carried, adds_up = _carried(request, friends, weights)
    order = np.lexsort((friends, -weights, -np.abs(carried[friends])))[:FRIENDS]
    shown = friends[order]
    rows = [(request.user, friend, 1, weight) for friend, weight in zip(shown, weights[order], strict=True)]
    rows += _further(request, links, shown, carried)
    source, target, hop, link = (np.array(column) for column in zip(*rows, strict=True))
    ids = request.dataset.user_vocabulary.ids
    table = pd.DataFrame(
        {
            SOURCE_ID: [ids[user] for user in source],
            TARGET_ID: [ids[user] for user in target],
            HOP: hop,
            LINK: link,
            CARRIED: carried[target],
        }
    )
    most = int(target[np.argmax(np.abs(carried[target]))])
    facts = {
        "person": ids[request.user],
        "item": request.item_title,
        "links": len(friends),
        "moved": int((carried[target] != 0).sum()),
        "most": ids[most],
        "most_weight": float(carried[most]),
        "adds_up": adds_up,
        "implicit": request.model.config.graph == "co_rating",
    }
    return ViewData(table, facts)


def _carried(request: ViewRequest, friends: IntArray, weights: FloatArray) -> tuple[FloatArray, bool]:
    """Return (U,) the contribution of each user to the score, and whether contributions are parts of the score.

    Social regularization (SocialMF) has no such parts. There the contribution is t_uv p_v . q_i, the term of friend v
    in
    the trust-weighted mean that regularizes the user's factors.
    """
    model: Any = request.model
    carried = np.zeros(model.n_users)
    if model.info.key == "social_mf":
        tastes = model.user_factors[friends].astype(np.float64) @ model.item_factors[request.item].astype(np.float64)
        carried[friends] = tastes * weights / weights.sum()
        return carried, False
    try:
        found = model.explain(request.query, request.item)
    except CannotScore:
        return carried, True
    carried[found.sources] = found.weights
    return carried, True


def _further(
    request: ViewRequest, links: csr_array, friends: IntArray, carried: FloatArray
) -> list[tuple[int, int, int, float]]:
    """Return links from friends to further contributing users, each by its heaviest link; largest contribution
    first.
    """
    reached: dict[int, tuple[int, float]] = {}
    known = {request.user, *friends.tolist(), PAD}
    for friend in friends.tolist():
        entries = slice(links.indptr[friend], links.indptr[friend + 1])
        for other, weight in zip(links.indices[entries].tolist(), links.data[entries].tolist(), strict=True):
            if other not in known and carried[other] != 0 and weight > reached.get(other, (PAD, 0.0))[1]:
                reached[other] = (friend, weight)
    chosen = sorted(reached, key=lambda other: (-abs(carried[other]), other))[:FURTHER]
    return [(reached[other][0], other, 2, reached[other][1]) for other in chosen]
