"""Lesson 11 by hand: Ana watched Comet and Dunes, Ben these and Ember, Dev Fjord; Ana trusts Dev, who trusts Emi."""

import math

import pytest

from tests.lessons import numbers_of, scene_of


def test_taste_alone() -> None:
    """Cosines: Ben 2 / sqrt(2 * 3), Cleo 1 / sqrt(2 * 2), Dev 0."""
    numbers = numbers_of("friends", "taste")
    assert numbers.weights == numbers.similarities
    assert numbers.weights[:3] == pytest.approx((2 / math.sqrt(6), 0.5, 0.0))


@pytest.mark.parametrize(("mix", "nearest"), [(0.4, "Ben"), (0.5, "Dev")])
def test_the_trust_share_decides_who_is_nearest(mix: float, nearest: str) -> None:
    """Ben (1 - m) 0.816 against Dev m: equal at m = 0.449."""
    numbers = numbers_of("friends", "mix", mix=mix)
    assert numbers.weights[0] == pytest.approx((1 - mix) * 2 / math.sqrt(6))
    assert numbers.weights[2] == pytest.approx(mix)
    assert scene_of("friends", "mix", mix=mix).answer == nearest


@pytest.mark.parametrize(("hops", "trust", "answer"), [(1, 0.0, "0"), (2, 0.5, "0.5")])
def test_a_friend_of_a_friend_counts_half(hops: int, trust: float, answer: str) -> None:
    assert numbers_of("friends", "hops", hops=hops).trust[3] == trust
    assert scene_of("friends", "hops", hops=hops).answer == answer


def test_the_film_of_the_friend_leads_with_enough_trust() -> None:
    """m = 0.7: Fjord 0.7 from Dev; Ember 0.3 (0.816 + 0.5) from Ben and Cleo."""
    numbers = numbers_of("friends", "share", mix=0.7)
    assert numbers.scores[3] == pytest.approx(0.7)
    assert numbers.scores[2] == pytest.approx(0.3 * (2 / math.sqrt(6) + 0.5))
    assert (numbers.leader, numbers.friends_share) == ("Fjord", pytest.approx(1.0))
    assert numbers_of("friends", "share", mix=0.3).leader == "Ember"


def test_without_links_taste_decides_although_trust_alone_counts() -> None:
    numbers = numbers_of("friends", "alone")
    assert numbers.weights == numbers.similarities
    assert scene_of("friends", "alone").answer == "taste"
    formula = scene_of("friends", "alone").formula
    assert formula is not None
    assert formula.numbers.startswith(r"\lit1{0.82} = (1 - \lit2{0})")


def test_without_any_common_film_and_link_nobody_votes() -> None:
    watched = ((None, None, None, None, 1), *((1, None, None, None, None),) * 7)
    scene = scene_of("friends", "alone", watched=watched)
    assert scene.answer == "empty"
    assert "No neighbor votes" in scene.finding
    assert scene_of("friends", "mix", watched=watched, links=((None,) * 8,) * 8).answer == "none"
