"""Quantiles for intervals equal those of `scipy.stats`."""

import numpy as np
import pytest
from scipy import stats

from recsys_core.evaluation.quantiles import normal_quantile, student_quantile, student_quantiles


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_quantiles_are_those_of_scipy(confidence: float) -> None:
    freedom = np.arange(400)
    tail = (1 - confidence) / 2
    assert normal_quantile(confidence) == stats.norm.isf(tail)
    assert student_quantile(confidence, 7.5) == stats.t.isf(tail, 7.5)
    np.testing.assert_array_equal(student_quantiles(confidence, freedom), stats.t.isf(tail, freedom))
