"""Shared by the social models: the choice of graph, and the regression targets of data without ratings."""

from typing import Annotated, Literal, TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray, Knob, ModelConfig, Need
from recsys_core.data import Dataset
from recsys_core.models.base import rating_range_of
from recsys_core.models.biased_mf import BiasedMFConfig, FactorModel, Ratings, rating_unit
from recsys_core.profiles.graph import CELLS_AT_A_TIME, co_rating_graph, social_graph

NEGATIVES = 2
"""Number of unseen items sampled per seen item in data without ratings."""
SEEN_SHARE = 1.0 / (1 + NEGATIVES)
"""Mean target there: 1 for seen items and 0 for sampled ones."""
DRAWS = 8
"""Attempts to replace a sampled item that the user has seen; after these it is dropped."""

LINKS_OF_A_USER = 10
"""Number of links per user assumed by memory estimates."""

GraphName = Literal["social", "co_rating"]


class SocialConfig(ModelConfig):
    """The setting that all social models share."""

    graph: Annotated[GraphName, Knob(label="Social graph")] = "social"
    """Graph of trust between users: 'social', the links of the data; 'co rating', an implicit graph that links each
    user to those with the most similar ratings (without ratings: with the most similar histories)."""


class UsesGraph:
    """Beside a `Recommender`: the chosen graph decides whether the data need links between users."""

    config: SocialConfig

    def needs(self) -> frozenset[Need]:
        """Return the links, unless the implicit graph is chosen."""
        return frozenset({Need.SOCIAL} if self.config.graph == "social" else ())

    def _instead(self, missing: list[Need]) -> str:
        if Need.SOCIAL not in missing:
            return ""
        return (
            "; add a table of links between users (source, target), or choose graph=co_rating: an implicit graph of "
            "the users with the most similar ratings"
        )


def graph_of(graph: GraphName, train: Dataset) -> csr_array:
    """Return the (U, U) links of a graph; the user of the row follows the user of the column.

    Raises:
        DataError: `graph` is "social" and the data have no links.
    """
    return social_graph(train) if graph == "social" else co_rating_graph(train)


def graph_memory(graph: GraphName, n_users: int) -> int:
    """Return the approximate bytes of building a graph, whose number of links is not known beforehand."""
    compared = 60 * min(n_users**2, CELLS_AT_A_TIME) if graph == "co_rating" else 0
    return 80 * LINKS_OF_A_USER * n_users + compared


class SocialFactorsConfig(BiasedMFConfig, SocialConfig):
    """Settings that the two social factor models share."""


S = TypeVar("S", bound=SocialFactorsConfig)


class SocialFactors(UsesGraph, FactorModel[S]):
    """Base class of the two social factor models: adds data without ratings.

    There the targets are the confidence of seen items (`weights.py`, 1 without weights) and 0 for unseen ones.
    """

    config: S
    unit: float
    """Unit of the ratings in training; see `biased_mf.py`. Only set during training."""

    def _values(self, train: Dataset) -> csr_array:
        """Return the (U, I) ratings, or the confidence of seen items, and store their scale, mean and unit."""
        self.rating_range = rating_range_of(train)
        values = self._training_values(train)
        share = 1.0 if train.has_ratings else SEEN_SHARE  # sampled items count as 0 in the mean
        self.mean = np.array(share * values.data.mean(dtype=np.float64))
        self.unit = rating_unit(values.data) if train.has_ratings else 1.0
        return values


def ordered(ratings: csr_array, mean: float, rng: np.random.Generator, unit: float = 1.0) -> Ratings:
    """Return the (U, I) ratings in random order, as deviations from their mean in units of `unit`."""
    users = np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))
    order = rng.permutation(len(users))
    deviations = ((ratings.data[order] - np.float64(mean)) / unit).astype(np.float32)
    return Ratings(users[order], ratings.indices[order], deviations)


def with_unseen(seen: csr_array, rng: np.random.Generator) -> csr_array:
    """Return the (U, I) matrix `seen` with explicit zeros for sampled items that the user has not seen.

    For each seen item `NEGATIVES` others are sampled uniformly; an item sampled twice is one entry.

    Args:
        seen: (U, I) confidence of each seen item, columns increasing.
        rng: Source of randomness.
    """
    n_items = seen.shape[1]
    users = np.repeat(np.arange(seen.shape[0], dtype=np.int64), np.diff(seen.indptr))
    pairs = users * n_items + seen.indices
    drawn = _unseen_pairs(np.repeat(users, NEGATIVES), pairs, n_items, rng)
    every = np.concatenate([pairs, drawn])
    values: FloatArray = np.concatenate([seen.data.astype(np.float64), np.zeros(len(drawn))])
    order = np.argsort(every, kind="stable")
    offsets = np.searchsorted(every[order], np.arange(seen.shape[0] + 1) * n_items)
    return csr_array((values[order], (every[order] % n_items).astype(np.int32), offsets), shape=seen.shape)


def _unseen_pairs(users: IntArray, pairs: IntArray, n_items: int, rng: np.random.Generator) -> IntArray:
    """Return user * n_items + item, without repetition, of items sampled for users (N,) that are not in `pairs`."""
    waiting, found = users, [np.empty(0, dtype=np.int64)]
    for _ in range(DRAWS):
        drawn = waiting * n_items + rng.integers(0, n_items, len(waiting))
        place = np.minimum(np.searchsorted(pairs, drawn), len(pairs) - 1)
        known = pairs[place] == drawn
        found.append(drawn[~known])
        waiting = waiting[known]
    return np.unique(np.concatenate(found))
