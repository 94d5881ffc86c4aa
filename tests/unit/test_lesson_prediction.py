"""Lesson 6 by hand: Haven was rated by Cleo 5, Dev 4, Emi 1, Finn 5; cosines with Ana over all their ratings."""

import math

import pytest

from recsys_core.lessons.neighbors import RATINGS
from tests.lessons import numbers_of, scene_of


def cosine(user: int) -> float:
    ana, other = RATINGS[0], RATINGS[user]
    product = sum(x * y for x, y in zip(ana, other, strict=True) if x is not None and y is not None)
    return product / math.hypot(*(x for x in ana if x)) / math.hypot(*(y for y in other if y))


CLEO, DEV, EMI, FINN = (cosine(user) for user in (2, 3, 4, 5))


def test_the_two_most_similar_raters_vote() -> None:
    numbers = numbers_of("prediction", "mean")
    assert numbers.voters == (2, 3)
    assert numbers.similarities == pytest.approx([CLEO, DEV], abs=1e-6)
    assert numbers.predictions[0] == pytest.approx((CLEO * 5 + DEV * 4) / (CLEO + DEV), abs=1e-5)


def test_each_k_adds_a_rater() -> None:
    predictions = numbers_of("prediction", "k").predictions
    everybody = (CLEO * 5 + DEV * 4 + EMI * 1 + FINN * 5) / (CLEO + DEV + EMI + FINN)
    three = (CLEO * 5 + DEV * 4 + EMI * 1) / (CLEO + DEV + EMI)
    assert predictions == pytest.approx([5, predictions[1], three, everybody, everybody], abs=1e-5)
    assert scene_of("prediction", "k").answer == "higher"


def test_mean_centering_votes_with_deviations() -> None:
    """Cleo's mean is 25 / 6, Dev's 3, Ana's 3."""
    numbers = numbers_of("prediction", "centering")
    assert numbers.votes == pytest.approx([5 - 25 / 6, 4 - 3], abs=1e-5)
    assert numbers.predictions[0] == pytest.approx(3 + (CLEO * (5 - 25 / 6) + DEV) / (CLEO + DEV), abs=1e-5)
    assert scene_of("prediction", "centering").answer == "lower"


def test_z_scores_use_both_spreads() -> None:
    """Ana 5, 4, 1, 2: spread sqrt(2.5); Dev 5, 1, 2, 4 has the same."""
    numbers = numbers_of("prediction", "centering", centering="zscore")
    assert numbers.spread == pytest.approx(math.sqrt(2.5), abs=1e-5)
    assert numbers.votes[1] == pytest.approx(1 / math.sqrt(2.5), abs=1e-5)


@pytest.mark.parametrize(("k", "answer"), [(1, "large"), (2, "large"), (5, "medium")])
def test_one_wrong_rating_carries_a_small_neighborhood(k: int, answer: str) -> None:
    assert scene_of("prediction", "mistake", k=k).answer == answer


def test_a_film_without_raters_has_no_terms() -> None:
    ratings = [(*row[:5], None) for row in RATINGS]
    scene = scene_of("prediction", "mean", ratings=ratings)
    assert scene.formula is None
