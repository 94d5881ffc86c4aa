"""Similarities equal plain loops over the formulas, and the most similar rows are in order."""

import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray
from recsys_core.models.compiled import sparse
from recsys_core.models.most_similar import top_similar
from recsys_core.models.similarity import (
    FORMS,
    KINDS,
    Measure,
    SimilarityName,
    compare_with_all,
    rows_by_column,
    sums_buffer,
)

RATINGS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.sampled_from([np.nan, 0.0, 1.0, 2.0, 3.5, 5.0]),
)
"""(R, C), NaN where there is no rating."""


def test_every_name_has_a_number() -> None:
    assert set(KINDS) == set(get_args(SimilarityName))
    assert len(set(KINDS.values())) == len(KINDS)


@pytest.mark.parametrize("name", KINDS)
@given(
    ratings=RATINGS,
    min_overlap=st.integers(1, 3),
    shrinkage=st.sampled_from([0.0, 2.0, 50.0]),
    form=st.sampled_from(list(FORMS)),
    counted=st.booleans(),
)
def test_equals_the_formula(
    name: str, ratings: FloatArray, min_overlap: int, shrinkage: float, form: str, counted: bool
) -> None:
    found = all_pairs(ratings, Measure(KINDS[name], shrinkage, FORMS[form], min_overlap), counted)
    for x in range(len(ratings)):
        for y in range(len(ratings)):
            shared = ~np.isnan(ratings[x]) & ~np.isnan(ratings[y])
            n = int(shared.sum())
            added = shrinkage if form == "denominator" else 0.0
            expected = _formula(name, ratings[x], ratings[y], shared, added) if n >= min_overlap else 0.0
            if shrinkage > 0 and form != "denominator":
                expected *= n / (n + shrinkage) if form == "hyperbolic" else min(n, shrinkage) / shrinkage
            assert found[x, y] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "dot"])
def test_is_symmetric_and_at_most_one(name: str) -> None:
    rng = np.random.default_rng(0)
    ratings = np.where(rng.random((20, 30)) < 0.5, rng.uniform(0, 5, (20, 30)).astype(np.float32), np.nan)
    found = all_pairs(ratings, Measure(KINDS[name], 0.0, False, 1))
    np.testing.assert_allclose(found, found.T, atol=1e-6)
    assert (np.abs(found) <= 1 + 1e-6).all()
    np.testing.assert_allclose(np.diag(found), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected", "swapped"),
    [
        (1.0, 1.0, 2 / 6, 2 / 6),  # Jaccard
        (0.5, 0.5, 2 * 2 / (3 + 5), 2 * 2 / (3 + 5)),  # Dice
        (0.0, 1.0, 2 / (2 + 3), 2 / (2 + 1)),  # only what the other has counts against it
        (0.25, 0.75, 2 / (2 + 0.25 + 2.25), 2 / (2 + 0.75 + 0.75)),
    ],
)
def test_tversky_counts_what_either_has_alone(alpha: float, beta: float, expected: float, swapped: float) -> None:
    """x has 3 columns, y has 5, and 2 are shared: 1 of x alone and 3 of y alone."""
    rows = np.array([[1, 1, 1, np.nan, np.nan, np.nan], [np.nan, 4, 4, 4, 4, 4]])
    measure = Measure(KINDS["tversky"], 0.0, 0, 1, alpha, beta)
    found = all_pairs(rows, measure)
    assert found[0, 1] == pytest.approx(expected)
    assert found[1, 0] == pytest.approx(swapped)
    np.testing.assert_allclose(all_pairs(rows, measure.swapped()), found.T)


@given(values=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), max_size=12), count=st.integers(1, 8))
def test_the_strongest_come_in_order_and_equal_ones_by_position(values: list[float], count: int) -> None:
    best, strength = np.full(count, -1), np.full(count, np.nan)
    found = top_similar(np.array(values, dtype=np.float64), best, strength)
    expected = sorted((p for p, value in enumerate(values) if value > 0), key=lambda p: (-values[p], p))[:count]
    assert best[:found].tolist() == expected
    assert strength[:found].tolist() == [values[p] for p in expected]


def all_pairs(ratings: FloatArray, measure: Measure, counted: bool = False) -> FloatArray:
    """(R, R) similarities of the rows of a matrix with NaN for no entry."""
    row, column = np.nonzero(~np.isnan(ratings))
    matrix = csr_array((ratings[row, column], (row, column)), shape=ratings.shape)
    rows, vectors = rows_by_column(matrix), sparse(matrix)
    sums = sums_buffer(measure, rows, counted)
    return np.array(
        [
            compare_with_all(measure, rows, vectors.column[a:b], vectors.value[a:b], sums)
            for a, b in zip(vectors.start[:-1], vectors.start[1:], strict=True)
        ]
    )


def _formula(name: str, row_x: FloatArray, row_y: FloatArray, shared: np.ndarray, added: float = 0.0) -> float:
    """Return a similarity as the module's docstring defines it, with numpy's own functions.

    added: Added to the denominator.
    """
    x, y = row_x[shared], row_y[shared]
    if name == "cosine":
        return _or_zero(x @ y, math.sqrt(np.nansum(row_x**2)) * math.sqrt(np.nansum(row_y**2)), added)
    if name in ("adjusted_cosine", "dot"):
        return _or_zero(x @ y, 1.0 if name == "dot" else np.linalg.norm(x) * np.linalg.norm(y), added)
    if name == "pearson":
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            return 0.0
        x, y = x - x.mean(), y - y.mean()
        return _or_zero(x @ y, np.linalg.norm(x) * np.linalg.norm(y), added)
    if name == "msd":
        return len(x) / (len(x) + float(((x - y) ** 2).sum()) + added)
    either = int((~np.isnan(row_x) | ~np.isnan(row_y)).sum())
    return len(x) / ((either if name == "jaccard" else (len(x) + either) / 2) + added)


def _or_zero(numerator: float, denominator: float, added: float) -> float:
    return numerator / (denominator + added) if denominator > 0 else 0.0


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("low", "step"), [(1e6, 1.0), (-1e6, 1.0), (0.001, 1e-4), (250_000.0, 1 / 64), (1.0, 1.0)])
def test_equals_exact_arithmetic_whatever_the_offset(name: str, low: float, step: float) -> None:
    rng = np.random.default_rng(3)
    ratings = low + step * rng.integers(0, 5, (12, 15)).astype(np.float64)
    ratings = ratings.astype(np.float32).astype(np.float64)  # as precise as they are stored
    ratings[rng.random((12, 15)) < 0.3] = np.nan
    ratings[3] = np.where(np.isnan(ratings[3]), np.nan, np.float32(low + step))  # a user with zero std
    found = all_pairs(ratings, Measure(KINDS[name], 0.0, False, 1))
    for x in range(12):
        for y in range(12):
            assert found[x, y] == pytest.approx(_exact(name, ratings[x], ratings[y]), abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("shift", [1e3, 1e6, -1e6])
def test_pearson_and_msd_do_not_change_when_all_ratings_are_shifted(shift: float) -> None:
    rng = np.random.default_rng(4)
    ratings = np.where(rng.random((20, 30)) < 0.6, rng.integers(1, 6, (20, 30)).astype(np.float64), np.nan)
    for name in ("pearson", "msd"):
        measure = Measure(KINDS[name], 0.0, False, 1)
        np.testing.assert_allclose(all_pairs(ratings + shift, measure), all_pairs(ratings, measure), atol=1e-12)


def _exact(name: str, row_x: FloatArray, row_y: FloatArray) -> float:
    """Return a similarity in fractions; only roots are rounded."""
    shared = ~np.isnan(row_x) & ~np.isnan(row_y)
    x, y = [Fraction(v) for v in row_x[shared]], [Fraction(v) for v in row_y[shared]]
    n = len(x)
    if n == 0:
        return 0.0
    if name == "tversky":  # Dice by default
        return 2 * n / int((~np.isnan(row_x)).sum() + (~np.isnan(row_y)).sum())
    if name == "jaccard":
        return n / int((~np.isnan(row_x) | ~np.isnan(row_y)).sum())
    if name == "msd":
        return float(n / (n + sum((a - b) ** 2 for a, b in zip(x, y, strict=True))))
    if name == "pearson":
        x, y = [a - sum(x) / n for a in x], [b - sum(y) / n for b in y]
    product = sum(a * b for a, b in zip(x, y, strict=True))
    if name == "dot":
        return float(product)
    if name == "cosine":  # lengths are over all entries
        x, y = ([Fraction(v) for v in row[~np.isnan(row)]] for row in (row_x, row_y))
    squares = sum(a * a for a in x) * sum(b * b for b in y)
    return float(product) / math.sqrt(squares) if squares else 0.0
