"""Settings of the kNN models, and the baselines that ratings are centered on."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, Knob, ModelConfig
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.similarity import FORMS, KINDS, Measure, ShrinkageForm, SimilarityName
from recsys_core.models.weights import training_confidence

RATINGS_ONLY = ("pearson", "adjusted_cosine", "msd")
"""Similarities that are undefined or constant if all values are 1."""


class KnnConfig(ModelConfig):
    """Settings of the kNN models."""

    neighbors: Annotated[int, Field(ge=1, le=10_000), Knob(5, 500, scale="log", symbol="k")] = 40
    """Number of most similar users (User kNN) or items (Item kNN) that contribute to a score."""
    similarity: Annotated[SimilarityName, Knob(symbol="s")] = "cosine"
    """Similarity measure between two users or two items. All but cosine and jaccard need ratings."""
    centering: Annotated[Literal["none", "mean", "zscore"], Knob()] = "none"
    """Normalization of ratings: none, mean-centering, or z-score, by the mean and standard deviation of the user (User
    kNN) or item (Item kNN). Needs ratings."""
    shrinkage: Annotated[float, Field(ge=0, le=10_000), Knob(0, 200, symbol=r"\beta")] = 0.0
    """Reduces similarities that are computed from few co-ratings (significance weighting); 0 switches it off."""
    min_overlap: Annotated[int, Field(ge=1, le=1000), Knob(1, 20, label="Minimum overlap")] = 1
    """Minimum number of co-ratings; with fewer, the similarity is 0."""
    aggregation: Annotated[Literal["sum", "mean"], Knob()] = "sum"
    """Score used for ranking: the sum of the neighbors' weighted votes, or their weighted mean (the predicted rating).
    """
    shrinkage_form: Annotated[ShrinkageForm, Knob(advanced=True)] = "linear"
    """How shrinkage is applied, with n co-ratings: 'linear' multiplies the similarity by min(n, shrinkage) / shrinkage,
    'hyperbolic' by n / (n + shrinkage); 'denominator' adds shrinkage to the denominator, in squared rating units."""
    iterations: Annotated[int, Field(ge=1, le=100), Knob(1, 10, advanced=True)] = 1
    """Number of similarity rounds; from the second round on, missing ratings of the neighbors are imputed with the
    predictions of the previous round."""
    tolerance: Annotated[float, Field(gt=0, le=10), Knob(1e-3, 0.5, scale="log", advanced=True)] = 0.01
    """Convergence threshold: iterations stop once no prediction changes by this much, in rating units. Only used with
    iterations > 1."""

    @property
    def measure(self) -> Measure:
        """The similarity in the form that compiled code takes."""
        return Measure(KINDS[self.similarity], self.shrinkage, FORMS[self.shrinkage_form], self.min_overlap)


class Scale(NamedTuple):
    """Bounds of the rating scale (NaN without ratings), and mean and standard deviation of all training ratings."""

    low: float
    high: float
    mean: float
    std: float


class Baselines(NamedTuple):
    """Baseline of each of R rows: `mean` (R,) and standard deviation `std` (R,); 0 and 1 without centering."""

    mean: FloatArray
    std: FloatArray


def training_values(config: KnnConfig, train: Dataset, title: str, weight_unit: float) -> csr_array:
    """Return the (U, I) training matrix: ratings if there are any, else the confidence of each pair.

    Args:
        config: Settings.
        train: Interactions.
        title: Title of the model, for error messages.
        weight_unit: Weight whose confidence is 1, NaN without weights; see `weights.py`.

    Raises:
        DataError: The settings need ratings and there are none, or impute ratings that the similarity ignores.
    """
    if config.iterations > 1 and config.similarity == "jaccard":
        raise DataError(
            f"{title} with similarity=jaccard ignores rating values, so after imputation all similarities would be "
            "equal; use iterations=1 or another similarity."
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
                f"{title} with {setting}={value} needs ratings, which '{train.name}' does not have; "
                "use similarity=cosine or jaccard, centering=none, aggregation=sum and iterations=1."
            )
    return training_confidence(train, weight_unit)


def scale_of(ratings: csr_array, bounds: FloatArray) -> Scale:
    """Return the scale of training ratings whose lowest and highest possible value are `bounds` (2,)."""
    values = ratings.data.astype(np.float64)
    return Scale(float(bounds[0]), float(bounds[1]), float(values.mean()), float(values.std()))


def row_baselines(matrix: csr_array, centering: str, scale: Scale) -> Baselines:
    """Return the baseline of each row of an (R, C) matrix of ratings.

    An empty row gets the mean of all ratings; a row of equal entries gets the standard deviation of all ratings.

    Args:
        matrix: Ratings.
        centering: "none", "mean" or "zscore".
        scale: Of the training ratings.
    """
    rows = matrix.shape[0]
    if centering == "none":
        return Baselines(np.zeros(rows), np.ones(rows))
    row, number = np.repeat(np.arange(rows), np.diff(matrix.indptr)), np.diff(matrix.indptr)
    mean = np.full(rows, scale.mean)
    np.divide(np.bincount(row, matrix.data, minlength=rows), number, out=mean, where=number > 0)
    if centering == "mean":
        return Baselines(mean, np.ones(rows))
    squares = np.bincount(row, np.square(matrix.data - mean[row]), minlength=rows)
    std = np.sqrt(np.divide(squares, number, out=np.zeros(rows), where=number > 0))
    return Baselines(mean, np.where(std > 1e-9, std, scale.std if scale.std > 0 else 1.0))


def centered(matrix: csr_array, baselines: Baselines) -> csr_array:
    """Return the (R, C) matrix normalized by the mean and standard deviation of each row."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    deviations = (matrix.data - baselines.mean[row]) / baselines.std[row]
    return csr_array((deviations, matrix.indices, matrix.indptr), shape=matrix.shape)


def fallback_ratings(baselines: Baselines, centering: str, scale: Scale) -> FloatArray:
    """Return (R,) the prediction without any neighbor: the row's mean if ratings are centered, else the global mean."""
    return np.full(len(baselines.mean), scale.mean) if centering == "none" else baselines.mean
