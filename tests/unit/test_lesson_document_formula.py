"""Lesson 4 by hand.

     Comet Dunes Ember Fjord Grove
Ana    5     -     4     -     -
Ben    4     5     -     3     -
Cleo   -     4     5     -     1
Dev    2     -     -     4     -
Emi    4     4     3     -     -
"""

import pytest

from recsys_core.lessons.document_formula import RATINGS
from recsys_core.lessons.own.registry import own_lesson
from recsys_core.lessons.own.table import read_table
from recsys_core.lessons.picture import Bars
from tests.lessons import numbers_of, scene_of


def test_the_terms_of_dunes_for_ana() -> None:
    """(9 + 4.5 + 13/3) / (2 + 3); two ratings of Ana, three of Dunes."""
    terms = numbers_of("document_formula", "terms").terms[1]
    assert (terms.ratings, terms.user_mean, terms.own, terms.raters, terms.divisor) == (9, 4.5, 2, 3, 5)
    assert terms.item_mean == pytest.approx(13 / 3)
    assert terms.score == pytest.approx((9 + 4.5 + 13 / 3) / 5)


def test_the_sum_is_the_same_for_every_film() -> None:
    numbers = numbers_of("document_formula", "sum", user="Ben")
    assert [terms.ratings for terms in numbers.terms] == [12.0] * 5
    assert scene_of("document_formula", "sum").answer == "not_item"


def test_the_film_with_a_single_bad_rating_leads() -> None:
    """Grove: (9 + 4.5 + 1) / (2 + 1); Fjord: (9 + 4.5 + 3.5) / (2 + 2)."""
    numbers = numbers_of("document_formula", "leader")
    assert numbers.scores[4] == pytest.approx(14.5 / 3)
    assert numbers.scores[3] == pytest.approx(17 / 4)
    assert numbers.order == (4, 3, 1)
    assert scene_of("document_formula", "leader").answer == "Grove"


def test_five_stars_lower_the_score() -> None:
    """Mean 3 and two ratings instead of mean 1 and one: (9 + 4.5 + 3) / 4 instead of 14.5 / 3."""
    numbers = numbers_of("document_formula", "rating")
    assert numbers.before is not None
    assert numbers.before.score == pytest.approx(14.5 / 3)
    assert numbers.terms[4].score == pytest.approx(16.5 / 4)
    assert scene_of("document_formula", "rating").answer == "falls"


def test_a_large_exponent_gives_everybody_the_order_of_the_means() -> None:
    """Means: Dunes 13/3, Ember 4, Comet 3.75, Fjord 3.5, Grove 1."""
    numbers = numbers_of("document_formula", "alpha")
    assert numbers.orders == ((1, 2, 0, 3, 4), (1, 2, 0, 3, 4))
    assert scene_of("document_formula", "alpha").answer == "same"


def test_small_scores_and_large_divisors_are_written_so_that_they_can_be_told_apart() -> None:
    """Cleo, three ratings: (10 + 10/3 + 15/4) / (3^10 + 4) for Comet; eight ratings of one user: 8^10."""
    scene = scene_of("document_formula", "alpha", user="Cleo")
    assert scene.formula is not None
    scores = next(part for part in scene.parts if part.name == "scores")
    assert isinstance(scores, Bars)
    assert scores.title == "Scores for Cleo (n: number of ratings) · 10⁻⁴"
    assert [round(value or 0, 2) for value in scores.values] == [2.89, 2.99, 2.94, 2.85, 2.43]
    assert scene.formula.numbers.startswith(r"\lit1{2.89 \cdot 10^{-4}} = ")
    assert r"\lit5{59{,}049}" in scene.formula.numbers
    assert [one.value for one in scene.formula.symbols[::4]] == ["2.89 · 10⁻⁴", "59,049"]
    table = read_table(("," + ",".join("abcdefgh") + "\nu,1,2,3,4,5,1,2,3\nv,1,,,,,,,\nw,,2,,,,,,").encode())
    of = own_lesson("document_formula", table)
    now = of.values_in("alpha", of.starts())
    scene = of.scene("alpha", now, of.numbers("alpha", now))
    assert "u: e > d > c = h > g > b > f > a." in scene.finding, "c and h have equal means; b more ratings than g"
    large = scene.formula
    assert large is not None
    assert r"\lit5{1{,}073{,}741{,}824}" in large.numbers


def test_the_content_form_orders_by_genre() -> None:
    numbers = numbers_of("document_formula", "repair")
    assert numbers.order[0] == 1, "Dunes shares a genre with what Ana rated"
    assert numbers.orders[1][0] == 4, "Grove shares one with what Dev liked"
    assert scene_of("document_formula", "repair").answer == "other"


def test_without_unrated_films_no_film_leads() -> None:
    ratings = [(1, 2, 3, 4, 5), *RATINGS[1:]]
    scene = scene_of("document_formula", "leader", ratings=ratings)
    assert "Ana rated every item: there is none to recommend" in scene.impossible
