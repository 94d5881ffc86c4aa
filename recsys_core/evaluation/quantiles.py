"""Quantiles for two-sided intervals.

The functions of `scipy.special` are those that `scipy.stats` calls, without half a second for loading it.
"""

from scipy import special

from recsys_core.contracts import FloatArray, IntArray


def normal_quantile(confidence: float) -> float:
    """Return z with P(|Z| < z) = `confidence` for a standard normal Z."""
    return float(-special.ndtri((1.0 - confidence) / 2.0))


def student_quantiles(confidence: float, freedom: IntArray | FloatArray) -> FloatArray:
    """Return t with P(|T| < t) = `confidence` for Student's T, for each number of degrees of freedom; NaN for 0."""
    quantiles: FloatArray = -special.stdtrit(freedom, (1.0 - confidence) / 2.0)
    return quantiles


def student_quantile(confidence: float, freedom: float) -> float:
    """Return t with P(|T| < t) = `confidence` for Student's T with `freedom` degrees of freedom; NaN for 0."""
    return float(-special.stdtrit(freedom, (1.0 - confidence) / 2.0))
