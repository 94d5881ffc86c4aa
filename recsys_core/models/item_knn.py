"""Item-based neighbours: people who chose this item also chose those.

1. Compare every two items by the users they share (`similarity.py`).
2. For each item i that could be *recommended*, keep its k most similar ones, N(i). (Keeping the strongest ones of each item of
   the history instead would leave rare items with nobody to speak for them: on MovieLens that costs a seventh of NDCG@10.)
3. An item is supported by those of its neighbours that the person's history P(u) holds, each with the weight of the similarity
   and with d_uj = (r_uj - mean_j) / spread_j, the rating compared with the *item's* level (mean 0, spread 1 without centring;
   r = 1 where people did not rate).

To *rank*, the support is added up:

    x_ui = sum_{j in P(u) and N(i)} s_ij d_uj

To *predict a rating*, the k most similar among the items that the person rated are taken, so that there are as many as possible,
and their weighted mean is read on the item's own level:

    r_ui = mean_i + spread_i * sum_j s_ij d_uj / sum_j s_ij

Ranking by the sum is the default (`aggregation="sum"`).

Everything follows from the history that comes with the question, so unknown people are served like known ones.

Source: Sarwar et al. 2001, "Item-Based Collaborative Filtering"; the sum as in Cremonesi et al. 2010, section 3.2.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import (
    Ability,
    Explanation,
    FloatArray,
    IntArray,
    ModelInfo,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.compiled import compiled
from recsys_core.models.histories import history_matrix
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.neighbours import (
    NeighbourConfig,
    centred,
    fallback_ratings,
    levels,
    rating_range,
    require_ratings,
    scale_of,
    training_values,
)
from recsys_core.models.similarity import Measure, Rows, compare_with_all, rows_by_column, strongest
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Items whose neighbours a thread looks for at a time."""
SIMILARITY_BYTES = 256 * 2**20
"""Similarities of so many bytes are held at a time when ratings are predicted."""


class ItemKNNConfig(NeighbourConfig):
    """Settings of item-based neighbours."""


class ItemKNN(LinearItemModel[ItemKNNConfig]):
    """Scores an item by its similarity to the items of the history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="item_knn",
        title="Item-based neighbours",
        family="neighbours",
        idea="Recommends what is most like the things you chose, judged by who chose both.",
        formula=r"\hat{x}_{ui} = \sum_{j \in P(u) \cap N_k(i)} s_{ij} \, (r_{uj} - \bar{r}_j)",
        source="Sarwar et al. 2001",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
    )
    config_type = ItemKNNConfig
    fitted = ("item_weights", "ratings", "rating_range")

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.ratings = training_values(self.config, train, self.info.title)  # (U, I)
        self.rating_range = rating_range(train)
        self._loaded()
        neighbour = np.zeros((self.n_items, self.config.neighbors), dtype=np.int32)
        strength = np.zeros((self.n_items, self.config.neighbors), dtype=np.float32)

        def find(first: int, end: int) -> None:
            nearest_items(self.config.measure, self.compared, *self.item_rows, first, end, neighbour, strength)

        run_in_blocks(find, self.n_items, BLOCK, ctx, stage="compare items")
        item, place = np.nonzero(strength)
        speaks_for = (neighbour[item, place], item)  # row j of the weights holds the items that j speaks for
        self.item_weights = csr_array((strength[item, place], speaks_for), shape=(self.n_items, self.n_items))

    def _loaded(self) -> None:
        """Derive from the ratings the levels of items, and what is compared."""
        self.scale = scale_of(self.ratings, self.rating_range)
        self.level = levels(self.ratings.T.tocsr(), self.config.centering, self.scale)
        adjusted = self.config.similarity == "adjusted_cosine"
        by_item = (
            centred(self.ratings, levels(self.ratings, "mean", self.scale)) if adjusted else self.ratings
        ).T.tocsr()
        self.item_rows = (by_item.indptr.astype(np.int64), by_item.indices, by_item.data.astype(np.float32))
        self.compared = rows_by_column(by_item)

    def _score(self, query: QueryBatch) -> FloatArray:
        return super()._score(query) if self.config.aggregation == "sum" else self._means(query)

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) predictions clipped to the rating scale.

        Where no neighbour is in the history, it is the item's own mean if the model centres, else the mean of all ratings.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings.
        """
        self._require_fitted()
        self._require_known(query)
        require_ratings(self.scale, self.info.title)
        predicted = self._means(query)
        fallback = fallback_ratings(self.level, self.config.centering, self.scale)  # (I,)
        return np.clip(np.where(np.isnan(predicted), fallback, predicted), self.scale.low, self.scale.high)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the shares of the history; the remainder is the item's own mean."""
        if self.config.aggregation == "sum":
            return super().explain(query, item)
        score = float(self.score(query)[0, item])
        inputs = self._inputs(query)
        similarity = self._similarities(np.array([item]))[0, inputs.indices].astype(np.float64)
        nearest = np.argsort(-similarity, kind="stable")[: self.config.neighbors]
        nearest = nearest[(similarity[nearest] > 0) & (inputs.indices[nearest] != item)]
        shares = self.level.spread[item] * similarity[nearest] * inputs.data[nearest] / similarity[nearest].sum()
        remainder = float(self.level.mean[item]) if len(nearest) else 0.0
        return Explanation(item, score, "history", inputs.indices[nearest].astype(np.int64), shares, remainder)

    def _inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) what the histories hold, each rating compared with its item's level."""
        values = history_matrix(query, self.n_items, "binary" if np.isnan(self.scale.low) else "rating")
        deviations = (values.data - self.level.mean[values.indices]) / self.level.spread[values.indices]
        return csr_array((deviations, values.indices, values.indptr), shape=values.shape)

    def _means(self, query: QueryBatch) -> FloatArray:
        """(B, I) predicted ratings, NaN where no neighbour is in the history."""
        inputs = self._inputs(query)
        scores = np.full(inputs.shape, np.nan)
        for first, end in self._blocks(inputs):
            part = inputs[first:end]
            items = np.unique(part.indices)  # (D,) those whose similarities are needed
            mean_of_nearest_in_history(
                self._similarities(items),
                part.indptr.astype(np.int64),
                np.searchsorted(items, part.indices),
                items,
                part.data,
                self.config.neighbors,
                scores[first:end],
            )
        return self.level.mean + self.level.spread * scores

    def _similarities(self, items: IntArray) -> FloatArray:
        """(D, I) float32 similarity of some items with all."""
        similarity = np.empty((len(items), self.n_items), dtype=np.float32)
        sums = np.empty((self.n_items, 6))
        start, users, values = self.item_rows
        for row, item in enumerate(items):
            entries = slice(start[item], start[item + 1])
            similarity[row] = compare_with_all(
                self.config.measure, self.compared, users[entries], values[entries], sums
            )
        return similarity

    def _blocks(self, inputs: csr_array) -> Iterator[tuple[int, int]]:
        """Yield ranges of people whose histories need no more similarities than may be held at a time."""
        rows_held = max(1, SIMILARITY_BYTES // (4 * self.n_items))
        first = 0
        while first < inputs.shape[0]:
            end = inputs.shape[0]
            if self.n_items > rows_held:
                end = int(np.searchsorted(inputs.indptr, inputs.indptr[first] + rows_held, side="right")) - 1
            end = max(first + 1, end)
            yield first, end
            first = end


@compiled
def nearest_items(
    measure: Measure,
    compared: Rows,
    start: IntArray,
    users: IntArray,
    values: FloatArray,
    first: int,
    end: int,
    neighbour: IntArray,
    strength: FloatArray,
) -> None:
    """Fill rows first..end of `neighbour` and `strength` (I, K): the most similar items of each; strength 0 ends a row.

    Args:
        measure: Which similarity.
        compared: All items.
        start: (I + 1,) where the users of each item begin.
        users: (N,) users of all items.
        values: (N,) what is compared.
        first: First item of the block.
        end: One past its last item.
        neighbour: (I, K) room for positions.
        strength: (I, K) room for similarities, zeros.
    """
    sums = np.empty((len(compared.size), 6))
    for item in range(first, end):
        entries = slice(start[item], start[item + 1])
        similarity = compare_with_all(measure, compared, users[entries], values[entries], sums)
        similarity[item] = 0.0
        strongest(similarity, neighbour[item], strength[item])


@compiled
def mean_of_nearest_in_history(
    similarity: FloatArray,
    start: IntArray,
    rows: IntArray,
    items: IntArray,
    deviations: FloatArray,
    neighbors: int,
    scores: FloatArray,
) -> None:
    """Fill `scores` (B, I) with the weighted mean over the most similar items of each history; untouched without any.

    Args:
        similarity: (D, I) of the items that occur in the histories with all items.
        start: (B + 1,) where each history begins.
        rows: (N,) row in `similarity` of each entry of the histories.
        items: (D,) item of each row.
        deviations: (N,) compared rating of each entry.
        neighbors: How many items of a history have a say at most.
        scores: (B, I) NaN.
    """
    for person in range(len(scores)):
        history = rows[start[person] : start[person + 1]]
        own = deviations[start[person] : start[person + 1]]
        nearest, strength = np.empty(neighbors, np.int64), np.empty(neighbors)
        support = np.empty(len(history))
        for item in range(scores.shape[1]):
            for entry in range(len(history)):
                support[entry] = similarity[history[entry], item] if items[history[entry]] != item else 0.0
            weighted, weight = 0.0, 0.0
            for place in range(strongest(support, nearest, strength)):
                weighted += strength[place] * own[nearest[place]]
                weight += strength[place]
            if weight > 0.0:
                scores[person, item] = weighted / weight
