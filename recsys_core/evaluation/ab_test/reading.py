"""Read a finished test from counts: differences with intervals, p-values, and the sample-ratio check.

Proportions: the interval of a difference is Newcombe's hybrid of two Wilson intervals, the p-value that of the score
test; Fisher's exact test where an expected count is below 5. Means: Welch's t test. With several treatments, p-values
are corrected by Holm, and intervals are simultaneous (Bonferroni). A difference is called significant only if p and
the interval agree; where they do not, the sentence says so.

A sample-ratio mismatch (SRM) is a chi-square test of the group sizes against the planned shares with p below 0.001;
what caused it also distorts the result, so the result is not read.

Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10; Welch 1947;
Holm 1979; Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online controlled experiments".
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from recsys_core.errors import DataError
from recsys_core.evaluation.ab_test.planner import require_share
from recsys_core.evaluation.ab_test.replay import welch_p
from recsys_core.evaluation.quantiles import normal_quantile, student_quantile
from recsys_core.evaluation.sentences import decimals_for, ends, interval_text
from recsys_core.evaluation.significance import holm
from recsys_core.text import Sentence, Template, _, whole

SRM_LEVEL = 0.001
FEWEST_EXPECTED = 5.0

HIGHER = Template("{name} is higher than {control} by {difference} ({interval}; {level}, p {p}).")
LOWER = Template("{name} is lower than {control} by {difference} ({interval}; {level}, p {p}).")
RELATIVE = Template("Relative to {control}, {name} changes by {relative} ({interval}; {level}).")
NO_DIFFERENCE = Template(
    "No significant difference between {name} and {control} (p {p}). The true difference may be anywhere from "
    "{interval} ({level})."
)
INTERVAL_HAS_ZERO = Template(
    "Whether {name} differs from {control} is open: the test finds a difference of {difference} (p {p}), but the "
    "interval, {interval} ({level}), contains 0."
)
INTERVAL_WITHOUT_ZERO = Template(
    "Whether {name} differs from {control} is open: the test finds no significant difference (p {p}), but the "
    "interval, {interval} ({level}), does not contain 0."
)
MISMATCH = Template(
    "Sample-ratio mismatch: the groups have {sizes} users where {expected} were expected (p {p}). Some users were lost "
    "or counted in one group only, so the difference below may have the same cause. Find it before you decide."
)
NO_MISMATCH = Template("The group sizes agree with the planned shares (p {p}).")


@dataclass(frozen=True)
class Arm:
    """Counts of a variant.

    Args:
        name: Its name.
        users: Number of users assigned.
        mean: Share of users who converted, or mean of the values.
        deviation: Standard deviation of the values; None for a proportion.
    """

    name: str
    users: int
    mean: float
    deviation: float | None = None


def proportion(name: str, users: int, successes: int) -> Arm:
    """Return the counts of a variant whose users convert or do not.

    Raises:
        DataError: The counts are impossible.
    """
    if users < 1 or not 0 <= successes <= users:
        raise DataError(
            _("'{name}': {successes:,} of {users:,} users is impossible.").format(
                name=name, successes=successes, users=users
            )
        )
    return Arm(name, users, successes / users)


def mean(name: str, users: int, average: float, deviation: float) -> Arm:
    """Return the numbers of a variant with values per user.

    Raises:
        DataError: They are impossible.
    """
    if users < 2 or not deviation >= 0 or not math.isfinite(average):
        raise DataError(
            _("'{name}': a mean needs at least two users and a standard deviation of at least 0.").format(name=name)
        )
    return Arm(name, users, average, deviation)


@dataclass(frozen=True)
class Effect:
    """A treatment against the control.

    Args:
        name: The treatment.
        difference: Of the means, treatment minus control.
        low: Lower end of its interval.
        high: Upper end.
        relative: Difference relative to the control, with `relative_low` and `relative_high` (delta method for the
            logarithm of the ratio); NaN unless both means are above 0.
        p: p-value, corrected for the number of treatments.
        significant: Whether p is below the level and the interval does not contain 0.
        undecided: Whether only one of the two is so.
        exact: Whether Fisher's exact test was used.
    """

    name: str
    difference: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p: float
    significant: bool
    undecided: bool
    exact: bool


@dataclass(frozen=True)
class Reading:
    """A finished test.

    Args:
        arms: The variants, control first.
        effects: One per treatment.
        srm_p: p-value of the group sizes.
        shares: Planned share of each variant.
        level: Level of the tests.
        sentences: What the numbers say; the sample-ratio check first.
    """

    arms: tuple[Arm, ...]
    effects: tuple[Effect, ...]
    srm_p: float
    shares: tuple[float, ...]
    level: float
    sentences: tuple[Sentence, ...]

    @property
    def mismatch(self) -> bool:
        """Whether the group sizes contradict the planned shares."""
        return self.srm_p < SRM_LEVEL


def sample_ratio(users: Sequence[int], shares: Sequence[float]) -> float:
    """Return the p-value of group sizes under planned shares (chi-square test).

    Raises:
        DataError: A share is not above 0, or there are no users.
    """
    total = sum(users)
    if not total or min(shares) <= 0:
        raise DataError(_("The sample-ratio check needs users, and planned shares above 0."))
    expected = total * np.array(shares) / sum(shares)
    statistic = float(((np.array(users) - expected) ** 2 / expected).sum())
    return float(scipy.stats.chi2.sf(statistic, len(users) - 1))


def read_test(arms: Sequence[Arm], shares: Sequence[float] | None = None, *, level: float = 0.05) -> Reading:
    """Read a finished test.

    Args:
        arms: The variants, control first; all proportions or all means.
        shares: Planned share of each; equal by default.
        level: Level of the tests, between 0 and 1, both excluded.

    Raises:
        ConfigError: The level is not between 0 and 1.
        DataError: There is no treatment, kinds are mixed, two variants have one name, the counts are impossible, or
            values do not vary.
    """
    require_share("level", level)
    if len(arms) < 2:
        raise DataError(_("A test has a control and at least one treatment."))
    if len({arm.deviation is None for arm in arms}) > 1:
        raise DataError(_("All variants must be proportions, or all of them means."))
    names = Counter(arm.name.strip() for arm in arms)
    if twice := [name for name, count in names.items() if count > 1]:
        raise DataError(_("Two variants have the name '{name}'; give each its own.").format(name=twice[0]))
    shares = [1.0] * len(arms) if shares is None else list(shares)
    if len(shares) != len(arms):
        raise DataError(
            _("There are {n_arms} variants, but {n_shares} planned shares.").format(
                n_arms=len(arms), n_shares=len(shares)
            )
        )
    control, treatments = arms[0], arms[1:]
    confidence = 1 - level / len(treatments)
    raw = [_p(control, arm) for arm in treatments]
    corrected = holm(np.array([p for p, _ in raw])).tolist()
    effects = tuple(
        _effect(control, arm, p, exact=exact, level=level, confidence=confidence)
        for arm, p, (_, exact) in zip(treatments, corrected, raw, strict=True)
    )
    srm = sample_ratio([arm.users for arm in arms], shares)
    planned = tuple(share / sum(shares) for share in shares)
    told = [sentence for one in effects for sentence in _sentences(control, one, level)]
    sentences = (_ratio_sentence(arms, planned, srm), *told)
    return Reading(tuple(arms), effects, srm, planned, level, sentences)


def _effect(control: Arm, arm: Arm, p: float, *, exact: bool, level: float, confidence: float) -> Effect:
    difference = arm.mean - control.mean
    low, high = _interval(control, arm, confidence)
    shown = low > 0 or high < 0
    relative = _relative(control, arm, confidence)
    return Effect(arm.name, difference, low, high, *relative, p, p < level and shown, (p < level) != shown, exact)


def _relative(control: Arm, arm: Arm, confidence: float) -> tuple[float, float, float]:
    """Return the relative change and its interval: exp(ln(ratio) -+ z se) - 1, se^2 = sum of s^2 / (n mean^2)."""
    if control.mean <= 0 or arm.mean <= 0:
        return math.nan, math.nan, math.nan
    spread = 0.0
    for one in (control, arm):
        variance = one.mean * (1 - one.mean) if one.deviation is None else one.deviation**2
        spread += variance / (one.users * one.mean**2)
    half = normal_quantile(confidence) * math.sqrt(spread)
    ratio = arm.mean / control.mean
    return ratio - 1, ratio * math.exp(-half) - 1, ratio * math.exp(half) - 1


def _p(control: Arm, arm: Arm) -> tuple[float, bool]:
    """Return the p-value of a treatment, and whether it is from the exact test."""
    if control.deviation is not None and arm.deviation is not None:
        if not arm.deviation and not control.deviation:
            raise DataError(
                _("Two variants have a standard deviation of 0: without variation between users no test is possible.")
            )
        numbers = (arm.users, arm.mean, arm.deviation**2, control.users, control.mean, control.deviation**2)
        return float(welch_p(*(np.array([float(number)]) for number in numbers))[0]), False
    wins = [round(one.mean * one.users) for one in (arm, control)]
    both, total = sum(wins), arm.users + control.users
    if min(both, total - both) * min(arm.users, control.users) / total < FEWEST_EXPECTED:
        table = [[wins[0], arm.users - wins[0]], [wins[1], control.users - wins[1]]]
        return float(scipy.stats.fisher_exact(table).pvalue), True
    pooled = both / total
    error = math.sqrt(pooled * (1 - pooled) * (1 / arm.users + 1 / control.users))
    return float(2 * scipy.stats.norm.sf(abs(arm.mean - control.mean) / error)), False


def _interval(control: Arm, arm: Arm, confidence: float) -> tuple[float, float]:
    difference = arm.mean - control.mean
    if control.deviation is not None and arm.deviation is not None:
        one, two = arm.deviation**2 / arm.users, control.deviation**2 / control.users
        freedom = (one + two) ** 2 / (one**2 / (arm.users - 1) + two**2 / (control.users - 1))
        half = student_quantile(confidence, freedom) * math.sqrt(one + two)
        return difference - half, difference + half
    (low1, high1), (low2, high2) = (_wilson(one, confidence) for one in (arm, control))
    low = difference - math.hypot(arm.mean - low1, high2 - control.mean)
    high = difference + math.hypot(high1 - arm.mean, control.mean - low2)
    return low, high


def _wilson(arm: Arm, confidence: float) -> tuple[float, float]:
    """Return the interval of a share from counts; `intervals.score_interval` takes a value of each user."""
    z = normal_quantile(confidence)
    n, share = arm.users, arm.mean
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, center - half), min(1.0, center + half)


def _ratio_sentence(arms: Sequence[Arm], shares: Sequence[float], p: float) -> Sentence:
    if p >= SRM_LEVEL:
        return NO_MISMATCH.fill(p=_p_text(p))
    total = sum(arm.users for arm in arms)
    sizes = " / ".join(whole(arm.users) for arm in arms)
    expected = " / ".join(whole(total * share) for share in shares)
    return MISMATCH.fill(sizes=sizes, expected=expected, p=_p_text(p))


def _sentences(control: Arm, effect: Effect, level: float) -> list[Sentence]:
    decimals = decimals_for(effect.low, effect.high) + 1
    names = {"name": effect.name, "control": control.name, "level": f"{100 * (1 - level):.4g}%"}
    values = names | {"p": _p_text(effect.p), "interval": interval_text(effect.low, effect.high, decimals)}
    if effect.undecided:
        template = INTERVAL_WITHOUT_ZERO if effect.low > 0 or effect.high < 0 else INTERVAL_HAS_ZERO
        return [template.fill(difference=f"{effect.difference:+.{decimals}f}", **values)]
    if not effect.significant:
        return [NO_DIFFERENCE.fill(**values)]
    template = HIGHER if effect.difference > 0 else LOWER
    told = [template.fill(difference=f"{abs(effect.difference):.{decimals}f}", **values)]
    if not math.isnan(effect.relative):
        least, most = 100 * effect.relative_low, 100 * effect.relative_high
        decimals = max(1, decimals_for(least, most))
        low, high = (f"{'' if end.startswith('-') else '+'}{end}%" for end in ends(least, most, decimals))
        interval = _("{low} to {high}").format(low=low, high=high)
        told.append(RELATIVE.fill(relative=f"{effect.relative:+.{decimals}%}", interval=interval, **names))
    return told


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
