"""Plan an A/B test: users needed, smallest detectable difference, and what a covariate saves (CUPED).

With a share f of the users in the treatment, standard deviation s, two-sided level a and power 1 - b, a true difference
d of means is detected with N users in total if

    N = (z_{1 - a/2} + z_{1 - b})^2 s^2 / (f (1 - f) d^2)

CUPED subtracts theta (x - mean x), theta = cov(y, x) / var(x), where x is known before the test: the variance falls by
the factor 1 - corr(x, y)^2, and the difference of means stays unbiased.

Source: sample size: van Belle 2008, "Statistical rules of thumb", chapter 2; Deng, Xu, Kohavi and Walker 2013,
"Improving the sensitivity of online controlled experiments by utilizing pre-experiment data", eq. 4 and 5.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.errors import ConfigError, DataError
from recsys_core.text import _

LEVEL, POWER = 0.05, 0.8
FEWEST = 20
"""Users below which a standard deviation is not worth planning with."""


def require_share(name: str, value: float) -> None:
    """Refuse a setting that is not between 0 and 1, both excluded.

    Raises:
        ConfigError: The message names the setting.
    """
    if not 0 < value < 1:
        raise ConfigError(_("The {name} must be between 0 and 1, but it is {value:g}.").format(name=name, value=value))


@dataclass(frozen=True)
class Design:
    """Settings of a test.

    Args:
        level: Probability of a false win or loss of equal variants (two-sided).
        power: Probability to detect a true difference of the planned size.
        treatment: Share of the users in the treatment.
    """

    level: float = LEVEL
    power: float = POWER
    treatment: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("level", self.level), ("power", self.power), ("treatment share", self.treatment)):
            require_share(name, value)
        if self.power <= self.level:
            raise ConfigError(
                _("The power ({power:g}) must be larger than the level ({level:g}).").format(
                    power=self.power, level=self.level
                )
            )

    @property
    def quantiles(self) -> float:
        """z_{1 - a/2} + z_{1 - b}."""
        normal = NormalDist()
        return normal.inv_cdf(1 - self.level / 2) + normal.inv_cdf(self.power)


def users_needed(deviation: float, difference: float, design: Design) -> int:
    """Return the number of users, of both groups together.

    Args:
        deviation: Standard deviation of the values of a user.
        difference: True difference of the means to detect.
        design: The settings.

    Raises:
        ConfigError: The difference is 0, or the deviation is negative.
    """
    if not difference or not math.isfinite(difference):
        raise ConfigError(_("The difference to detect must be a finite number and must not be 0."))
    if not deviation >= 0:
        raise ConfigError(_("The standard deviation must not be negative."))
    share = design.treatment * (1 - design.treatment)
    return max(4, math.ceil(design.quantiles**2 * deviation**2 / (share * difference**2)))


def detectable(deviation: float, users: int, design: Design) -> float:
    """Return the smallest true difference that `users` in total detect with the power of the design.

    Raises:
        ConfigError: There are fewer than two users.
    """
    if users < 2:
        raise ConfigError(_("A test needs at least two users."))
    return design.quantiles * deviation / math.sqrt(design.treatment * (1 - design.treatment) * users)


def cuped(values: FloatArray, covariate: FloatArray) -> FloatArray:
    """Return (U,) the values adjusted by a covariate known before the test; their mean is unchanged.

    Args:
        values: (U,) outcome of each user.
        covariate: (U,) covariate of each user, NaN where it is unknown, which counts as its mean.
    """
    known = ~np.isnan(covariate)
    if not known.any():
        return values.astype(np.float64)
    filled = np.where(known, covariate, covariate[known].mean())
    centered = filled - filled.mean()
    variance = float((centered**2).sum())
    theta = float((centered * (values - values.mean())).sum()) / variance if variance > 0 else 0.0
    adjusted: FloatArray = values - theta * centered
    return adjusted


@dataclass(frozen=True)
class Plan:
    """A plan from stored values.

    Args:
        users: Number of users of the stored values.
        mean: Mean of a user's value.
        deviation: Standard deviation.
        difference: Difference to detect, in the unit of the values.
        needed: Users needed for it, in total.
        detectable: Smallest difference that as many users as stored detect.
        correlation: Correlation of value and covariate; NaN without a covariate.
        needed_cuped: Users needed with CUPED; equal to `needed` without a covariate.
        detectable_cuped: Smallest detectable difference with CUPED, likewise.
        design: The settings.
    """

    users: int
    mean: float
    deviation: float
    difference: float
    needed: int
    detectable: float
    correlation: float
    needed_cuped: int
    detectable_cuped: float
    design: Design

    @property
    def saved(self) -> float:
        """Share of the users that CUPED saves: the squared correlation."""
        return 0.0 if math.isnan(self.correlation) else self.correlation**2


def plan(
    values: FloatArray,
    *,
    difference: float | None = None,
    relative: float | None = None,
    covariate: FloatArray | None = None,
    design: Design | None = None,
) -> Plan:
    """Plan a test whose users are like those of the stored values.

    Args:
        values: (U,) one value per user; NaN is left out.
        difference: Difference of means to detect.
        relative: The difference as a share of the mean, instead.
        covariate: (U,) something known of each user before the test.
        design: The settings; 5 % level, 80 % power and equal groups by default.

    Raises:
        DataError: There are too few values, or they do not vary.
        ConfigError: Not exactly one of `difference` and `relative` is given, or it is 0.
    """
    design = design or Design()
    kept = ~np.isnan(values)
    own = values[kept].astype(np.float64)
    if len(own) < FEWEST:
        raise DataError(
            _("Only {n_own} users have a value; at least {fewest} are needed to plan a test.").format(
                n_own=len(own), fewest=FEWEST
            )
        )
    mean, deviation = float(own.mean()), float(own.std(ddof=1))
    if deviation == 0:
        raise DataError(_("All users have the same value, so no test can be planned with it."))
    if (difference is None) == (relative is None):
        raise ConfigError(_("Give either the difference to detect or its share of the mean."))
    wanted = difference if difference is not None else (relative or 0.0) * mean
    rest, correlation = deviation, math.nan
    if covariate is not None:
        rest = float(cuped(own, covariate[kept]).std(ddof=1))
        correlation = math.sqrt(max(0.0, 1 - (rest / deviation) ** 2))
    return Plan(
        users=len(own),
        mean=mean,
        deviation=deviation,
        difference=wanted,
        needed=users_needed(deviation, wanted, design),
        detectable=detectable(deviation, len(own), design),
        correlation=correlation,
        needed_cuped=users_needed(rest, wanted, design),
        detectable_cuped=detectable(rest, len(own), design),
        design=design,
    )
