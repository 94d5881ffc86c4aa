"""Lesson 3 by hand: Ana gave Comet (drama, space) 5, Ember (comedy, space) 4, Fjord (coast, drama) 2; mean 11/3."""

import math

import pytest

from tests.lessons import numbers_of, scene_of

COMET, EMBER = 1 + 4 / 3, 1 + 1 / 3
"""Weights of the liked films: 1 + rating - mean."""
LENGTH = math.sqrt(COMET**2 + EMBER**2 + (COMET + EMBER) ** 2)
"""Of (comedy, drama, space) = (Ember, Comet, both), each over the same sqrt(2)."""


def test_the_profile_is_the_weighted_mean_of_the_liked_films() -> None:
    numbers = numbers_of("content", "vectors")
    assert numbers.vectors[0] == pytest.approx((0, 0, 0, 1 / math.sqrt(2), 1 / math.sqrt(2)))
    expected = (0, EMBER / LENGTH, 0, COMET / LENGTH, (COMET + EMBER) / LENGTH)
    assert numbers.profile == pytest.approx(expected)


def test_the_cosine_of_dunes_is_its_share_of_space() -> None:
    numbers = numbers_of("content", "leader")
    assert numbers.scores[1] == pytest.approx((COMET + EMBER) / LENGTH / math.sqrt(2))
    assert numbers.shares == ((4, pytest.approx(numbers.scores[1])),)
    assert scene_of("content", "leader").answer == "Dunes"


def test_a_disliked_film_counts_against_its_tags() -> None:
    """Deviations 4/3, 1/3, -5/3: coast is negative, so Haven (coast, comedy) falls below 0."""
    assert numbers_of("content", "liking").scores[5] > 0
    numbers = numbers_of("content", "liking", liking="deviation")
    assert numbers.profile[0] == pytest.approx(-5 / 3 / math.sqrt((5 / 3) ** 2 * 2 + (1 / 3) ** 2 * 2))
    assert numbers.scores[5] < 0


def test_a_film_without_a_common_tag_has_the_score_0() -> None:
    assert numbers_of("content", "new").scores[5] == 0.0
    assert scene_of("content", "new").answer == "zero"


def test_without_tags_or_ratings_there_is_no_score() -> None:
    for changed in ({"tags": ((None,) * 5,) * 6}, {"ratings": ((None,) * 6,)}):
        scene = scene_of("content", "leader", **changed)
        assert scene.answer == "none"
        assert scene.formula is None
    assert scene_of("content", "leader", ratings=((5, 4, 3, 2, 1, 5),)).answer == "none"
