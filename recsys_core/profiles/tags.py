"""Preference tags of a user: weighted categories, terms and numeric ranges.

With w_i the weight of a relevant item (see `taste`), x_it the amount of tag t in it and q_t the mean of x_it over all
interactions,

    share(t)   =  (sum_i w_i x_it + beta q_t) / (sum_i w_i + beta)             beta = 5
    weight(t)  =  share(t) * log2(share(t) / q_t)

so that tags that are frequent for this user and rarer overall have large weights. x_it is 1 / number of categories for
categories, the TF-IDF weight for terms, and 1 or 0 for ranges of prices and other numbers; the sum of the weights of
all categories, or of all ranges of a number, is the Kullback-Leibler divergence of this user from all users, in bits.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack

from recsys_core.columns import INTERACTIONS, ITEM, USER
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.features import TERM_PART, Features
from recsys_core.profiles.scaling import MOST_CATEGORIES
from recsys_core.profiles.streams import connected, counted, strength_sql
from recsys_core.profiles.taste import BETA, category_shares, known_numbers, relevance_weights

BANDS = 4


@dataclass(frozen=True, eq=False)
class TagTable:
    """The tags of all items.

    Args:
        matrix: (I, T) amount of each tag in each item.
        kinds: (T,) "category", "term" or "number".
        names: (T,) tag names.
        everybody: (T,) mean over all interactions.
    """

    matrix: csr_array
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    everybody: FloatArray


def tag_table(dataset: Dataset, items: Features) -> TagTable:
    """Return the tags of all items.

    Args:
        dataset: A data set with an item table.
        items: Item features with the parts `categories` and `terms`, if available.
    """
    with connected(dataset) as connection:
        counts = counted(connection, ITEM, dataset.n_items)
    shares, categories = category_shares(items, MOST_CATEGORIES)
    none: tuple[str, ...] = ()
    terms, term_names = csr_array((len(items), 0)), none
    if TERM_PART in items.parts:
        terms, term_names = items.part(TERM_PART), items.names_of(TERM_PART)
    bands, band_names = _bands(dataset, counts)
    names = (*(name.partition(": ")[2] for name in categories), *term_names, *band_names)
    kinds = ("category",) * len(categories) + ("term",) * terms.shape[1] + ("number",) * len(band_names)
    matrix = csr_array(hstack([shares, terms, bands], format="csr"))
    return TagTable(matrix, kinds, names, (matrix.T @ counts) / max(1, int(counts.sum())))


def preference_tags(dataset: Dataset, user: int, table: TagTable, n: int = 30) -> pd.DataFrame:
    """Return at most `n` tags of a user with a positive weight, the largest first.

    Returns:
        `kind` ("category", "term" or "number"), `name`, `weight`, `share`, `everybody`, `lift` (share / everybody) and
        `liked` (number of relevant items with the tag).
    """
    items, weights = liked_items(dataset, user)
    chosen = table.matrix[items]
    share = (chosen.T @ weights + BETA * table.everybody) / (weights.sum() + BETA)
    lift = np.divide(share, table.everybody, out=np.ones(len(share)), where=table.everybody > 0)
    weight = share * np.log2(np.where(lift > 0, lift, 1))
    order = np.argsort(-weight, kind="stable")
    order = order[weight[order] > 1e-12][:n]
    return pd.DataFrame(
        {
            "kind": [table.kinds[tag] for tag in order],
            "name": [table.names[tag] for tag in order],
            "weight": weight[order],
            "share": share[order],
            "everybody": table.everybody[order],
            "lift": lift[order],
            "liked": np.asarray((chosen[:, order] > 0).sum(axis=0)).ravel() if len(order) else [],
        }
    )


def liked_items(dataset: Dataset, user: int) -> tuple[IntArray, FloatArray]:
    """Return the relevant items of a user and the weight of each, summed over repeated interactions."""
    query = f"SELECT {ITEM}, {strength_sql(dataset)} FROM {INTERACTIONS} WHERE {USER} = $user"
    with connected(dataset) as connection:
        found = connection.execute(query, {"user": int(user)}).fetchnumpy()
    items, values = (np.asarray(np.ma.filled(column, np.nan)) for column in found.values())
    values = values.astype(np.float64)
    means = np.full(len(values), np.nanmean(values) if np.isfinite(values).any() else np.nan)
    weights = relevance_weights(values, means, rated=dataset.has_ratings)
    chosen, places = np.unique(items[weights > 0], return_inverse=True)
    summed: FloatArray = np.bincount(places, weights[weights > 0], minlength=len(chosen)).astype(np.float64)
    return chosen.astype(np.int64), summed


def _bands(dataset: Dataset, counts: IntArray) -> tuple[csr_array, list[str]]:
    """Return (I, B) indicators of the quantile range of each number; ranges have about equally many interactions."""
    names, numbers = known_numbers(dataset)
    columns, labels = [], []
    for name, values in zip(names, numbers.T, strict=True):
        given = ~np.isnan(values)
        spread = np.repeat(values[given], np.minimum(counts[given], 1000))
        edges = np.unique(np.quantile(spread, np.linspace(0, 1, BANDS + 1)[1:-1])) if len(spread) else np.empty(0)
        if not len(edges) or np.ptp(values[given]) == 0:
            continue
        band = np.where(given, np.searchsorted(edges, values, side="right"), -1)
        columns += [(band == place).astype(np.float64) for place in range(len(edges) + 1)]
        labels += _band_names(name, edges)
    matrix = np.column_stack(columns) if columns else np.zeros((dataset.n_items, 0))
    return csr_array(matrix), labels


def _band_names(name: str, edges: FloatArray) -> list[str]:
    shown = [f"{edge:.2f}".rstrip("0").rstrip(".") if abs(edge) < 100 else f"{edge:.0f}" for edge in edges]
    between = [f"{name} {low} to {high}" for low, high in pairwise(shown)]
    return [f"{name} under {shown[0]}", *between, f"{name} from {shown[-1]}"]
