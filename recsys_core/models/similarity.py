"""Similarity of two rows of a matrix: two users by the items they share, or two items by their users.

For rows x and y, with sums over the n columns that *both* have (co-rated) unless stated otherwise:

    cosine            sum x y / (|x| |y|), norms over *all* entries of each row
    adjusted_cosine   sum x y / sqrt(sum x^2 sum y^2), after subtracting each column's mean from its entries
    pearson           the correlation of x and y; means are over the n shared columns, too
    msd               1 / (1 + sum (x - y)^2 / n)
    jaccard           n / (|columns of x| + |columns of y| - n), ignoring the values
    tversky           n / (n + alpha a + beta b), with a columns of x alone and b of y alone; alpha = beta = 1 is
                      jaccard and 1/2 the Dice coefficient; alpha < beta prefers rows y with few columns
    dot               sum x y, unbounded; meant for weighted entries (`term_weighting.py`)

A pair with n < min_overlap has similarity 0. With few shared columns a high similarity can arise by chance, so it can
be shrunk by the factor

    linear        min(n, shrinkage) / shrinkage                     (Herlocker et al. 1999)
    hyperbolic    n / (n + shrinkage)                               (Bell and Koren 2007)

or by adding the shrinkage to the denominator, as RecBole, irspack and Elliot do (Ferrari Dacrema et al. 2021, "A
Troubling Analysis of Reproducibility and Progress in Recommender Systems Research"), here for each similarity:

    denominator   numerator / (denominator + shrinkage),    for msd n / (n + sum (x - y)^2 + shrinkage); dot has the
                  denominator 1

For numerical stability, Pearson is computed from differences to the first shared value of each row, and msd from the
differences themselves: ratings of 1,000,001 to 1,000,005 have the same similarities as those of 1 to 5.

Source: pearson and the weighted mean in the source document, section 2.2; adjusted cosine, the document's 'normalised
cosine', in Sarwar et al. 2001, "Item-Based Collaborative Filtering", section 3.1.3; msd as in Surprise; tversky in
Tversky 1977, "Features of Similarity", the ratio model.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.compiled import compiled

SimilarityName = Literal["pearson", "cosine", "adjusted_cosine", "msd", "jaccard", "tversky", "dot"]
COSINE, JACCARD, ADJUSTED_COSINE, PEARSON, MSD, TVERSKY, DOT = range(7)
KINDS = {
    "cosine": COSINE,
    "jaccard": JACCARD,
    "adjusted_cosine": ADJUSTED_COSINE,
    "pearson": PEARSON,
    "msd": MSD,
    "tversky": TVERSKY,
    "dot": DOT,
}
"""Integer codes for compiled code."""

ShrinkageForm = Literal["linear", "hyperbolic", "denominator"]
LINEAR, HYPERBOLIC, DENOMINATOR = range(3)
FORMS = {"linear": LINEAR, "hyperbolic": HYPERBOLIC, "denominator": DENOMINATOR}
"""Integer codes for compiled code."""

XY, N, XX, YY, X, Y, FIRST_X, FIRST_Y = range(8)
"""Columns of the buffer of sums that one row needs against all others; see `sums_buffer`."""
WIDTHS = (2, 2, 4, 8, 2, 2, 2)
"""Number of these columns that each kind of similarity needs."""


class Measure(NamedTuple):
    """A similarity, its shrinkage, and the weights of Tversky's similarity; see the module docstring."""

    kind: int
    shrinkage: float
    form: int
    min_overlap: int
    alpha: float = 0.5
    beta: float = 0.5

    def swapped(self) -> "Measure":
        """Return the measure that gives s(y, x) for rows x and y; only `tversky` is not symmetric."""
        return self._replace(alpha=self.beta, beta=self.alpha)


class Rows(NamedTuple):
    """The R rows that are compared, stored by column so that the rows sharing a column need no search.

    `row` and `value` (N,) hold the entries of column c at `start[c]:start[c + 1]`; `length` (R,) is the Euclidean norm
    of each row, `size` (R,) its number of entries.
    """

    start: IntArray
    row: IntArray
    value: FloatArray
    length: FloatArray
    size: IntArray


def rows_by_column(matrix: csr_array) -> Rows:
    """Return the rows of a sparse (R, C) matrix for comparison; explicit zeros count as entries."""
    by_column = matrix.tocsc()
    by_row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    squares = np.bincount(by_row, np.square(matrix.data, dtype=np.float64), minlength=matrix.shape[0])
    return Rows(
        start=by_column.indptr.astype(np.int64),
        row=by_column.indices.astype(np.uint32),
        value=by_column.data.astype(np.float32),
        length=np.sqrt(squares),
        size=np.diff(matrix.indptr).astype(np.int64),
    )


def rows_of_dense(matrix: FloatArray) -> Rows:
    """Return the rows of a dense (R, C) matrix for comparison; every cell counts as an entry."""
    rows, columns = matrix.shape
    return Rows(
        start=np.arange(columns + 1, dtype=np.int64) * rows,
        row=np.tile(np.arange(rows, dtype=np.uint32), columns),
        value=np.ascontiguousarray(matrix.T, dtype=np.float32).reshape(-1),
        length=np.sqrt(np.einsum("rc,rc->r", matrix, matrix, dtype=np.float64)),
        size=np.full(rows, columns, dtype=np.int64),
    )


@compiled
def sums_buffer(measure: Measure, rows: Rows, counted: bool) -> FloatArray:
    """Return a reusable buffer for `compare_with_all`: (R, 1), (R, 2), (R, 4) or (R, 8).

    Fewer columns make the comparison faster: a plain cosine or dot product needs the products alone.

    Args:
        measure: Similarity and its shrinkage.
        rows: The rows to compare with.
        counted: Whether the column N is needed afterwards.
    """
    uncounted = measure.shrinkage <= 0.0 or measure.form == DENOMINATOR
    plain = measure.kind in (COSINE, DOT) and uncounted and measure.min_overlap <= 1
    return np.empty((len(rows.size), 1 if plain and not counted else WIDTHS[measure.kind]))


@compiled
def compare_with_all(
    measure: Measure, rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray
) -> FloatArray:
    """Return (R,) the similarity of each row to the row x that has `values` in `columns`; 0 without shared columns.

    Args:
        measure: Similarity and its shrinkage.
        rows: The rows to compare with.
        columns: (n_x,) columns of x, uint32.
        values: (n_x,) values of x in these columns, float64.
        sums: Buffer from `sums_buffer`; on return its column N, if there is one, holds the number of columns that x
            shares with each row.
    """
    sums[:] = 0.0
    add_sums(measure, rows, columns, values, sums)
    length = np.sqrt(np.sum(values**2))
    similarity = np.empty(len(sums))
    for row in range(len(sums)):
        similarity[row] = similarity_of(measure, rows, sums[row], length, len(columns), row)
    return similarity


@compiled
def add_sums(measure: Measure, rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    """Add to the buffer `sums` what the similarity of x to the rows that share a column with it needs."""
    if sums.shape[1] == 1:
        _add_products(rows, columns, values, sums)
    elif measure.kind == MSD:
        _add_squared_differences(rows, columns, values, sums)
    elif measure.kind == PEARSON:
        _add_differences_to_first(rows, columns, values, sums)
    elif measure.kind == ADJUSTED_COSINE:
        _add_products_and_squares(rows, columns, values, sums)
    else:
        _add_products_and_counts(rows, columns, values, sums)


@compiled
def similarity_of(measure: Measure, rows: Rows, sums: FloatArray, length: float, size: int, row: int) -> float:
    """Return the similarity of a row to x, which has `size` entries of norm `length`, from their sums."""
    some = 1.0 if sums[XY] != 0.0 else 0.0  # enough for a plain cosine, which is 0 if all products are 0
    shared = sums[N] if len(sums) > 1 else some
    if shared < max(measure.min_overlap, 1):
        return 0.0
    added = measure.shrinkage if measure.form == DENOMINATOR else 0.0
    pure = _similarity(measure, sums, length * rows.length[row], size, rows.size[row], added)
    return pure * _significance(shared, measure.shrinkage, measure.form)


@compiled
def _add_products(rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    for entry in range(len(columns)):
        x = values[entry]
        sharing = slice(rows.start[columns[entry]], rows.start[columns[entry] + 1])
        others, other_values = rows.row[sharing], rows.value[sharing]
        for place in range(len(others)):
            sums[others[place], XY] += x * other_values[place]


@compiled
def _add_products_and_counts(rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    for entry in range(len(columns)):
        x = values[entry]
        sharing = slice(rows.start[columns[entry]], rows.start[columns[entry] + 1])
        others, other_values = rows.row[sharing], rows.value[sharing]
        for place in range(len(others)):
            row = others[place]
            sums[row, N] += 1.0
            sums[row, XY] += x * other_values[place]


@compiled
def _add_products_and_squares(rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    for entry in range(len(columns)):
        x = values[entry]
        sharing = slice(rows.start[columns[entry]], rows.start[columns[entry] + 1])
        others, other_values = rows.row[sharing], rows.value[sharing]
        for place in range(len(others)):
            row, y = others[place], np.float64(other_values[place])
            sums[row, N] += 1.0
            sums[row, XX] += x * x
            sums[row, YY] += y * y
            sums[row, XY] += x * y


@compiled
def _add_differences_to_first(rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    """Add deviations from the first shared values, which avoids cancellation if all ratings are large."""
    for entry in range(len(columns)):
        x = values[entry]
        sharing = slice(rows.start[columns[entry]], rows.start[columns[entry] + 1])
        others, other_values = rows.row[sharing], rows.value[sharing]
        for place in range(len(others)):
            row, y = others[place], np.float64(other_values[place])
            if sums[row, N] == 0.0:
                sums[row, FIRST_X] = x
                sums[row, FIRST_Y] = y
            dx, dy = x - sums[row, FIRST_X], y - sums[row, FIRST_Y]
            sums[row, N] += 1.0
            sums[row, X] += dx
            sums[row, Y] += dy
            sums[row, XX] += dx * dx
            sums[row, YY] += dy * dy
            sums[row, XY] += dx * dy


@compiled
def _add_squared_differences(rows: Rows, columns: IntArray, values: FloatArray, sums: FloatArray) -> None:
    """Add (x - y)^2 to the column XY."""
    for entry in range(len(columns)):
        x = values[entry]
        sharing = slice(rows.start[columns[entry]], rows.start[columns[entry] + 1])
        others, other_values = rows.row[sharing], rows.value[sharing]
        for place in range(len(others)):
            row, difference = others[place], x - np.float64(other_values[place])
            sums[row, N] += 1.0
            sums[row, XY] += difference * difference


@compiled
def _similarity(measure: Measure, sums: FloatArray, lengths: float, size_x: int, size_y: int, added: float) -> float:
    """Return the similarity of one pair; 0 where it is undefined (a row of zero variance or norm)."""
    numerator, denominator = _fraction(measure, sums, lengths, size_x, size_y, added)
    return numerator / denominator if denominator > 0.0 else 0.0


@compiled
def _fraction(
    measure: Measure, sums: FloatArray, lengths: float, size_x: int, size_y: int, added: float
) -> tuple[float, float]:
    """Return numerator and denominator of the similarity of one pair; the denominator is 0 where it is undefined.

    Args:
        measure: The similarity.
        sums: (1,), (2,), (4,) or (8,) sums over the shared columns.
        lengths: |x| |y|.
        size_x: Number of entries of x.
        size_y: Number of entries of y.
        added: Shrinkage added to the denominator.
    """
    kind, xy = measure.kind, float(sums[XY])
    if kind in (COSINE, DOT):
        length = lengths if kind == COSINE else 1.0
        return xy, length + added if length > 0.0 else 0.0
    n = float(sums[N])
    if kind in (JACCARD, TVERSKY):
        alpha, beta = (1.0, 1.0) if kind == JACCARD else (measure.alpha, measure.beta)
        return n, n + alpha * (size_x - n) + beta * (size_y - n) + added
    if kind == MSD:
        return 1.0, 1.0 + (xy + added) / n
    xx, yy = float(sums[XX]), float(sums[YY])
    if kind == ADJUSTED_COSINE:
        length = math.sqrt(xx * yy)
        return xy, length + added if length > 0.0 else 0.0
    x, y = float(sums[X]), float(sums[Y])
    x_variance, y_variance = n * xx - x * x, n * yy - y * y
    if x_variance <= 1e-9 * n * xx or y_variance <= 1e-9 * n * yy:  # constant up to rounding
        return 0.0, 0.0
    return n * xy - x * y, math.sqrt(x_variance * y_variance) + n * added


@compiled
def _significance(shared: float, shrinkage: float, form: int) -> float:
    """Return the significance weight, at most 1, of a similarity computed from `shared` columns."""
    if shrinkage <= 0.0 or form == DENOMINATOR:
        return 1.0
    if form == HYPERBOLIC:
        return shared / (shared + shrinkage)
    return min(shared, shrinkage) / shrinkage


class PairTerms(NamedTuple):
    """The arithmetic behind the similarity of two rows x and y, as `compare_with_all` computes it.

    similarity = significance * numerator / denominator, and 0 if the denominator is 0 or there are too few columns. For
    cosine, adjusted cosine and Pearson, numerator = sum x y over the shared columns.

    Args:
        columns: (n,) the shared columns, increasing.
        x: (n,) values of x in them, for Pearson minus their mean over the shared columns.
        y: (n,) likewise of y.
        numerator: Numerator of the similarity, for Pearson divided by n (the document's form).
        denominator: Its denominator, for Pearson divided by n; 0 where the similarity is undefined.
        significance: Factor of the linear and of the hyperbolic shrinkage; 1 without.
        similarity: The result.
    """

    columns: IntArray
    x: FloatArray
    y: FloatArray
    numerator: float
    denominator: float
    significance: float
    similarity: float


def pair_terms(measure: Measure, rows: Rows, columns: IntArray, values: FloatArray, row: int) -> PairTerms:
    """Return the terms of the similarity of the row x that has `values` in `columns` to row `row`.

    The sums are those of `compare_with_all`, and the fraction is formed by the function that it calls.

    Args:
        measure: Similarity and its shrinkage.
        rows: The rows to compare with.
        columns: (n_x,) columns of x, increasing, uint32.
        values: (n_x,) values of x in these columns, float64.
        row: Position of y.
    """
    sums = np.empty((len(rows.size), WIDTHS[measure.kind]))
    similarity = float(compare_with_all(measure, rows, columns, values, sums)[row])
    column_of_entry = np.repeat(np.arange(len(rows.start) - 1), np.diff(rows.start))
    own = rows.row == row
    shared, left, right = np.intersect1d(columns, column_of_entry[own], return_indices=True)
    x, y = values[left], rows.value[own][right].astype(np.float64)
    count = len(shared)
    if count == 0:
        return PairTerms(shared.astype(np.int64), x, y, 0.0, 0.0, 1.0, 0.0)
    own_sums = sums[row]
    lengths = float(np.sqrt(np.sum(values**2)) * rows.length[row])
    added = measure.shrinkage if measure.form == DENOMINATOR else 0.0
    numerator, denominator = _fraction(measure, own_sums, lengths, len(columns), int(rows.size[row]), added)
    significance = _significance(float(own_sums[N]), measure.shrinkage, measure.form)
    if measure.kind == PEARSON:
        numerator, denominator = numerator / count, denominator / count
        x = x - (own_sums[FIRST_X] + own_sums[X] / count)
        y = y - (own_sums[FIRST_Y] + own_sums[Y] / count)
    return PairTerms(shared.astype(np.int64), x, y, numerator, denominator, significance, similarity)
