"""User kNN: items are scored by the ratings of the most similar users.

1. Compare the user's history with that of every training user (`similarity.py`).
2. Keep the k most similar users N(u) with positive similarity.
3. Each of them votes with its similarity as the weight. A vote is the neighbor's normalized rating,
   d_vi = (r_vi - mean_v) / std_v (mean 0 and std 1 without centering; r = 1 without ratings).

To *predict a rating*, only users who rated the item vote: N(u, i) are the k most similar of them, and

    r_ui = mean_u + std_u * sum_{v in N(u,i)} s_uv d_vi / sum_{v in N(u,i)} s_uv

To *rank*, the votes of the k most similar users are summed without the division, so that an item with many votes
ranks above one with a single high vote:

    x_ui = sum_{v in N(u)} s_uv d_vi

This is the default (`aggregation="sum"`): it reached a validation NDCG@10 of 0.254 on ML-100K (random split by ratio,
other settings at their defaults), where lists sorted by the predicted rating (`"mean"`) reached 0.000: their top items
have only one or two high ratings.

Scores depend on the history in the query alone, so unknown users are scored like known ones. No user is their own
neighbor: neither the row at the user's position votes, nor any row that equals the history in items and values. Such a
duplicate could only vote for items that the user has already seen; excluding it gives a training user and an unknown
user with the same history the same list.

With `iterations > 1`, missing ratings of the other users are imputed and similarities are computed again, between the
user's observed ratings and the imputed rows; see `knn_base.py`.

Source: the source document, section 2.2; Herlocker et al. 1999; the sum as in Cremonesi et al. 2010, section 3.2, there
for items.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.batches import PAD, FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, Explanation, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.models import knn_formulas as formulas
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.knn_base import KnnModel
from recsys_core.models.knn_baselines import centered, fallback_ratings, row_baselines
from recsys_core.models.knn_config import KnnConfig
from recsys_core.models.most_similar import mean_of_most_similar, top_similar
from recsys_core.models.similarity import (
    PairTerms,
    compare_with_all,
    pair_terms,
    rows_by_column,
    rows_of_dense,
    sums_buffer,
)
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Number of users whose ratings a thread predicts at a time."""


class UserKNNConfig(KnnConfig):
    """Settings of User kNN."""


def user_formula(config: KnnConfig, weight: str = "s_{uv}", *, rated: bool = True, weighted: bool = False) -> str:
    """Return the vote, the aggregation of votes, and the similarity as LaTeX.

    Args:
        config: Settings.
        weight: Weight of the vote of user v.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    voted = formulas.vote(config, "{vi}", "v", rated=rated, weighted=weighted)
    nearest = r"v \in N_k(u)" if voted != "1" else r"v \in N_k(u) \cap R(i)"
    score = formulas.prediction(config, "ui", (nearest, r"v \in N_k(u, i)"), weight, voted, "u")
    return score + r", \quad " + formulas.similarity(config, formulas.USERS, rated=rated, weighted=weighted)


class UserKNN(KnnModel[UserKNNConfig]):
    """Scores an item by the weighted votes of the most similar users."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="user_knn",
        title="User kNN",
        family="nearest neighbors",
        idea="Recommends what the most similar users rated highly or interacted with.",
        formula=user_formula(UserKNNConfig()),
        source=f"{SOURCE_DOCUMENT}, section 2.2; Herlocker et al. 1999",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, log2(1 + weight / median weight) replaces the rating in similarities and "
        "votes; with ratings, weights are ignored.",
        views=("nearest", "shared", "users"),
    )
    config_type = UserKNNConfig

    formula_of = staticmethod(user_formula)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="index the ratings"):
            self._learn(train)
        self._settle(ctx)

    def _loaded(self) -> None:
        """Derive votes, compared rows, and the keys that identify duplicates from the ratings."""
        super()._loaded()
        votes = centered(self.ratings, row_baselines(self.ratings, self.config.centering, self.scale))
        self.votes, self.votes_by_item = sparse(votes), sparse(votes.T.tocsr())  # (U, I), (I, U)
        self.size = np.diff(self.ratings.indptr)  # (U,) number of ratings
        user = np.repeat(np.arange(self.n_users), self.size)
        self.sum_of_items = np.bincount(user, self.ratings.indices, minlength=self.n_users)  # (U,)
        self.item_means: FloatArray = np.zeros(self.n_items)  # (I,)
        if self.config.similarity == "adjusted_cosine":
            self.item_means = row_baselines(self.ratings.T.tocsr(), "mean", self.scale).mean
        self.weighting = self.config.weighting_of(self.ratings)
        self._compare()

    def _compare(self) -> None:
        if self.filled.size:
            self.compared = rows_of_dense(self.filled - self.item_means.astype(np.float32))
        else:
            self.compared = rows_by_column(self.compared_values(self.ratings))

    def _score(self, query: QueryBatch) -> FloatArray:
        return self._voted(query, self.config.aggregation)

    def _means(self, query: QueryBatch) -> FloatArray:
        return self._voted(query, "mean")

    def _means_of_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        ratings = self.history_matrix(query)
        baselines = row_baselines(ratings, self.config.centering, self.scale)
        asked = Ragged.from_keys(rows, np.arange(len(rows)), len(query))
        votes = np.empty(len(rows))
        for person, similarity in enumerate(self.user_similarities(query, ratings)):
            places = asked[person]
            votes[places] = means_of_raters(similarity, self.votes_by_item, items[places], self.config.neighbors)
        return baselines.mean[rows] + baselines.std[rows] * votes

    def _fallback(self, query: QueryBatch) -> FloatArray:
        baselines = row_baselines(self.history_matrix(query), self.config.centering, self.scale)
        return fallback_ratings(baselines, self.config.centering, self.scale)[:, None]

    def _predict_cells(self, everybody: QueryBatch, predicted: FloatArray, ctx: RunContext, stage: str) -> None:
        def predict(first: int, end: int) -> None:
            people = everybody.take(np.arange(first, end))
            predicted[first:end] = self._on_scale(self._means(people), self._fallback(people))

        run_in_blocks(predict, self.n_users, BLOCK, ctx, stage=stage)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the votes of the neighbors; with `mean`, the remainder is the user's mean.

        Raises:
            CannotScore: No neighbor votes for the item.
        """
        score = self._score_to_explain(query, item)
        ratings = self.history_matrix(query)
        similarity = next(self.user_similarities(query, ratings))
        raters = slice(self.votes_by_item.start[item], self.votes_by_item.start[item + 1])
        vote = np.full(self.n_users, np.nan)
        vote[self.votes_by_item.column[raters]] = self.votes_by_item.value[raters]
        if self.config.aggregation == "mean":
            similarity = np.where(np.isnan(vote), 0.0, similarity)  # only users who rated the item vote
        nearest = np.argsort(-similarity, kind="stable")[: self.config.neighbors]
        voters = nearest[(similarity[nearest] > 0) & ~np.isnan(vote[nearest])]
        weights, remainder = similarity[voters] * vote[voters], 0.0
        if self.config.aggregation == "mean":
            baselines = row_baselines(ratings, self.config.centering, self.scale)
            weights = weights * baselines.std[0] / similarity[voters].sum()
            remainder = float(baselines.mean[0])
        return Explanation(item, score, "neighbours", voters, weights, remainder)

    def _voted(self, query: QueryBatch, aggregation: str) -> FloatArray:
        """(B, I) sum or weighted mean of the neighbors' votes, NaN without votes."""
        ratings = self.history_matrix(query)
        scores = np.empty((len(query), self.n_items))
        collect = sum_of_nearest if aggregation == "sum" else mean_of_nearest_raters
        neighbors = min(self.config.neighbors, self.n_users)
        for person, similarity in enumerate(self.user_similarities(query, ratings)):
            collect(similarity, self.votes, neighbors, scores[person])
        if aggregation == "mean":
            baselines = row_baselines(ratings, self.config.centering, self.scale)
            scores = baselines.mean[:, None] + baselines.std[:, None] * scores
        return scores

    def user_similarities(self, query: QueryBatch, ratings: csr_array) -> Iterator[FloatArray]:
        """Yield, for each user in the query, (U,) the similarity to all training users; 0 to the user themselves."""
        compared = sparse(self.compared_values(ratings))
        sums = sums_buffer(self.config.measure, self.compared, counted=False)
        for person, user in enumerate(query.user):
            entries = slice(ratings.indptr[person], ratings.indptr[person + 1])
            items, values = compared.column[entries], compared.value[entries]
            similarity = compare_with_all(self.config.measure, self.compared, items, values, sums)
            similarity[self._twins(ratings.indices[entries], ratings.data[entries])] = 0.0
            if user != PAD:
                similarity[user] = 0.0
            yield similarity

    def similarity_terms(self, query: QueryBatch, other: int, *, shrunk: bool = True) -> PairTerms:
        """Return the arithmetic of the similarity of the single user in `query` to training user `other`.

        Args:
            query: The user.
            other: Position of the training user.
            shrunk: Whether with shrinkage.
        """
        compared, measure = sparse(self.compared_values(self.history_matrix(query))), self.config.measure
        if not shrunk:
            measure = measure._replace(shrinkage=0.0)
        return pair_terms(measure, self.compared, compared.column, compared.value, other)

    def _twins(self, items: IntArray, values: FloatArray) -> list[int]:
        """Return the training users with exactly these ratings; `items` are increasing."""
        found = np.flatnonzero((self.size == len(items)) & (self.sum_of_items == items.sum()))
        own = ((twin, slice(self.ratings.indptr[twin], self.ratings.indptr[twin + 1])) for twin in found)
        return [
            int(twin)
            for twin, entries in own
            if np.array_equal(self.ratings.indices[entries], items)
            and np.array_equal(self.ratings.data[entries], values)
        ]

    def compared_values(self, ratings: csr_array) -> csr_array:
        """Return what similarities are computed from: weighted ratings; for adjusted cosine, minus each item's mean."""
        values = self.weighting.weighted(ratings).data - self.item_means[ratings.indices]
        return csr_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)

    @classmethod
    def memory_estimate(cls, config: UserKNNConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the ratings, and of the votes by user and by item, during their construction."""
        return 24 * n_interactions + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: UserKNNConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of reading the ratings, and of comparing each with all imputed rows in further rounds."""
        return (50.0 + 15.0 * (config.iterations - 1) * n_users) * n_interactions


@compiled
def sum_of_nearest(similarity: FloatArray, votes: Sparse, neighbors: int, scores: FloatArray) -> None:
    """Fill `scores` (I,) with the summed votes of the most similar users, NaN where none of them votes.

    Args:
        similarity: (U,) similarity of the target user to each training user.
        votes: (U, I).
        neighbors: Maximum number of users who vote.
        scores: (I,) output.
    """
    scores[:] = np.nan
    nearest, strength = np.empty(neighbors, np.int64), np.empty(neighbors)
    for place in range(top_similar(similarity, nearest, strength)):
        user = nearest[place]
        for entry in range(votes.start[user], votes.start[user + 1]):
            item = votes.column[entry]
            before = 0.0 if np.isnan(scores[item]) else scores[item]
            scores[item] = before + strength[place] * votes.value[entry]


@compiled
def mean_of_nearest_raters(similarity: FloatArray, votes: Sparse, neighbors: int, scores: FloatArray) -> None:
    """Fill `scores` (I,) with the weighted mean vote of the most similar users who rated the item.

    Users are visited by decreasing similarity, and each item takes its first `neighbors` votes.

    Args:
        similarity: (U,) similarity of the target user to each training user.
        votes: (U, I).
        neighbors: Maximum number of votes per item.
        scores: (I,) output, NaN without votes.
    """
    weighted, weight, taken = np.zeros(len(scores)), np.zeros(len(scores)), np.zeros(len(scores), np.int64)
    for user in np.argsort(-similarity, kind="mergesort"):
        if similarity[user] <= 0.0:
            break
        for entry in range(votes.start[user], votes.start[user + 1]):
            item = votes.column[entry]
            if taken[item] < neighbors:
                weighted[item] += similarity[user] * votes.value[entry]
                weight[item] += similarity[user]
                taken[item] += 1
    for item in range(len(scores)):
        scores[item] = weighted[item] / weight[item] if taken[item] > 0 else np.nan


@compiled
def means_of_raters(similarity: FloatArray, votes_by_item: Sparse, items: IntArray, neighbors: int) -> FloatArray:
    """Return (n,) the values of `mean_of_nearest_raters` for some items alone.

    Args:
        similarity: (U,) similarity of the target user to each training user.
        votes_by_item: (I, U).
        items: (n,) positions.
        neighbors: Maximum number of votes per item.
    """
    means = np.empty(len(items))
    for place, item in enumerate(items):
        raters = slice(votes_by_item.start[item], votes_by_item.start[item + 1])
        means[place] = mean_of_most_similar(
            similarity, votes_by_item.column[raters], votes_by_item.value[raters], neighbors
        )
    return means
