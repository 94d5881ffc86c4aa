"""Two-dimensional maps on which similar rows are close together."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import BoolArray, FloatArray
from recsys_core.profiles.phrases import Words

SEED = 42
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal axes.

    Args:
        places: (N, D) coordinates.
        loadings: (F, D) unit vectors.
        explained: (D,) shares of the total variance.
    """

    places: FloatArray
    loadings: FloatArray
    explained: FloatArray


def principal_axes(rows: FloatArray, known: BoolArray, size: int) -> Axes:
    """Return the principal components of rows, from the exact covariance of the known ones.

    The sign of each axis makes its largest loading positive. Unknown rows are projected, too.

    Args:
        rows: (N, F) numbers.
        known: (N,) rows used for mean and covariance.
        size: Number of components, D; padded with columns of zeros.
    """
    places, loadings, explained = np.zeros((len(rows), size)), np.zeros((rows.shape[1], size)), np.zeros(size)
    count = int(known.sum())
    if count < 2 or not rows.shape[1]:
        return Axes(places, loadings, explained)
    chosen = np.flatnonzero(known)
    mean = rows[chosen].mean(axis=0, dtype=np.float64)
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, count, _BLOCK):
        centred = rows[chosen[start : start + _BLOCK]] - mean
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / (count - 1))
    kept = min(size, rows.shape[1])
    vectors = vectors[:, ::-1][:, :kept]
    signs = np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)] < 0, -1.0, 1.0)
    loadings[:, :kept] = vectors * signs
    for start in range(0, len(rows), _BLOCK):
        places[start : start + _BLOCK] = (rows[start : start + _BLOCK] - mean) @ loadings
    total = float(values.clip(0).sum())
    explained[:kept] = values[::-1][:kept].clip(0) / total if total > 0 else 0
    return Axes(places, loadings, explained)


def sparse_axes(rows: csr_array, size: int = 2) -> Axes:
    """Return approximate principal components of high-dimensional sparse rows by truncated SVD.

    The first singular vector of uncentered rows is close to their mean, so additional directions are computed and
    rotated to the principal components of their span.

    Args:
        rows: (N, F) numbers.
        size: Number of components, D.
    """
    from sklearn.decomposition import TruncatedSVD

    wide = min(size + 10, rows.shape[1] - 1, rows.shape[0] - 1)
    everything = np.ones(rows.shape[0], dtype=bool)
    if wide < size:
        return principal_axes(rows.toarray(), everything, size)
    svd = TruncatedSVD(wide, random_state=SEED, n_iter=5)
    inner = principal_axes(svd.fit_transform(rows), everything, size)
    mean = np.asarray(rows.mean(axis=0)).ravel()
    total = float(rows.multiply(rows).sum() / rows.shape[0] - mean @ mean)
    inside = inner.places.var(axis=0) / total if total > 0 else np.zeros(size)
    return Axes(inner.places, svd.components_.T @ inner.loadings, inside)


def axis_words(loadings: FloatArray, names: list[str]) -> Words:
    """Return a description of an axis: the columns with its largest positive and negative loadings.

    Args:
        loadings: (F,) loadings of the axis.
        names: (F,) column names.
    """
    names = [name.partition(": ")[2] or name for name in names]
    order = np.argsort(-loadings, kind="stable")
    more = [names[place] for place in order[:2] if loadings[place] > 0]
    less = [names[place] for place in order[::-1][:2] if loadings[place] < 0]
    if more and less:
        return Words("more {more}; less {less}", {"more": more, "less": less})
    return Words("{names}", {"names": more or less})
