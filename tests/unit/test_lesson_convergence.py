"""Lesson 7 by hand; the ratings are those of lesson 5."""

import math

import pytest

from recsys_core.lessons.neighbors import RATINGS
from tests.lessons import numbers_of, scene_of


def test_round_1_is_the_weighted_mean_of_three_neighbors() -> None:
    """Grove for Ana: Cleo 3, Ben 4, Emi 2, weighted by their cosines with Ana."""
    cleo = (20 + 16 + 4 + 10) / math.sqrt(46 * 107)
    ben = 26 / math.sqrt(46 * 31)
    emi = (20 + 8) / math.sqrt(46 * 46)
    numbers = numbers_of("convergence", "gaps")
    expected = (3 * cleo + 4 * ben + 2 * emi) / (cleo + ben + emi)
    assert numbers.score == pytest.approx(expected)
    assert numbers.table[0][4] == pytest.approx(expected, abs=1e-6)
    assert dict(numbers.voters)[1] == pytest.approx(4 * ben / (cleo + ben + emi))


def test_the_change_of_round_2_is_that_of_the_two_tables() -> None:
    first, second = (numbers_of("convergence", "again", round=number).table for number in (1, 2))
    changes = [abs(a - b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True)]
    numbers = numbers_of("convergence", "again")
    assert numbers.largest[0] == pytest.approx(max(changes))
    assert numbers.mean[0] == pytest.approx(sum(changes) / 36)
    assert scene_of("convergence", "again").answer == "falls"


@pytest.mark.parametrize(("tolerance", "rounds"), [(0.5, "3"), (0.01, "4")])
def test_a_larger_tolerance_needs_fewer_rounds(tolerance: float, rounds: str) -> None:
    """Largest changes 1.158, 0.042, 0.0009 in rounds 2, 3, 4."""
    assert numbers_of("convergence", "tolerance").largest[:3] == pytest.approx((1.1582, 0.0422, 0.00086), abs=1e-4)
    assert scene_of("convergence", "tolerance", tolerance=tolerance).answer == rounds


def test_a_single_neighbor_alternates_for_ever() -> None:
    numbers = numbers_of("convergence", "one")
    assert numbers.rounds is None
    assert numbers.largest[-1] == numbers.largest[-3] == 4.0
    assert numbers.cell[3:] == (1.0, 4.0, 1.0, 4.0, 1.0)
    assert scene_of("convergence", "one").answer == "no"


def test_an_unknown_user_gets_the_same_predictions() -> None:
    numbers = numbers_of("convergence", "stranger")
    assert numbers.stranger[0] == numbers.stranger[1]
    assert scene_of("convergence", "stranger").answer == "yes"


def test_without_similar_users_there_is_no_prediction() -> None:
    ratings = [(None,) * 6, *RATINGS[1:]]
    scene = scene_of("convergence", "gaps", ratings=ratings)
    assert scene.formula is None
    assert "No neighbor of Ana rated Grove" in scene.finding
