"""The histories of a query as a sparse matrix, read by the same rule as the training data."""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import QueryBatch


def history_matrix(query: QueryBatch, n_items: int, values: Literal["rating", "binary"]) -> csr_array:
    """Return the (B, I) matrix of histories, columns increasing within a row.

    Args:
        query: B people; where a history holds an item twice, its latest entry counts, as in `Dataset.matrix`.
        n_items: I.
        values: "rating": what the query carries; "binary": 1 for each item, whatever it carries.
    """
    rows = query.history.row_numbers()
    items = query.history.values.astype(np.int64)
    places = np.lexsort((np.arange(len(items)), items, rows))  # by person, then item, then age
    pair = rows[places] * n_items + items[places]
    latest = places[np.append(pair[1:] != pair[:-1], True)] if len(places) else places
    numbers = np.ones(len(latest)) if values == "binary" else np.asarray(query.values, dtype=np.float64)[latest]
    offsets = np.searchsorted(rows[latest], np.arange(len(query) + 1))
    return csr_array((numbers, items[latest].astype(np.int32), offsets), shape=(len(query), n_items))
