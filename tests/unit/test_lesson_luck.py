"""Lesson 13 by hand: a sign-flip test by enumeration, Holm's steps, and the number of users needed."""

from itertools import product

import numpy as np
import pytest

from recsys_core.lessons.luck import METRIC, sample
from tests.lessons import numbers_of, scene_of


def test_the_p_value_is_the_share_of_sign_assignments() -> None:
    """All 2^10 assignments of signs to the differences of ten users, two-sided."""
    frames = sample(10, 0.1, 9)
    differences = (frames["B"][0][METRIC] - frames["A"][0][METRIC]).to_numpy()
    sums = np.array([np.dot(signs, differences) for signs in product((1, -1), repeat=10)])
    observed = differences.sum()
    one_sided = min((sums >= observed - 1e-12).mean(), (sums <= observed + 1e-12).mean())
    numbers = numbers_of("luck", "test", users=10, true=0.1)
    assert numbers.difference == pytest.approx(differences.mean())
    assert numbers.p == pytest.approx(min(1.0, 2 * one_sided))
    assert numbers.different == (numbers.p < 0.05)


@pytest.mark.parametrize("true", [0.0, 0.02, 0.1])
def test_the_stated_true_difference_is_true(true: float) -> None:
    """The mean of 400,000 users has a standard error of 0.0003; values cut off at 0 and 1 would give 0.092 for 0.1."""
    frames = sample(400_000, true, 1, trainings=2)
    plain = sample(400_000, true, 1)
    assert (plain["B"][0][METRIC] - plain["A"][0][METRIC]).mean() == pytest.approx(true, abs=0.001)
    assert (plain["B"][0][METRIC] - plain["A"][0][METRIC]).std() == pytest.approx(0.12 * 2**0.5, rel=0.01)
    for frame in (*frames["A"], *frames["B"], *plain["A"], *plain["B"]):
        assert 0 <= frame[METRIC].min() < frame[METRIC].max() <= 1


def test_users_needed_for_a_true_difference() -> None:
    """(1.959964 + 0.841621)^2 * 2 * 0.12^2 / 0.02^2 = 565.1."""
    assert numbers_of("luck", "users").needed == 566
    assert numbers_of("luck", "users", true=0.0).needed == float("inf")
    detectable = numbers_of("luck", "users").detectable
    assert detectable[100] == pytest.approx(2 * detectable[25] / 4)


def test_holm_multiplies_the_smallest_by_their_number() -> None:
    numbers = numbers_of("luck", "many")
    order = np.argsort(numbers.p_values)
    assert numbers.p_holm[order[0]] == pytest.approx(min(1.0, 10 * numbers.p_values[order[0]]))
    assert numbers.p_holm[order[1]] == pytest.approx(
        max(numbers.p_holm[order[0]], min(1.0, 9 * numbers.p_values[order[1]]))
    )
    assert scene_of("luck", "many").answer == "yes"
    assert min(numbers.p_holm) > 0.05


def test_the_leader_of_a_small_sample_changes() -> None:
    numbers = numbers_of("luck", "sample")
    (first_a, first_b), (second_a, second_b) = numbers.means
    assert first_b > first_a
    assert second_b < second_a
    assert scene_of("luck", "sample").answer == "no"
    assert scene_of("luck", "sample", users=1000, true=0.1).answer == "yes"


def test_two_trainings_widen_the_interval() -> None:
    """One training hides the variation between trainings."""
    widths = numbers_of("luck", "trainings").widths
    assert len(widths) == 4
    assert widths[1] > widths[0]


@pytest.mark.parametrize(
    ("users", "true", "number", "words"),
    [(1000, 0.01, 5, "is 0.01 (0.003 to 0.02), p = "), (10, 0.0, 1, "is 0.0 (-0.2 to 0.2), p = ")],
)
def test_decimals_follow_the_interval(users: int, true: float, number: int, words: str) -> None:
    """An interval of 0.0025 to 0.0236 has two decimals, and an end that is not 0 does not read as 0."""
    assert words in scene_of("luck", "test", users=users, true=true, sample=number).finding


@pytest.mark.parametrize(
    ("step", "values", "words"),
    [
        ("sample", {"users": 1000}, "in the next one of 1,000 users."),
        ("users", {"true": 0.01}, "Detecting a true difference of 0.01 with a power of 80 % takes about 2,270 users."),
        ("many", {"models": 1}, "although there is no true difference: 0 of 1; after Holm's correction: 0."),
        ("trainings", {}, "wide and leaves out the variation between trainings; with two it is "),
    ],
)
def test_a_finding_is_a_sentence_for_any_number(step: str, values: dict[str, float], words: str) -> None:
    assert words in scene_of("luck", step, **values).finding
