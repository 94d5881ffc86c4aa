"""The histories of a query: as a sparse matrix, by the same rule as the training matrix, and their relevant part."""

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import QueryBatch


def history_matrix(query: QueryBatch, n_items: int, values: Literal["rating", "binary"]) -> csr_array:
    """Return the (B, I) matrix of histories, columns increasing within a row.

    Args:
        query: B users; if a history holds an item twice, its latest entry counts, as in `Dataset.matrix`.
        n_items: I.
        values: "rating": the values of the query, without unrated items (NaN); "binary": 1 for each item.
    """
    if values == "rating" and (unrated := np.isnan(query.values)).any():
        query = query.only(~unrated)
    shape, ages = (len(query), n_items), np.arange(len(query.history.values))
    entries = csr_array((ages, query.history.values.astype(np.int32), query.history.offsets), shape=shape)
    ordered = entries.tocsc().tocsr()  # two counting sorts: by user, then item, then age
    rows = np.repeat(np.arange(len(query)), np.diff(ordered.indptr))
    pair = rows * n_items + ordered.indices
    latest = np.append(pair[1:] != pair[:-1], True)[: len(pair)]
    numbers = (
        np.ones(latest.sum()) if values == "binary" else np.asarray(query.values, np.float64)[ordered.data[latest]]
    )
    offsets = np.concatenate([[0], np.cumsum(latest)])[ordered.indptr]
    return csr_array((numbers, ordered.indices[latest], offsets), shape=shape)


def relevant_part(query: QueryBatch, relevant_from: float) -> QueryBatch:
    """Return the same users with only the history items that they rated at least `relevant_from`.

    Items that they rated lower still count as seen.
    """
    return replace(query.only(query.values >= relevant_from), known=query.seen)
