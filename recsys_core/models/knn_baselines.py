"""Baselines of rows of ratings, by which kNN normalizes them: means and standard deviations of users or items."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.batches import FloatArray


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
