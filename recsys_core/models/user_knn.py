"""User-based neighbours: people who agreed with you before will agree with you again.

1. Compare the person's history with that of every training user (`similarity.py`).
2. Keep the k most similar ones, N(u), with positive similarity.
3. Let them vote, each with the weight of the similarity. A vote is the neighbour's rating compared with the neighbour's
   own level, d_vi = (r_vi - mean_v) / spread_v (mean 0, spread 1 without centring; r = 1 where people did not rate).

To *predict a rating*, only those who rated the item can vote: N(u, i) are the k most similar of them, and

    r_ui = mean_u + spread_u * sum_{v in N(u,i)} s_uv d_vi / sum_{v in N(u,i)} s_uv

To *rank*, the votes of the k most similar people are added up without the division, so that an item with many votes
beats one with a single good vote:

    x_ui = sum_{v in N(u)} s_uv d_vi

This is the default (`aggregation="sum"`): it reached a validation NDCG@10 of 0.254 on ML-100K (random split by ratio,
other settings at their defaults), where lists sorted by the predicted rating (`"mean"`) reached 0.000: those are led by
items that one or two people rated highest.

Everything follows from the history that comes with the question, so unknown people are served like known ones. Nobody
is their own neighbour: neither the row at the position that the query names has a vote, nor any row that equals the
history in items and values. Such a twin could only vote for what the person has seen already; leaving it out makes a
training user who asks as an unknown person with the same history get the same list.

With `iterations > 1` missing ratings of the others are filled with predictions and all are compared again, by the
person's own ratings and everybody's filled ones; see `knn_base.py`.

Source: the source document, section 2.1; Herlocker et al. 1999; the sum as in Cremonesi et al. 2010, section 3.2, there
for items.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import (
    PAD,
    Ability,
    Explanation,
    FloatArray,
    IntArray,
    ModelInfo,
    QueryBatch,
    Ragged,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models import knn_formulas as formulas
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.knn_base import NeighbourModel
from recsys_core.models.knn_config import NeighbourConfig, centred, fallback_ratings, levels
from recsys_core.models.similarity import (
    compare_with_all,
    mean_of_most_similar,
    room_for_sums,
    rows_by_column,
    rows_of_dense,
    strongest,
)
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Users whose ratings a thread predicts at a time."""


class UserKNNConfig(NeighbourConfig):
    """Settings of user-based neighbours."""


def user_formula(config: NeighbourConfig, weight: str = "s_{uv}", *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula with these settings as LaTeX.

    Args:
        config: Settings.
        weight: Of the vote of user v.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    voted = formulas.vote(config, "{vi}", "v", rated=rated, weighted=weighted)
    nearest = r"v \in N_k(u)" if voted != "1" else r"v \in N_k(u) \cap R(i)"
    score = formulas.prediction(config, "ui", (nearest, r"v \in N_k(u, i)"), weight, voted, "u")
    return score + r", \quad " + formulas.similarity(config, formulas.USERS, rated=rated, weighted=weighted)


class UserKNN(NeighbourModel[UserKNNConfig]):
    """Scores an item by the votes of the people most like you."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="user_knn",
        title="User kNN",
        family="nearest neighbors",
        idea="Recommends what the most similar users rated highly or interacted with.",
        formula=user_formula(UserKNNConfig()),
        source="Source document, section 2.1; Herlocker et al. 1999",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, log2(1 + weight / median weight) stands for the rating in similarities and "
        "votes; with ratings, weights are ignored.",
        views=("nearest", "shared", "users"),
    )
    config_type = UserKNNConfig

    @classmethod
    def formula_of(cls, config: UserKNNConfig, *, rated: bool, weighted: bool) -> str:
        """Return the vote, how votes are put together, and the similarity."""
        return user_formula(config, rated=rated, weighted=weighted)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="index the ratings"):
            self._learn(train)
        self._settle(ctx)

    def _loaded(self) -> None:
        """Derive from the ratings what votes, what is compared, and by what twins are found."""
        super()._loaded()
        votes = centred(self.ratings, levels(self.ratings, self.config.centering, self.scale))
        self.votes, self.votes_by_item = sparse(votes), sparse(votes.T.tocsr())  # (U, I), (I, U)
        self.size = np.diff(self.ratings.indptr)  # (U,) number of ratings
        user = np.repeat(np.arange(self.n_users), self.size)
        self.sum_of_items = np.bincount(user, self.ratings.indices, minlength=self.n_users)  # (U,)
        self.item_means: FloatArray = np.zeros(self.n_items)  # (I,)
        if self.config.similarity == "adjusted_cosine":
            self.item_means = levels(self.ratings.T.tocsr(), "mean", self.scale).mean
        self._compare()

    def _compare(self) -> None:
        if self.filled.size:
            self.compared = rows_of_dense(self.filled - self.item_means.astype(np.float32))
        else:
            self.compared = rows_by_column(self._less_item_means(self.ratings))

    def _score(self, query: QueryBatch) -> FloatArray:
        return self._voted(query, self.config.aggregation)

    def _means(self, query: QueryBatch) -> FloatArray:
        return self._voted(query, "mean")

    def _means_of_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        ratings = self.history_matrix(query)
        level = levels(ratings, self.config.centering, self.scale)
        asked = Ragged.from_keys(rows, np.arange(len(rows)), len(query))
        votes = np.empty(len(rows))
        for person, similarity in enumerate(self.user_similarities(query, ratings)):
            places = asked[person]
            votes[places] = means_of_raters(similarity, self.votes_by_item, items[places], self.config.neighbors)
        return level.mean[rows] + level.spread[rows] * votes

    def _fallback(self, query: QueryBatch) -> FloatArray:
        level = levels(self.history_matrix(query), self.config.centering, self.scale)
        return fallback_ratings(level, self.config.centering, self.scale)[:, None]

    def _predict_cells(self, everybody: QueryBatch, predicted: FloatArray, ctx: RunContext, stage: str) -> None:
        def predict(first: int, end: int) -> None:
            people = everybody.take(np.arange(first, end))
            predicted[first:end] = self._on_scale(self._means(people), self._fallback(people))

        run_in_blocks(predict, self.n_users, BLOCK, ctx, stage=stage)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the votes of neighbours; with `mean`, the remainder is the person's own mean.

        Raises:
            CannotScore: Nobody has a vote.
        """
        score = self._score_to_explain(query, item)
        ratings = self.history_matrix(query)
        similarity = next(self.user_similarities(query, ratings))
        raters = slice(self.votes_by_item.start[item], self.votes_by_item.start[item + 1])
        vote = np.full(self.n_users, np.nan)
        vote[self.votes_by_item.column[raters]] = self.votes_by_item.value[raters]
        if self.config.aggregation == "mean":
            similarity = np.where(np.isnan(vote), 0.0, similarity)  # only those who rated the item are asked
        nearest = np.argsort(-similarity, kind="stable")[: self.config.neighbors]
        voters = nearest[(similarity[nearest] > 0) & ~np.isnan(vote[nearest])]
        weights, remainder = similarity[voters] * vote[voters], 0.0
        if self.config.aggregation == "mean":
            level = levels(ratings, self.config.centering, self.scale)
            weights = weights * level.spread[0] / similarity[voters].sum()
            remainder = float(level.mean[0])
        return Explanation(item, score, "neighbours", voters, weights, remainder)

    def _voted(self, query: QueryBatch, aggregation: str) -> FloatArray:
        """(B, I) sum or mean of the neighbours' votes, NaN where nobody votes."""
        ratings = self.history_matrix(query)
        scores = np.empty((len(query), self.n_items))
        collect = sum_of_nearest if aggregation == "sum" else mean_of_nearest_raters
        neighbors = min(self.config.neighbors, self.n_users)
        for person, similarity in enumerate(self.user_similarities(query, ratings)):
            collect(similarity, self.votes, neighbors, scores[person])
        if aggregation == "mean":
            level = levels(ratings, self.config.centering, self.scale)
            scores = level.mean[:, None] + level.spread[:, None] * scores
        return scores

    def user_similarities(self, query: QueryBatch, ratings: csr_array) -> Iterator[FloatArray]:
        """Yield, for each person in the query, (U,) the similarity of all training users; 0 for themselves."""
        compared = sparse(self._less_item_means(ratings))
        sums = room_for_sums(self.config.measure, self.compared, counted=False)
        for person, user in enumerate(query.user):
            entries = slice(ratings.indptr[person], ratings.indptr[person + 1])
            items, values = compared.column[entries], compared.value[entries]
            similarity = compare_with_all(self.config.measure, self.compared, items, values, sums)
            similarity[self._twins(ratings.indices[entries], ratings.data[entries])] = 0.0
            if user != PAD:
                similarity[user] = 0.0
            yield similarity

    def _twins(self, items: IntArray, values: FloatArray) -> list[int]:
        """Return the training users with exactly these ratings; items increase."""
        found = np.flatnonzero((self.size == len(items)) & (self.sum_of_items == items.sum()))
        own = ((twin, slice(self.ratings.indptr[twin], self.ratings.indptr[twin + 1])) for twin in found)
        return [
            int(twin)
            for twin, entries in own
            if np.array_equal(self.ratings.indices[entries], items)
            and np.array_equal(self.ratings.data[entries], values)
        ]

    def _less_item_means(self, ratings: csr_array) -> csr_array:
        """Return ratings as the similarity takes them: for adjusted cosine, less the mean of each item."""
        values = ratings.data - self.item_means[ratings.indices]
        return csr_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)

    @classmethod
    def memory_estimate(cls, config: UserKNNConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the ratings, and of the votes by user and by item, while they are made."""
        return 24 * n_interactions + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: UserKNNConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of reading the ratings, and of comparing each with all filled users in further rounds."""
        return (50.0 + 15.0 * (config.iterations - 1) * n_users) * n_interactions


@compiled
def sum_of_nearest(similarity: FloatArray, votes: Sparse, neighbors: int, scores: FloatArray) -> None:
    """Fill `scores` (I,) with the summed votes of the most similar users, NaN where none of them votes.

    Args:
        similarity: (U,) of the person asking with each user.
        votes: (U, I).
        neighbors: How many users vote at most.
        scores: (I,) room for the answer.
    """
    scores[:] = np.nan
    nearest, strength = np.empty(neighbors, np.int64), np.empty(neighbors)
    for place in range(strongest(similarity, nearest, strength)):
        user = nearest[place]
        for entry in range(votes.start[user], votes.start[user + 1]):
            item = votes.column[entry]
            before = 0.0 if np.isnan(scores[item]) else scores[item]
            scores[item] = before + strength[place] * votes.value[entry]


@compiled
def mean_of_nearest_raters(similarity: FloatArray, votes: Sparse, neighbors: int, scores: FloatArray) -> None:
    """Fill `scores` (I,) with the weighted mean vote of those most similar users who rated the item.

    Users come in order of similarity, and each item takes the first `neighbors` votes that it gets.

    Args:
        similarity: (U,) of the person asking with each user.
        votes: (U, I).
        neighbors: How many votes an item takes at most.
        scores: (I,) room for the answer, NaN where nobody votes.
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
    """Return (n,) the weighted mean vote of those most similar users who rated each of some items, NaN without any.

    Gives the numbers of `mean_of_nearest_raters` for these items alone.

    Args:
        similarity: (U,) of the person asking with each user.
        votes_by_item: (I, U).
        items: (n,) positions.
        neighbors: How many votes an item takes at most.
    """
    means = np.empty(len(items))
    for place, item in enumerate(items):
        raters = slice(votes_by_item.start[item], votes_by_item.start[item + 1])
        means[place] = mean_of_most_similar(
            similarity, votes_by_item.column[raters], votes_by_item.value[raters], neighbors
        )
    return means
