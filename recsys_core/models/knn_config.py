"""What the two neighbourhood models share: their settings, and what a rating is compared with."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, Knob, ModelConfig
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, DataError
from recsys_core.models.similarity import FORMS, KINDS, Measure, ShrinkageForm, SimilarityName
from recsys_core.models.weights import training_confidence

RATINGS_ONLY = ("pearson", "adjusted_cosine", "msd")
"""Similarities that say nothing where all values are 1."""


class NeighbourConfig(ModelConfig):
    """Settings of the neighbourhood models."""

    neighbors: Annotated[int, Field(ge=1, le=10_000), Knob(5, 500, scale="log", symbol="k")] = 40
    """How many of the most similar ones have a say."""
    similarity: Annotated[SimilarityName, Knob(symbol="s")] = "cosine"
    """How alike two are: see the formulas. All but cosine and jaccard need ratings."""
    centering: Annotated[Literal["none", "mean", "zscore"], Knob()] = "none"
    """What a rating is compared with: nothing, the own mean, or that in units of the own spread. Needs ratings."""
    shrinkage: Annotated[float, Field(ge=0, le=10_000), Knob(0, 200, symbol=r"\beta")] = 0.0
    """How much similarities that rest on few shared entries are reduced, see shrinkage form; 0 reduces none."""
    min_overlap: Annotated[int, Field(ge=1, le=1000), Knob(1, 20)] = 1
    """Shared entries below which two are not similar at all."""
    aggregation: Annotated[Literal["sum", "mean"], Knob()] = "sum"
    """How an item is scored for ranking: the sum of its support, or the predicted rating (the weighted mean)."""
    shrinkage_form: Annotated[ShrinkageForm, Knob(advanced=True)] = "linear"
    """How shrinkage acts: times min(n, shrinkage) / shrinkage or n / (n + shrinkage), or added to the denominator.

    n is the number of shared entries. The denominator, in the other libraries' form, is in units of ratings squared.
    """
    iterations: Annotated[int, Field(ge=1, le=100), Knob(1, 10, advanced=True)] = 1
    """Rounds of comparing; from the second on, the neighbours' missing ratings are filled with the last predictions."""
    tolerance: Annotated[float, Field(gt=0, le=10), Knob(1e-3, 0.5, scale="log", advanced=True)] = 0.01
    """No further round once no prediction moved by so much, in units of the rating scale. Acts with iterations > 1."""

    @property
    def measure(self) -> Measure:
        """The similarity, as compiled code takes it."""
        return Measure(KINDS[self.similarity], self.shrinkage, FORMS[self.shrinkage_form], self.min_overlap)


class Scale(NamedTuple):
    """The ratings as a whole: bounds of the scale (NaN where people did not rate), mean and standard deviation."""

    low: float
    high: float
    mean: float
    spread: float


class Level(NamedTuple):
    """What the ratings of each of R rows are compared with: `mean` (R,) and `spread` (R,), 0 and 1 without centring."""

    mean: FloatArray
    spread: FloatArray


def training_values(config: NeighbourConfig, train: Dataset, title: str, weight_unit: float) -> csr_array:
    """Return the (U, I) matrix to learn from: ratings where there are any, else the confidence of each pair.

    Args:
        config: Settings.
        train: Interactions.
        title: Of the model, for the refusal.
        weight_unit: Weight that counts 1, NaN without weights; see `weights.py`.

    Raises:
        DataError: The settings compare ratings and there are none, or fill in ratings that they do not look at.
    """
    if config.iterations > 1 and config.similarity == "jaccard":
        raise DataError(
            f"{title} with similarity=jaccard looks at what people rated, not how, so that after filling in ratings "
            "all would be alike; use iterations=1 or another similarity."
        )
    if train.has_ratings:
        return train.matrix("rating")
    for setting, value, needs in (
        ("similarity", config.similarity, config.similarity in RATINGS_ONLY),
        ("centering", config.centering, config.centering != "none"),
        ("aggregation", config.aggregation, config.aggregation == "mean"),
        ("iterations", config.iterations, config.iterations > 1),
    ):
        if needs:
            raise DataError(
                f"{title} with {setting}={value} compares ratings, which '{train.name}' does not have; "
                "use similarity=cosine or jaccard, centering=none, aggregation=sum and iterations=1."
            )
    return training_confidence(train, weight_unit)


def rating_range(train: Dataset) -> FloatArray:
    """Return (2,) the lowest and highest rating of the scale, NaN where people did not rate."""
    return np.array(
        [np.nan, np.nan] if train.rating_scale is None else [train.rating_scale.low, train.rating_scale.high]
    )


def scale_of(ratings: csr_array, bounds: FloatArray) -> Scale:
    """Return the scale of training ratings whose lowest and highest possible value are `bounds` (2,)."""
    values = ratings.data.astype(np.float64)
    return Scale(float(bounds[0]), float(bounds[1]), float(values.mean()), float(values.std()))


def require_ratings(scale: Scale, title: str) -> None:
    """Refuse to predict ratings from data that had none.

    Raises:
        CannotScore: There were no ratings in training.
    """
    if np.isnan(scale.low):
        raise CannotScore(f"{title} cannot predict ratings: it was trained on data without them.")


def levels(matrix: csr_array, centering: str, scale: Scale) -> Level:
    """Return the level of each row of an (R, C) matrix of ratings.

    A row without entries has the mean of all ratings, a row whose entries are all alike the spread of all ratings.

    Args:
        matrix: Ratings.
        centering: "none", "mean" or "zscore".
        scale: Of the training ratings.
    """
    rows = matrix.shape[0]
    if centering == "none":
        return Level(np.zeros(rows), np.ones(rows))
    row, number = np.repeat(np.arange(rows), np.diff(matrix.indptr)), np.diff(matrix.indptr)
    mean = np.full(rows, scale.mean)
    np.divide(np.bincount(row, matrix.data, minlength=rows), number, out=mean, where=number > 0)
    if centering == "mean":
        return Level(mean, np.ones(rows))
    squares = np.bincount(row, np.square(matrix.data - mean[row]), minlength=rows)
    spread = np.sqrt(np.divide(squares, number, out=np.zeros(rows), where=number > 0))
    return Level(mean, np.where(spread > 1e-9, spread, scale.spread if scale.spread > 0 else 1.0))


def centred(matrix: csr_array, level: Level) -> csr_array:
    """Return the (R, C) matrix of deviations of each entry from its row's level, in units of the row's spread."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    deviations = (matrix.data - level.mean[row]) / level.spread[row]
    return csr_array((deviations, matrix.indices, matrix.indptr), shape=matrix.shape)


def fallback_ratings(level: Level, centering: str, scale: Scale) -> FloatArray:
    """Return (R,) what to predict where no neighbour helps: the own mean in models that centre, else that of all."""
    return np.full(len(level.mean), scale.mean) if centering == "none" else level.mean
