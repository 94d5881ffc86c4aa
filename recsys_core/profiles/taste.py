"""Preferences of users, aggregated from their relevant items.

An interaction is relevant if its rating is at or above the user's mean rating; without ratings every interaction is
relevant and weighted by its event weight. With w_ui the weight of a relevant interaction and x_ic the share of category
c in item i (1 / its number of categories),

    share(u, c)  =  (sum_i w_ui x_ic + beta q_c) / (sum_i w_ui + beta)        q_c: the same share over all users

with beta = 5, so that users with few relevant items are shrunk towards the overall mean.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, diags_array

from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.features import (
    CATEGORY_PART,
    TOPIC_PART,
    Features,
)
from recsys_core.profiles.kinds import Kind, kinds_of
from recsys_core.profiles.scaling import as_numbers, years
from recsys_core.profiles.streams import blocks

BETA = 5.0
MOST_CATEGORIES = 40
"""Maximum number of categories in a user's feature vector, the most frequent ones."""


@dataclass(frozen=True, eq=False)
class Taste:
    """Preferences, one row per user.

    Args:
        categories: (U, C) shares of categories among relevant items, shrunk towards the overall shares.
        everybody: (C,) overall shares.
        variety: (U,) entropy of the unshrunk shares over log C, NaN without relevant items.
        topics: (U, T) mean topics of relevant items, shrunk towards the overall mean.
        numbers: (U, N) mean of each number and date over relevant items in original units, NaN where unknown.
        category_names: (C,) category names.
        topic_names: (T,) names.
        number_names: (N,) columns of the item table.
        relevant: (U,) total weight of relevant items.
    """

    categories: FloatArray
    everybody: FloatArray
    variety: FloatArray
    topics: FloatArray
    numbers: FloatArray
    category_names: tuple[str, ...]
    topic_names: tuple[str, ...]
    number_names: tuple[str, ...]
    relevant: FloatArray


def relevance_weights(values: FloatArray, means: FloatArray, *, rated: bool) -> FloatArray:
    """Return (N,) weights of interactions: with ratings 1 at or above the user's mean, else 0; otherwise their value.

    Args:
        values: (N,) rating (NaN if missing), event weight or 1.
        means: (N,) mean rating of the user of each interaction; ignored without ratings.
        rated: Whether the values are ratings.
    """
    if not rated:
        return values
    with np.errstate(invalid="ignore"):
        return (values >= means - 1e-9).astype(np.float64)


def taste_of_users(dataset: Dataset, items: Features, means: FloatArray | None, ctx: RunContext) -> Taste:
    """Return the preferences of all users, computed in one pass over the interactions.

    Args:
        dataset: A data set with an item table.
        items: Item features: categories, topics.
        means: (U,) mean rating of each user, None without ratings.
        ctx: Receives progress and can cancel the work.

    Raises:
        Cancelled: The work was cancelled.
    """
    shares, category_names = category_shares(items)
    topics = items.part(TOPIC_PART).toarray() if TOPIC_PART in items.parts else np.zeros((len(items), 0))
    number_names, numbers = known_numbers(dataset)
    given = ~np.isnan(numbers)
    has_category = (np.asarray(shares.sum(axis=1)).ravel() > 0).astype(np.float64)
    traits = csr_array(np.hstack([shares.toarray(), has_category[:, None], topics, np.where(given, numbers, 0), given]))
    sums, relevant = _summed(dataset, traits.toarray().astype(np.float32), means, ctx)
    ends = np.cumsum([shares.shape[1], 1, topics.shape[1], len(number_names), len(number_names)])
    by_category, with_category, by_topic, by_number, known = np.split(sums, ends[:-1], axis=1)
    everybody = by_category.sum(axis=0) / max(1.0, float(with_category.sum()))
    usual = by_topic.sum(axis=0) / max(1.0, float(relevant.sum()))
    with np.errstate(invalid="ignore", divide="ignore"):
        means_of_numbers = np.where(known > 0, by_number / known, np.nan)
    return Taste(
        categories=(by_category + BETA * everybody) / (with_category + BETA),
        everybody=everybody,
        variety=entropy(by_category),
        topics=(by_topic + BETA * usual) / (relevant[:, None] + BETA),
        numbers=means_of_numbers,
        category_names=category_names,
        topic_names=items.names_of(TOPIC_PART) if TOPIC_PART in items.parts else (),
        number_names=number_names,
        relevant=relevant,
    )


def _summed(
    dataset: Dataset, traits: FloatArray, means: FloatArray | None, ctx: RunContext
) -> tuple[FloatArray, FloatArray]:
    """Return (U, F) weighted sums of the traits of relevant items and (U,) total weights."""
    sums, relevant = np.zeros((dataset.n_users, traits.shape[1])), np.zeros(dataset.n_users)
    for block in blocks(dataset, ctx, "compute user preferences"):
        own_means = means[block.user] if means is not None else block.value
        weights = relevance_weights(block.value, own_means, rated=means is not None)
        relevant += np.bincount(block.user, weights, minlength=dataset.n_users)
        users, rows = np.unique(block.user, return_inverse=True)
        chosen = csr_array((weights.astype(np.float32), (rows, block.item)), shape=(len(users), dataset.n_items))
        sums[users] += chosen @ traits
    return sums, relevant


def category_shares(items: Features, most: int = MOST_CATEGORIES) -> tuple[csr_array, tuple[str, ...]]:
    """Return (I, C) shares of the most frequent categories in each item, which sum to 1, or 0 without a category."""
    if CATEGORY_PART not in items.parts:
        return csr_array((len(items), 0)), ()
    flags = items.part(CATEGORY_PART)
    counts = np.asarray(flags.sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-counts, kind="stable")[:most])
    flags = csr_array(flags[:, kept])
    total = np.asarray(flags.sum(axis=1)).ravel()
    names = items.names_of(CATEGORY_PART)
    return csr_array(diags_array(1 / np.maximum(total, 1)) @ flags), tuple(names[place] for place in kept)


def known_numbers(dataset: Dataset) -> tuple[tuple[str, ...], FloatArray]:
    """Return names and (I, N) values of the numbers and dates (in years) of the item table, in original units."""
    if dataset.items is None:
        return (), np.zeros((dataset.n_items, 0))
    read = {Kind.NUMBER: as_numbers, Kind.DATE: years}
    columns = {name: read[kind](dataset.items[name]) for name, kind in kinds_of(dataset.items).items() if kind in read}
    frame = pd.DataFrame(columns, index=dataset.items.index)
    return tuple(columns), frame.to_numpy(dtype=np.float64).reshape(dataset.n_items, len(columns))


def entropy(sums: FloatArray) -> FloatArray:
    """Return (U,) entropy of the rows of (U, C) sums over log C: 0 for one category, 1 for uniform; NaN for empty
    rows.
    """
    total = sums.sum(axis=1, keepdims=True)
    if sums.shape[1] < 2:
        return np.full(len(sums), np.nan)
    shares = sums / np.where(total > 0, total, 1)
    logs = np.log(np.where(shares > 0, shares, 1))
    found: FloatArray = -(shares * logs).sum(axis=1) / np.log(sums.shape[1])
    return np.where(total.ravel() > 0, found, np.nan)
