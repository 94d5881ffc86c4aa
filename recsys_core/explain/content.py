"""Explanations of content-based models: matching terms and their contributions to the score."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_core.columns import TITLE, WEIGHT
from recsys_core.contracts import FloatArray
from recsys_core.errors import CannotScore
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.models.content_features import ContentFeatures
    from recsys_core.models.content_mean import ContentMean

HELD_BY, IN_ITEM = "held_by", "in_item"


def matched_terms(request: ViewRequest) -> ViewData:
    """Return the terms that the item shares with the history, and the contribution of each to the score.

    The cosine of two items is a sum over terms, s_ij = sum_f v_if v_jf, and so is their weight
    w_ij = s_ij |s_ij|^(alpha - 1). Hence the history part of the score is a sum over terms, too:

        beta / sum_j |w_ij| * sum_j |s_ij|^(alpha - 1) (r_uj - mu_u) v_if v_jf

    Returns:
        Columns `title` (the term), `weight` (its contribution), `in_item` (v_if), `held_by` (number of history items
        with the term); largest first. Facts: `item` (title), `total` (sum of contributions), `terms` (number of terms
        of the item), `score`.

    Raises:
        CannotScore: The model uses no content, or item and history share no term.
    """
    model: ContentMean = request.model  # type: ignore[assignment]
    if not model.vectors.shape[1]:
        raise CannotScore(
            _("This form of the model uses no content; train it with the formula 'content' to see terms.")
        )
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
        raise CannotScore(
            _("This item has no term in common with the user's history: its score consists of the two means.")
        )
    order = np.argsort(-np.abs(added), kind="stable")
    order = order[common[order] > 0]
    names = _names(request, model)
    titles = [names[term] for term in terms[order]]
    table = {TITLE: titles, WEIGHT: added[order], IN_ITEM: own.data[order], HELD_BY: common[order]}
    return _view_data(request, table, float(added.sum()), len(terms), found.score)


def profile_terms(request: ViewRequest) -> ViewData:
    """Return the terms shared by the user's profile and the item: the score is the sum of their products.

    Returns:
        As `matched_terms`; user attributes are terms, too, with `held_by` 0.

    Raises:
        CannotScore: The user's profile is empty or shares no term with the item.
    """
    model: ContentFeatures = request.model  # type: ignore[assignment]
    found = model.explain(request.query, request.item)
    if not len(found.sources):
        raise CannotScore(_("This item has no term in common with the user's profile."))
    own = model.items[[request.item]]
    values = np.zeros(own.shape[1])
    values[own.indices] = own.data
    held = np.zeros(own.shape[1], dtype=np.int64)
    held[: model.content.shape[1]] = np.bincount(
        model.content[request.history].indices, minlength=model.content.shape[1]
    )
    columns = {IN_ITEM: values[found.sources], HELD_BY: held[found.sources]}
    table = {TITLE: list(found.labels), WEIGHT: found.weights, **columns}
    return _view_data(request, table, float(found.weights.sum()), own.nnz, found.score)


def _view_data(request: ViewRequest, table: dict[str, Any], total: float, terms: int, score: float) -> ViewData:
    facts = {"item": request.item_title, "total": total, "terms": terms, "score": score}
    return ViewData(pd.DataFrame(table), facts)


def _names(request: ViewRequest, model: "ContentMean") -> tuple[str, ...]:
    from recsys_core.models.content import item_vectors

    names = item_vectors(request.dataset, model.info.title).names
    if len(names) != model.vectors.shape[1]:
        raise CannotScore(
            _("The item table differs from the one that this model was trained with, so term names are unknown.")
        )
    return names
