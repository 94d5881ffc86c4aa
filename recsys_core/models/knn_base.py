"""Base class of User kNN and Item kNN: rating prediction and iterative imputation.

Without ratings, r_ui is the confidence of the pair (`weights.py`), 1 without weights: similarities are computed from it
(`jaccard` and `tversky` use presence alone) and neighbors vote with it. With ratings, interaction weights are ignored.
With `weighting`, similarities are computed from entries weighted by TF-IDF or BM25 (`term_weighting.py`); votes stay.

With `iterations > 1`, rows with few common columns are compared by imputed ratings:

1. Round 1 is the plain model: similarities from the observed ratings, and a prediction for every cell.
2. In each further round, the missing ratings of the *neighbors* are imputed with the previous predictions. The row that
   is compared keeps its observed ratings; all other rows have a value in each of their columns. Similarities and
   predictions are computed again. Only observed ratings vote; imputed ones act through similarities alone.
3. Iteration stops once no prediction changed by `tolerance`, in rating units, or after `iterations` rounds.

The largest and the mean change of each round are recorded in the training history, whose last entry tells whether the
iteration converged. Since the k nearest neighbors are selected again in each round, single predictions can oscillate
forever. On ml-latest-small, user-based with cosine and all 610 users as neighbors, it converges after the fourth round;
with Pearson and k = 40 the mean change is below 0.01 after five rounds, and the largest is still 4.4 after twenty.

Departure: the source document (section 2.2, step 4) imputes the missing ratings of the neighborhood without saying of
which rows. The target user is not imputed, so an unknown user with the same history gets exactly the same scores.
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.batches import FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import Progress, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.base import Recommender, rating_range_of
from recsys_core.models.knn_baselines import Scale, scale_of
from recsys_core.models.knn_config import COUNTING, RATINGS_ONLY, WEIGHABLE, KnnConfig
from recsys_core.text import _, later

MOST_CELLS = 50_000_000
"""Maximum number of users times items for imputation; a cell takes about 24 bytes."""
ROUNDS = later("imputation rounds")

N = TypeVar("N", bound=KnnConfig)


class KnnModel(Recommender[N]):
    """Predicts by weighted means over neighbors; a subclass defines whether these are users or items.

    A subclass implements `_compare`, `_means`, `_means_of_pairs`, `_fallback` and `_predict_cells`; its `_fit` calls
    `_learn`, then `_settle`.
    """

    fitted: ClassVar[tuple[str, ...]] = ("ratings", "rating_range", "filled")
    ratings: csr_array
    """(U, I) the training matrix."""
    filled: FloatArray
    """(U, I) float32, observed ratings, and the last predictions in all other cells; (0, 0) with iterations=1."""

    def _learn(self, train: Dataset) -> None:
        """Store the ratings without imputation and everything derived from them.

        Raises:
            DataError: Values below 0 cannot be weighted.
        """
        self.ratings = self._training_values(train)
        self._require_weighable()
        self.rating_range = rating_range_of(train)
        self.filled = np.empty((0, 0), dtype=np.float32)
        self._loaded()

    def _loaded(self) -> None:
        self.scale: Scale = scale_of(self.ratings, self.rating_range)

    @abstractmethod
    def _compare(self) -> None:
        """Build the rows that others are compared with, from `filled` if it is not empty, else from `ratings`."""

    @abstractmethod
    def _means(self, query: QueryBatch) -> FloatArray:
        """(B, I) weighted means of votes, in rating units; NaN without votes."""

    @abstractmethod
    def _means_of_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """(N,) the values of `_means` at [rows, items], bit for bit."""

    @abstractmethod
    def _fallback(self, query: QueryBatch) -> FloatArray:
        """(B, 1) or (1, I) the prediction without votes."""

    @abstractmethod
    def _predict_cells(self, everybody: QueryBatch, predicted: FloatArray, ctx: RunContext, stage: str) -> None:
        """Fill `predicted` (U, I) with the predictions of `predict_ratings` for all training users, in blocks."""

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) predictions, clipped to the rating scale.

        Without votes, the prediction is the mean of the user (item-based: of the item) if ratings are centered, else
        the global mean.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings.
        """
        self._require_predictable(query)
        return self._on_scale(self._means(query), self._fallback(query))

    def predict_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """Return (N,) the values of `predict_ratings` at [rows, items], without computing the others.

        Args:
            query: B users.
            rows: (N,) rows of the query.
            items: (N,) item positions.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings, or an item position is out of range.
        """
        self._require_predictable(query)
        if len(items) and not 0 <= items.min() <= items.max() < self.n_items:
            raise CannotScore(
                _(
                    "Item positions {min} to {max} are out of range: {info_title} was trained with "
                    "{n_items} items; use the positions of its training data."
                ).format(min=items.min(), max=items.max(), info_title=self.info.title, n_items=self.n_items)
            )
        fallback = np.broadcast_to(self._fallback(query), (len(query), self.n_items))
        return self._on_scale(self._means_of_pairs(query, rows, items), fallback[rows, items])

    def _require_predictable(self, query: QueryBatch) -> None:
        self.require_fitted()
        self._require_known(query)
        self._require_rating_range(self.rating_range)

    def _on_scale(self, means: FloatArray, fallback: FloatArray) -> FloatArray:
        return np.clip(np.where(np.isnan(means), fallback, means), self.scale.low, self.scale.high)

    def history_matrix(self, query: QueryBatch) -> csr_array:
        """(B, I) the histories of the query, with the same values as the training matrix."""
        return self._history_values(query, rated=not np.isnan(self.scale.low))

    def _why_no_scores(self, train: Dataset) -> str:
        """Return why no user has neighbors."""
        if np.ptp(self.ratings.data) == 0 and self.config.similarity in ("pearson", "adjusted_cosine"):
            return _(
                "All ratings are equal, so similarity={similarity} is undefined; use similarity=cosine, msd or jaccard."
            ).format(similarity=self.config.similarity)
        if not self.ratings.data.any() and self.config.similarity == "cosine":
            return _("All ratings are 0, so similarity=cosine is undefined; use similarity=msd or jaccard.")
        return _(
            "No pair has a similarity above 0 (similarity={similarity}, "
            "min_overlap={min_overlap}); lower min_overlap or choose another similarity."
        ).format(similarity=self.config.similarity, min_overlap=self.config.min_overlap)

    def _misfit(self, train: Dataset) -> str | None:
        """Return why the settings do not fit the data or each other."""
        config, title = self.config, self.info.title
        if config.iterations > 1 and train.n_users * train.n_items > MOST_CELLS:
            return _(
                "{info_title} with iterations={iterations} imputes a matrix of {n_users:,} users "
                "times {n_items:,} items, and at most {most_cells:,} cells are supported; use "
                "iterations=1 or a sample of the data."
            ).format(
                info_title=title,
                iterations=config.iterations,
                n_users=train.n_users,
                n_items=train.n_items,
                most_cells=MOST_CELLS,
            )
        if config.iterations > 1 and config.similarity in COUNTING:
            return _(
                "{title} with similarity={similarity} ignores rating values, so after imputation all "
                "similarities would be equal; use iterations=1 or another similarity."
            ).format(title=title, similarity=config.similarity)
        for setting, value, needs in (
            ("similarity", config.similarity, config.similarity in RATINGS_ONLY),
            ("centering", config.centering, config.centering != "none"),
            ("aggregation", config.aggregation, config.aggregation == "mean"),
            ("iterations", config.iterations, config.iterations > 1),
        ):
            if needs and not train.has_ratings:
                return _(
                    "{title} with {setting}={value} needs ratings, which '{train_name}' does not have; "
                    "use similarity=cosine or jaccard, centering=none, aggregation=sum and iterations=1."
                ).format(title=title, setting=setting, value=value, train_name=train.name)
        return None if config.weighting == "none" else self._misfit_of_weighting()

    def _misfit_of_weighting(self) -> str | None:
        config, given = self.config, self._weighted_title
        if config.similarity not in WEIGHABLE:
            return _("{given} needs similarity=cosine or dot, not {similarity}; or use weighting=none.").format(
                given=given, similarity=config.similarity
            )
        if config.iterations > 1:
            return _("{given} cannot compare imputed ratings; use iterations=1 or weighting=none.").format(given=given)
        return None

    @property
    def _weighted_title(self) -> str:
        return f"{self.info.title} with weighting={self.config.weighting}"

    def _require_weighable(self) -> None:
        """Reject a weighting of values below 0.

        Raises:
            DataError: There are such values.
        """
        lowest = self.ratings.data.min(initial=0.0)
        if self.config.weighting != "none" and lowest < 0:
            raise DataError(
                _("{given} needs values of at least 0, but the lowest is {lowest:g}; use weighting=none.").format(
                    given=self._weighted_title, lowest=lowest
                )
            )

    def _settle(self, ctx: RunContext) -> None:
        """Impute, compare and predict until the predictions converge, and record the change of each round."""
        rounds, tolerance = self.config.iterations - 1, self.config.tolerance
        if rounds == 0:
            return
        before, change, number = self._all_predictions(ctx, 1), Change(np.inf, np.inf), 0
        ctx.report(Progress(ROUNDS, 0, rounds))
        while number < rounds and change.largest >= tolerance:
            number += 1
            self.filled = before
            self._compare()
            after = self._all_predictions(ctx, number + 1)
            change, before = change_between(before, after), after
            total = rounds if change.largest >= tolerance else number
            ctx.note(ROUNDS, number, total, largest_change=change.largest, mean_change=change.mean, tolerance=tolerance)
        verdict = "converged" if change.largest < tolerance else "not converged"
        ctx.note(f"{verdict} after round {number + 1}", 0, 0, largest_change=change.largest, tolerance=tolerance)

    def _all_predictions(self, ctx: RunContext, number: int) -> FloatArray:
        """(U, I) float32 observed ratings, and predictions in all other cells."""
        everybody = QueryBatch(
            np.arange(self.n_users),
            Ragged(self.ratings.indices.astype(np.int64), self.ratings.indptr.astype(np.int64)),
            self.ratings.data,
        )
        predicted = np.empty((self.n_users, self.n_items), dtype=np.float32)
        self._predict_cells(everybody, predicted, ctx, f"predict, round {number}")
        predicted[everybody.history.row_numbers(), everybody.history.values] = self.ratings.data
        return predicted

    @classmethod
    def memory_estimate(cls, config: N, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the ratings by user and by item and, with iterations > 1, of the imputed matrices.

        More than `MOST_CELLS` cells are never imputed: training is rejected first.
        """
        filled = 24 * n_users * n_items if config.iterations > 1 else 0
        return filled + super().memory_estimate(config, n_users, n_items, n_interactions)


class Change(NamedTuple):
    """Largest and mean absolute change of the predictions between two rounds, in rating units."""

    largest: float
    mean: float


def change_between(before: FloatArray, after: FloatArray) -> Change:
    """Return how much two (U, I) matrices differ, row by row to avoid a third matrix."""
    largest, total = 0.0, 0.0
    for one, two in zip(before, after, strict=True):
        moved = np.abs(one - two, dtype=np.float64)
        largest, total = max(largest, float(moved.max(initial=0.0))), total + float(moved.sum())
    return Change(largest, total / max(1, before.size))
