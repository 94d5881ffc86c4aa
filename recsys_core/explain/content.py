"""What content models go by: the terms that an item shares with what a person has, and what each adds to the score."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys_core.columns import TITLE, WEIGHT
from recsys_core.contracts import FloatArray
from recsys_core.data.naming import titles_of
from recsys_core.errors import CannotScore
from recsys_core.explain.subject import Sight, Subject

if TYPE_CHECKING:
    from recsys_core.models.content_mean import ContentMean

SHOWN = 20
HELD_BY, IN_ITEM = "held_by", "in_item"


def matched_terms(subject: Subject) -> Sight:
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
    model: ContentMean = subject.model  # type: ignore[assignment]
    if not model.vectors.shape[1]:
        raise CannotScore("This form of the model looks at no content; train it with form=content to see terms.")
    found = model.explain(subject.query, subject.item)
    own = model.vectors[[subject.item]]
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
    names = _names(subject, model)
    table = pd.DataFrame(
        {
            TITLE: [names[term] for term in terms[order]],
            WEIGHT: added[order],
            IN_ITEM: own.data[order],
            HELD_BY: common[order],
        }
    )
    facts = {
        "item": titles_of(subject.dataset, np.array([subject.item]))[0],
        "total": float(added.sum()),
        "terms": len(terms),
        "score": found.score,
    }
    return Sight(table, facts)


def _names(subject: Subject, model: "ContentMean") -> tuple[str, ...]:
    from recsys_core.models.content import item_vectors

    names = item_vectors(subject.dataset, model.info.title).names
    if len(names) != model.vectors.shape[1]:
        raise CannotScore("The item table is not the one that this model was trained with, so terms have no names.")
    return names
