"""What content models go by: the terms that an item shares with what a person has, and what each adds to the score."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import TITLE, WEIGHT
from recsys_core.contracts import FloatArray
from recsys_core.data.labels import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest

if TYPE_CHECKING:
    from recsys_core.models.content_features import ContentFeatures
    from recsys_core.models.content_mean import ContentMean

SHOWN = 20
HELD_BY, IN_ITEM = "held_by", "in_item"


def matched_terms(request: ViewRequest) -> ViewData:
    """Return the terms that the item shares with the history, and what each adds to the score.

    The cosine of two items is a sum over terms, s_ij = sum_f v_if v_jf, and so is their weight w_ij = s_ij
    |s_ij|^(alpha - 1). The part of the score that comes from the history is then a sum over terms, too:

        beta / sum_j |w_ij| * sum_j |s_ij|^(alpha - 1) (r_uj - mu_u) v_if v_jf

    Returns:
        Columns `title` (the term), `weight` (what it adds), `in_item` (v_if), `held_by` (items of the history that have
        it); largest first. Facts: `item` (title), `total` (their sum), `terms` (terms of the item), `score`.

    Raises:
        CannotScore: The model looks at no content, or item and history share no term.
    """
    model: ContentMean = request.model  # type: ignore[assignment]
    if not model.vectors.shape[1]:
        raise CannotScore("This form of the model looks at no content; train it with form=content to see terms.")
    found = model.explain(request.query, request.item)
    own = model.vectors[[request.item]]
    held = model.vectors[found.sources]  # (S, F)
    cosine = np.asarray((held @ own.T).toarray(), dtype=np.float64)[:, 0]
    shares = np.divide(found.weights, cosine, out=np.zeros(len(cosine)), where=cosine != 0)
    terms = own.indices.astype(np.int64)
    columns = held[:, terms].tocsc()
    added: FloatArray = np.asarray(columns.T @ shares) * own.data
    common = np.diff(columns.indptr)
    if not common.any():
        raise CannotScore("This item has no term in common with what the person has: the two means make its score.")
    order = np.argsort(-np.abs(added), kind="stable")
    order = order[common[order] > 0]
    names = _names(request, model)
    table = pd.DataFrame(
        {
            TITLE: [names[term] for term in terms[order]],
            WEIGHT: added[order],
            IN_ITEM: own.data[order],
            HELD_BY: common[order],
        }
    )
    facts = {
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "total": float(added.sum()),
        "terms": len(terms),
        "score": found.score,
    }
    return ViewData(table, facts)


def profile_terms(request: ViewRequest) -> ViewData:
    """Return the terms that a person's profile and the item share: the score is the sum of their products.

    Returns:
        As `matched_terms`; attributes of the person are terms, too, held by no item.

    Raises:
        CannotScore: Nothing is known of the person, or they share nothing with the item.
    """
    model: ContentFeatures = request.model  # type: ignore[assignment]
    found = model.explain(request.query, request.item)
    if not len(found.sources):
        raise CannotScore("This item has no term in common with what is known of the person.")
    own = model.items[[request.item]]
    values = np.zeros(own.shape[1])
    values[own.indices] = own.data
    held = np.zeros(own.shape[1], dtype=np.int64)
    held[: model.content.shape[1]] = np.bincount(
        model.content[request.history].indices, minlength=model.content.shape[1]
    )
    table = pd.DataFrame(
        {
            TITLE: list(found.labels),
            WEIGHT: found.weights,
            IN_ITEM: values[found.sources],
            HELD_BY: held[found.sources],
        }
    )
    facts = {
        "item": titles_of(request.dataset, np.array([request.item]))[0],
        "total": float(found.weights.sum()),
        "terms": own.nnz,
        "score": found.score,
    }
    return ViewData(table, facts)


def _names(request: ViewRequest, model: "ContentMean") -> tuple[str, ...]:
    from recsys_core.models.content import item_vectors

    names = item_vectors(request.dataset, model.info.title).names
    if len(names) != model.vectors.shape[1]:
        raise CannotScore("The item table is not the one that this model was trained with, so terms have no names.")
    return names
