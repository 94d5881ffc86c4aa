"""What both neighborhood models do alike: predict ratings, of all items or of pairs, and compare again once filled.

Where people did not rate, r_ui is the confidence of the pair (`weights.py`): 1 without weights. It is the value that
similarities are computed from (`jaccard` counts entries alone) and that a neighbor votes with. Where people rated,
weights are ignored.

With `iterations > 1` people and items that share little are compared by what the model itself expects:

1. Round 1 is the plain model: similarities from the ratings as they are, and from them a prediction for every cell.
2. In each further round the missing ratings of the *neighbours* are filled with the last predictions: whoever is
   compared keeps their own ratings, and everybody else has a number for each of them. Similarities are computed again,
   and with them all predictions. Only ratings that were given have a vote; filled ones act through similarities alone.
3. It ends once no prediction moved by `tolerance`, in units of the rating scale, or after `iterations` rounds.

The change of each round, the largest and the mean, is a point of the training history; the last point says whether the
rounds settled. Since the k nearest are chosen anew in each round, single predictions can jump to and fro for ever. On
ml-latest-small, user-based, by cosine and all 610 users as neighbours the rounds settle after the fourth; by Pearson
and k = 40 the mean change is below 0.01 after five rounds, and the largest one is still 4.4 after twenty.

Departure: the source document (section 2.1, step 4) fills the neighbourhood's missing ratings and leaves open whose.
The person who asks is not filled, so that an unknown person with the same history is served exactly alike.
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray, Progress, QueryBatch, Ragged, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.base import Recommender
from recsys_core.models.histories import history_matrix
from recsys_core.models.knn_config import (
    NeighbourConfig,
    Scale,
    rating_range,
    require_ratings,
    scale_of,
    training_values,
)

N = TypeVar("N", bound=NeighbourConfig)
MOST_CELLS = 50_000_000
"""Users times items up to which all missing ratings can be filled; a cell takes about 24 bytes."""
ROUNDS = "rounds of filling and comparing"


class NeighbourModel(Recommender[N]):
    """Predicts by weighted means over neighbours; a subclass says who they are.

    It fills in `_compare`, `_means`, `_means_of_pairs`, `_fallback` and `_predict_cells`; its `_fit` calls `_learn`,
    then `_settle`.
    """

    fitted: ClassVar[tuple[str, ...]] = ("ratings", "rating_range", "filled")
    ratings: csr_array
    """(U, I) what was learned from."""
    filled: FloatArray
    """(U, I) float32, ratings and in all other cells the last predictions; (0, 0) if one round was asked for."""

    def _learn(self, train: Dataset) -> None:
        """Take over the ratings, nothing filled yet, and what follows from them.

        Raises:
            DataError: The settings do not suit the data, or more would have to be filled than can be.
        """
        self._require_room(train)
        self.ratings = training_values(self.config, train, self.info.title, self.weight_unit)
        self.rating_range = rating_range(train)
        self.filled = np.empty((0, 0), dtype=np.float32)
        self._loaded()

    def _loaded(self) -> None:
        self.scale: Scale = scale_of(self.ratings, self.rating_range)

    @abstractmethod
    def _compare(self) -> None:
        """Make of `ratings`, or of `filled` if there is something in it, the rows that others are compared with."""

    @abstractmethod
    def _means(self, query: QueryBatch) -> FloatArray:
        """(B, I) weighted means of votes, in units of the ratings; NaN where nobody votes."""

    @abstractmethod
    def _means_of_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """(N,) the means at [rows, items], the same to the bit."""

    @abstractmethod
    def _fallback(self, query: QueryBatch) -> FloatArray:
        """(B, 1) or (1, I) what to predict where nobody votes."""

    @abstractmethod
    def _predict_cells(self, everybody: QueryBatch, predicted: FloatArray, ctx: RunContext, stage: str) -> None:
        """Fill `predicted` (U, I) with what `predict_ratings` says of all training users, in blocks."""

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) predictions clipped to the rating scale.

        Where nobody can vote, it is the own mean of the person (or of the item, in the item-based model) if the model
        centres, else the mean of all ratings.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings.
        """
        self._require_predictable(query)
        return self._on_scale(self._means(query), self._fallback(query))

    def predict_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """Return (N,) the predictions at [rows, items] of `predict_ratings`, without the others.

        Args:
            query: B people.
            rows: (N,) which of them.
            items: (N,) positions.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The training data had no ratings, or an item is not among them.
        """
        self._require_predictable(query)
        if len(items) and not 0 <= items.min() <= items.max() < self.n_items:
            raise CannotScore(
                f"Item positions {items.min()} to {items.max()} are asked for, but {self.info.title} was trained with "
                f"{self.n_items} items; ask with the positions of its training data."
            )
        fallback = np.broadcast_to(self._fallback(query), (len(query), self.n_items))
        return self._on_scale(self._means_of_pairs(query, rows, items), fallback[rows, items])

    def _require_predictable(self, query: QueryBatch) -> None:
        self.require_fitted()
        self._require_known(query)
        require_ratings(self.scale, self.info.title)

    def _on_scale(self, means: FloatArray, fallback: FloatArray) -> FloatArray:
        return np.clip(np.where(np.isnan(means), fallback, means), self.scale.low, self.scale.high)

    def history_matrix(self, query: QueryBatch) -> csr_array:
        """(B, I) what the people in the query did, in the same terms as the training data."""
        if np.isnan(self.scale.low):
            return self._history_confidence(query)
        return history_matrix(query, self.n_items, "rating")

    def _why_no_scores(self, train: Dataset) -> str:
        """Return what leaves everybody without neighbors."""
        if np.ptp(self.ratings.data) == 0 and self.config.similarity in ("pearson", "adjusted_cosine"):
            return (
                f"All ratings are equal, so similarity={self.config.similarity} is not defined; use similarity=cosine, "
                "msd or jaccard."
            )
        if not self.ratings.data.any() and self.config.similarity == "cosine":
            return "All ratings are 0, so similarity=cosine is not defined; use similarity=msd or jaccard."
        return (
            f"No two of them have a similarity above 0 (similarity={self.config.similarity}, "
            f"min_overlap={self.config.min_overlap}); lower min_overlap or choose another similarity."
        )

    def _require_room(self, train: Dataset) -> None:
        """Refuse to fill what would not fit.

        Raises:
            DataError: There are more cells than can be filled.
        """
        if self.config.iterations > 1 and train.n_users * train.n_items > MOST_CELLS:
            raise DataError(
                f"{self.info.title} with iterations={self.config.iterations} fills a table of {train.n_users:,} users "
                f"times {train.n_items:,} items, and at most {MOST_CELLS:,} cells can be filled; use iterations=1, or "
                "a part of the data."
            )

    def _settle(self, ctx: RunContext) -> None:
        """Fill, compare and predict until the predictions stay, and note how much they moved in each round."""
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
        verdict = "settled" if change.largest < tolerance else "not settled"
        ctx.note(f"{verdict} after round {number + 1}", 0, 0, largest_change=change.largest, tolerance=tolerance)

    def _all_predictions(self, ctx: RunContext, number: int) -> FloatArray:
        """(U, I) float32 ratings, and where there is none the prediction of the training user."""
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
        """Return the bytes of the ratings by user and by item, and with more than one round of the filled tables.

        More than `MOST_CELLS` cells are never filled: the training is refused before.
        """
        filled = 24 * n_users * n_items if config.iterations > 1 else 0
        return filled + super().memory_estimate(config, n_users, n_items, n_interactions)


class Change(NamedTuple):
    """How much predictions moved between two rounds, in units of the ratings: the one that moved most, and all."""

    largest: float
    mean: float


def change_between(before: FloatArray, after: FloatArray) -> Change:
    """Return how much two (U, I) tables differ; a row at a time, so that no third table is needed."""
    largest, total = 0.0, 0.0
    for one, two in zip(before, after, strict=True):
        moved = np.abs(one - two, dtype=np.float64)
        largest, total = max(largest, float(moved.max(initial=0.0))), total + float(moved.sum())
    return Change(largest, total / max(1, before.size))
