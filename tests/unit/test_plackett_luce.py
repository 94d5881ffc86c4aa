"""Place probabilities of Plackett-Luce are exact, and draws follow them."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.data.plackett_luce import draw, place_probabilities


def enumerated(weights: np.ndarray, places: int) -> np.ndarray:
    """Sum the probabilities of all rankings."""
    found = np.zeros((places, len(weights)))
    for ranking in itertools.permutations(range(len(weights)), places):
        chance, free = 1.0, np.ones(len(weights), dtype=bool)
        for item in ranking:
            chance *= weights[item] / weights[free].sum()  # not by subtraction, which cancels
            free[item] = False
        for place, item in enumerate(ranking):
            found[place, item] += chance
    return found


def test_three_items_by_hand() -> None:
    """Weights 1, 2, 3. Second place of the first item: 2/6 * 1/4 + 3/6 * 1/3 = 1/4."""
    found = place_probabilities(np.log([[1.0, 2.0, 3.0]]), 2)[0]
    assert_allclose(found[0], [1 / 6, 2 / 6, 3 / 6], atol=1e-9)
    assert_allclose(found[1, 0], 1 / 4, atol=1e-9)


@pytest.mark.parametrize("spread", [0.0, 1.0, 6.0])
def test_equals_the_sum_over_all_rankings(spread: float) -> None:
    logits = spread * np.random.default_rng(3).normal(size=(3, 6))
    expected = np.stack([enumerated(np.exp(row), 4) for row in logits])
    assert_allclose(place_probabilities(logits, 4), expected, atol=1e-9)


def test_items_that_are_no_candidates_and_places_that_cannot_be_filled() -> None:
    found = place_probabilities(np.array([[0.0, -np.inf, 0.0]]), 3)[0]
    assert_allclose(found, [[0.5, 0, 0.5], [0.5, 0, 0.5], [0, 0, 0]], atol=1e-9)


def test_draws_have_these_probabilities() -> None:
    logits = np.tile(np.log([1.0, 2.0, 3.0, 6.0]), (40_000, 1))
    drawn = draw(logits, 2, np.random.default_rng(1))
    assert (drawn[:, 0] != drawn[:, 1]).all()
    share = np.stack([np.bincount(drawn[:, place], minlength=4) for place in range(2)]) / len(drawn)
    assert_allclose(share, place_probabilities(logits[:1], 2)[0], atol=0.01)  # 4 standard errors
