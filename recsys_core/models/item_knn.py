"""Item kNN: items are scored by their similarity to the items of the user's history.

1. Compare every two items by the users they share (`similarity.py`).
2. For each *candidate* item i, keep its k most similar items N(i). (Keeping the most similar items of each history item
   instead would leave rare items without any neighbor. On ML-1M, with a fifth of each user's ratings held out, that
   lowers NDCG@10 by 4 % at k = 20, 8 % at k = 40 and 15 % at k = 100.)
3. The neighbors of i that are in the user's history P(u) vote, each with its similarity as the weight. A vote is the
   rating normalized by the *item's* baseline, d_uj = (r_uj - mean_j) / std_j (mean 0 and std 1 without centering; r = 1
   without ratings).

To *rank*, the weighted votes are summed:

    x_ui = sum_{j in P(u) and N(i)} s_ij d_uj

To *predict a rating*, the k most similar items among those that the user rated vote, so that as many as possible
contribute, and their weighted mean is rescaled by the baseline of the item:

    r_ui = mean_i + std_i * sum_j s_ij d_uj / sum_j s_ij

Ranking by the sum is the default (`aggregation="sum"`): it reached a validation NDCG@10 of 0.239 on ML-100K (random
split by ratio, other settings at their defaults), where lists sorted by the predicted rating (`"mean"`) reached 0.013.

Scores depend on the history in the query alone, so unknown users are scored like known ones.

With `iterations > 1`, missing ratings of the other items are imputed and similarities are computed again, between the
observed ratings of item i and the imputed ratings of j; see `knn_base.py`.

Source: Sarwar et al. 2001, "Item-Based Collaborative Filtering"; the sum as in Cremonesi et al. 2010, section 3.2.
"""

from typing import ClassVar, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import Ability, Explanation, FloatArray, IntArray, ModelInfo, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.models import knn_formulas as formulas
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.knn_base import KnnModel
from recsys_core.models.knn_baselines import fallback_ratings, row_baselines
from recsys_core.models.knn_config import KnnConfig
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.most_similar import mean_of_most_similar
from recsys_core.models.neighbor_search import LISTS_BYTES, nearest_items
from recsys_core.models.similarity import (
    Measure,
    Rows,
    compare_with_all,
    rows_by_column,
    rows_of_dense,
    sums_buffer,
)
from recsys_core.training.blocks import run_in_blocks

BLOCK = 64
"""Number of items that a thread scores at a time."""
SIMILARITY_BYTES = 256 * 2**20
"""Maximum bytes of precomputed similarities between history items and the catalog in rating prediction."""


class Wanted(NamedTuple):
    """Pairs to score, grouped by item: `item[q]` is scored for the users `row[start[q]:start[q + 1]]`.

    Args:
        item: (Q,) positions.
        start: (Q + 1,).
        row: (N,) rows of the query.
    """

    item: IntArray
    start: IntArray
    row: IntArray


class Known(NamedTuple):
    """Precomputed similarities: `similarity` (D, I) of the items `item` (D,) to all items; D may be 0."""

    item: IntArray
    similarity: FloatArray


class ItemKNNConfig(KnnConfig):
    """Settings of Item kNN."""


def item_formula(config: KnnConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the vote of a history item, the aggregation of votes, and the similarity as LaTeX.

    Args:
        config: Settings.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    voted = formulas.vote(config, "{uj}", "j", rated=rated, weighted=weighted)
    held = (r"j \in P(u) \cap N_k(i)", r"j \in N_k(i, u)")
    score = formulas.prediction(config, "ui", held, "s_{ij}", voted, "i")
    return score + r", \quad " + formulas.similarity(config, formulas.ITEMS, rated=rated, weighted=weighted)


class ItemKNN(KnnModel[ItemKNNConfig], LinearItemModel[ItemKNNConfig]):
    """Scores an item by its similarity to the items of the history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="item_knn",
        title="Item kNN",
        family="nearest neighbors",
        idea="Recommends items similar to those in the user's history; items are similar if they share users.",
        formula=item_formula(ItemKNNConfig()),
        source="Sarwar et al. 2001",
        abilities=frozenset({Ability.PREDICTS_RATINGS, Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, log2(1 + weight / median weight) replaces the rating in similarities and "
        "votes; with ratings, weights are ignored.",
        views=("around", "items"),
    )
    config_type = ItemKNNConfig

    formula_of = staticmethod(item_formula)
    fitted = ("item_weights", *KnnModel.fitted)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self._learn(train)
        self._settle(ctx)
        size = min(self.config.neighbors, self.n_items)
        nearest = nearest_items(self.config.measure, self.compared, self.vectors, size, ctx)
        item, place = np.nonzero(nearest.strength)
        entries = (nearest.item[item, place], item)  # row j of the weights holds the items that j is a neighbor of
        self.item_weights = csr_array((nearest.strength[item, place], entries), shape=(self.n_items, self.n_items))

    def _loaded(self) -> None:
        """Derive the baselines of the items and the compared rows from the ratings."""
        super()._loaded()
        by_item = self.ratings.T.tocsr()  # (I, U)
        self.baselines = row_baselines(by_item, self.config.centering, self.scale)
        self.user_means: FloatArray = np.zeros(self.n_users)  # (U,)
        if self.config.similarity == "adjusted_cosine":
            self.user_means = row_baselines(self.ratings, "mean", self.scale).mean
        # the precision of `Rows`, so that similarities are symmetric to the last bit
        weighted = self.config.weighting_of(by_item).weighted(by_item)
        values = (weighted.data - self.user_means[by_item.indices]).astype(np.float32)
        self.by_item = csr_array((values, by_item.indices, by_item.indptr), shape=by_item.shape)
        self.vectors = sparse(self.by_item)
        self._compare()

    def _compare(self) -> None:
        if self.filled.size:
            self.compared = rows_of_dense((self.filled - self.user_means.astype(np.float32)[:, None]).T)
        else:
            self.compared = rows_by_column(self.by_item)

    def _score(self, query: QueryBatch) -> FloatArray:
        return LinearItemModel._score(self, query) if self.config.aggregation == "sum" else self._means(query)

    def _means(self, query: QueryBatch) -> FloatArray:
        histories = self.inputs(query)
        known = self._precomputed_similarities(histories)
        means = np.empty((len(query), self.n_items))
        for first in range(0, self.n_items, BLOCK):
            end = min(first + BLOCK, self.n_items)
            means[:, first:end] = self._columns(histories, first, end, known)
        return means

    def _means_of_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        histories = self.inputs(query)
        distinct, group = np.unique(items, return_inverse=True)
        places = Ragged.from_keys(group, np.arange(len(items)), len(distinct))
        wanted = Wanted(distinct.astype(np.int64), places.offsets, rows[places.values].astype(np.int64))
        means = np.empty(len(items))
        means[places.values] = self._weighted_means(
            histories, wanted, self._precomputed_similarities(histories, len(distinct))
        )
        return means

    def _columns(self, histories: csr_array, first: int, end: int, known: Known) -> FloatArray:
        """(B, end - first) predictions of some items for all histories."""
        people, items = histories.shape[0], np.arange(first, end)
        wanted = Wanted(items, np.arange(len(items) + 1) * people, np.tile(np.arange(people), len(items)))
        return self._weighted_means(histories, wanted, known).reshape(len(items), people).T

    def _weighted_means(self, histories: csr_array, wanted: Wanted, known: Known) -> FloatArray:
        """(N,) predictions for the wanted pairs, rescaled by their items' baselines; NaN without neighbors."""
        means = means_over_histories(
            self.config.measure, self.compared, self.vectors, sparse(histories), wanted, known, self.config.neighbors
        )
        item = np.repeat(wanted.item, np.diff(wanted.start))
        return self.baselines.mean[item] + self.baselines.std[item] * means

    def _precomputed_similarities(self, histories: csr_array, targets: int | None = None) -> Known:
        """Return similarities of the history items if that is less work than those of the items to score.

        With imputed ratings there is no choice: only the scored item is compared by its observed ratings.
        """
        items = np.unique(histories.indices).astype(np.int64)
        targets = self.n_items if targets is None else targets
        if self.filled.size or len(items) >= targets or 8 * len(items) * self.n_items > SIMILARITY_BYTES:
            items = items[:0]
        return Known(items, similarities(self.config.measure.swapped(), self.compared, self.vectors, items))

    def _fallback(self, query: QueryBatch) -> FloatArray:
        return fallback_ratings(self.baselines, self.config.centering, self.scale)[None, :]

    def _predict_cells(self, everybody: QueryBatch, predicted: FloatArray, ctx: RunContext, stage: str) -> None:
        histories, fallback = self.inputs(everybody), self._fallback(everybody)
        none = Known(np.empty(0, dtype=np.int64), np.empty((0, self.n_items)))

        def predict(first: int, end: int) -> None:
            predicted[:, first:end] = self._on_scale(self._columns(histories, first, end, none), fallback[:, first:end])

        run_in_blocks(predict, self.n_items, BLOCK, ctx, stage=stage)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into contributions of history items; with `mean`, the remainder is the item's mean.

        Raises:
            CannotScore: No item of the history is similar to the item.
        """
        if self.config.aggregation == "sum":
            return super().explain(query, item)
        score = self._score_to_explain(query, item)
        inputs = self.inputs(query)
        items = np.array([item])
        similarity = similarities(self.config.measure, self.compared, self.vectors, items)[0, inputs.indices]
        nearest = np.argsort(-similarity, kind="stable")
        nearest = nearest[(similarity[nearest] > 0) & (inputs.indices[nearest] != item)][: self.config.neighbors]
        shares = self.baselines.std[item] * similarity[nearest] * inputs.data[nearest] / similarity[nearest].sum()
        remainder = float(self.baselines.mean[item])
        return Explanation(item, score, "history", inputs.indices[nearest].astype(np.int64), shares, remainder)

    def inputs(self, query: QueryBatch) -> csr_array:
        """(B, I) the histories, each rating normalized by its item's baseline."""
        values = self.history_matrix(query)
        deviations = (values.data - self.baselines.mean[values.indices]) / self.baselines.std[values.indices]
        return csr_array((deviations, values.indices, values.indptr), shape=values.shape)

    @classmethod
    def memory_estimate(cls, config: ItemKNNConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the neighbors, as lists and as weights, and of the ratings by user and by item.

        The lists of the search are those of two threads; more threads share `LISTS_BYTES`.
        """
        listed = n_items * min(config.neighbors, n_items)
        searched = min(24 * listed, max(12 * listed, LISTS_BYTES))
        return 24 * listed + searched + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: ItemKNNConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all comparisons: six per item pair of an average user, as active users have many more.

        In further rounds each rating is compared with all imputed items, once more when the neighbors are selected.
        """
        compared = 50.0 * n_interactions + 6.0 * n_interactions * n_interactions / max(1, n_users)
        return compared + 15.0 * (config.iterations - 1) * n_interactions * n_items


@compiled
def similarities(measure: Measure, compared: Rows, vectors: Sparse, items: IntArray) -> FloatArray:
    """Return (D, I) the similarity of some items to all items.

    Args:
        measure: Similarity and its shrinkage.
        compared: All items.
        vectors: (I, U) the same items as rows.
        items: (D,) positions.
    """
    found = np.empty((len(items), len(compared.size)))
    sums = sums_buffer(measure, compared, False)
    for place, item in enumerate(items):
        entries = slice(vectors.start[item], vectors.start[item + 1])
        found[place] = compare_with_all(measure, compared, vectors.column[entries], vectors.value[entries], sums)
    return found


@compiled
def means_over_histories(
    measure: Measure,
    compared: Rows,
    vectors: Sparse,
    histories: Sparse,
    wanted: Wanted,
    known: Known,
    neighbors: int,
) -> FloatArray:
    """Return (N,) for each wanted pair the weighted mean over the most similar items of the history, NaN without any.

    Args:
        measure: Similarity and its shrinkage.
        compared: All items.
        vectors: (I, U) the same items as rows.
        histories: (B, I) the users' histories, each value normalized by its item's baseline.
        wanted: The pairs.
        known: Similarities of all history items to all items; if empty, the wanted items are compared instead.
        neighbors: Maximum number of history items that contribute.
    """
    means = np.empty(len(wanted.row))
    sums = sums_buffer(measure, compared, False)
    similarity: FloatArray = np.zeros(len(compared.size))
    for group, item in enumerate(wanted.item):
        if len(known.item) > 0:
            for place, other in enumerate(known.item):
                similarity[other] = known.similarity[place, item]
        else:
            entries = slice(vectors.start[item], vectors.start[item + 1])
            columns, values = vectors.column[entries], vectors.value[entries]
            similarity = compare_with_all(measure, compared, columns, values, sums)
        similarity[item] = 0.0
        for pair in range(wanted.start[group], wanted.start[group + 1]):
            held = slice(histories.start[wanted.row[pair]], histories.start[wanted.row[pair] + 1])
            means[pair] = mean_of_most_similar(similarity, histories.column[held], histories.value[held], neighbors)
    return means
