"""Whom a social model listens to: the links around a person, and what each linked person did to one score."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest

FRIENDS, FURTHER = 24, 24
"""People drawn: those linked directly, and those behind them."""
SOURCE_ID, TARGET_ID, HOP, LINK, CARRIED = "source_id", "target_id", "hop", "link", "carried"


def graph(request: ViewRequest) -> ViewData:
    """Return the links around the person, those that carried most first, and what the people did to the score.

    Returns:
        Columns `source_id`, `target_id`, `hop` (1: the person's own link, 2: one link further), `link` (its weight),
        `carried`: what the person at its end did to the score of the item, 0 if nothing. Facts: `person`,
        `item` (title), `links` (the person's own), `moved` (people drawn who have a share in the score), `most` (id)
        and `most_weight`, `adds_up` (whether shares are parts of the score), `implicit` (whether the links were made
        from ratings).

    Raises:
        CannotScore: The model does not know the person, or they are linked with nobody.
    """
    if request.is_unknown:
        raise CannotScore("The model knows no links of somebody whom it was not trained with.")
    links: csr_array = request.model.links  # type: ignore[attr-defined]
    own = slice(links.indptr[request.user], links.indptr[request.user + 1])
    friends, weights = links.indices[own].astype(np.int64), links.data[own].astype(np.float64)
    if not len(friends):
        raise CannotScore("This person is linked with nobody, so the model serves them like one without a network.")
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
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "links": len(friends),
        "moved": int((carried[target] != 0).sum()),
        "most": ids[most],
        "most_weight": float(carried[most]),
        "adds_up": adds_up,
        "implicit": request.model.config.graph == "co_rating",
    }
    return ViewData(table, facts)


def _carried(request: ViewRequest, friends: IntArray, weights: FloatArray) -> tuple[FloatArray, bool]:
    """Return (U,) what each user did to the score, and whether these are parts of it.

    A model that is only pulled towards friends has no such parts: there it is t_uv p_v . q_i, what the tastes of a
    friend add to the mean that the person is pulled to.
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
    """Return links from friends to people with a share in the score, each by the heaviest link; largest share first."""
    reached: dict[int, tuple[int, float]] = {}
    known = {request.user, *friends.tolist(), PAD}
    for friend in friends.tolist():
        entries = slice(links.indptr[friend], links.indptr[friend + 1])
        for other, weight in zip(links.indices[entries].tolist(), links.data[entries].tolist(), strict=True):
            if other not in known and carried[other] != 0 and weight > reached.get(other, (PAD, 0.0))[1]:
                reached[other] = (friend, weight)
    chosen = sorted(reached, key=lambda other: (-abs(carried[other]), other))[:FURTHER]
    return [(reached[other][0], other, 2, reached[other][1]) for other in chosen]
