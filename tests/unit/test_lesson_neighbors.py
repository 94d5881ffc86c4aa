"""Lesson 5 by hand.

     Comet Dunes Ember Fjord Grove Haven
Ana    5     4     1     2     -     -
Ben    3     2     1     1     4     -
Cleo   4     4     4     5     3     5
Emi    -     5     -     4     2     1
"""

import math

import pytest

from recsys_core.lessons.neighbors import RATINGS
from tests.lessons import numbers_of, scene_of


def test_cosine_of_ana_and_ben() -> None:
    """Products 15 + 8 + 1 + 2 = 26; lengths sqrt(46) over Ana's films and sqrt(31) over all of Ben's."""
    numbers = numbers_of("neighbors", "rows")
    assert numbers.terms.numerator == pytest.approx(26)
    assert numbers.terms.denominator == pytest.approx(math.sqrt(46 * 31))
    assert numbers.similarities["cosine"][0] == pytest.approx(26 / math.sqrt(46 * 31))
    assert numbers.nearest["cosine"] == "Cleo"


def test_pearson_of_ana_and_ben() -> None:
    """Means 3 and 1.75: deviations (2, 1, -2, -1) and (1.25, 0.25, -0.75, -0.75); 5 / sqrt(10 * 2.75)."""
    numbers = numbers_of("neighbors", "measure")
    assert numbers.terms.x == pytest.approx([2, 1, -2, -1])
    assert numbers.terms.y == pytest.approx([1.25, 0.25, -0.75, -0.75])
    assert numbers.terms.numerator == pytest.approx(5)
    assert numbers.terms.similarity == pytest.approx(5 / math.sqrt(10 * 2.75))
    assert numbers.nearest == {"cosine": "Cleo", "pearson": "Emi"}
    assert scene_of("neighbors", "measure").answer == "Emi"


def test_adjusted_cosine_of_ana_and_emi() -> None:
    """Means of Dunes 18 / 6 = 3, of Fjord 16 / 5 = 3.2; (1 * 2 - 1.2 * 0.8) / sqrt((1 + 1.44) (4 + 0.64))."""
    numbers = numbers_of("neighbors", "measure", measure="adjusted_cosine", other="Emi")
    assert numbers.terms.x == pytest.approx([1, -1.2])
    assert numbers.terms.similarity == pytest.approx(1.04 / math.sqrt(2.44 * 4.64))
    assert numbers.nearest["adjusted_cosine"] == "Ben"


def test_two_shared_films_correlate_fully() -> None:
    """Emi's rating of Dunes against 4 for Fjord: below, equal, above."""
    numbers = numbers_of("neighbors", "chance")
    assert numbers.possible == (-1.0, 0.0, 1.0)
    assert scene_of("neighbors", "chance").answer == "ends"


def test_a_third_shared_film_allows_other_values() -> None:
    ratings = [list(row) for row in RATINGS]
    ratings[4][0] = 3
    assert scene_of("neighbors", "chance", ratings=ratings).answer == "any"


@pytest.mark.parametrize(("beta", "emi", "nearest"), [(2, 1.0, "Emi"), (3, 2 / 3, "Ben"), (4, 0.5, "Ben")])
def test_shrinkage_halves_a_similarity_of_two_films(beta: float, emi: float, nearest: str) -> None:
    """min(2, beta) / beta; Ben shares four films and keeps 0.953 up to beta = 4."""
    numbers = numbers_of("neighbors", "shrinkage", shrinkage=beta, other="Emi")
    assert numbers.terms.significance == pytest.approx(emi)
    assert numbers.similarities["pearson"][3] == pytest.approx(emi)
    assert numbers.nearest["pearson"] == nearest


def test_without_shared_films_there_is_no_neighbor() -> None:
    ratings = [(None,) * 6, *RATINGS[1:]]
    scene = scene_of("neighbors", "rows", ratings=ratings)
    assert "Ana shares no rated item with any other user" in scene.impossible
