"""Lesson 16: the formulas of the lesson, computed by hand from the states and keys in the trace."""

import math

import numpy as np
import pytest

from recsys_core.lessons.attention import GENERATORS
from recsys_core.lessons.sequences import FILMS
from tests.lessons import numbers_of, scene_of


@pytest.mark.parametrize("points", GENERATORS)
def test_attention_is_the_tanh_of_query_and_key(points: str) -> None:
    numbers = numbers_of("attention", "score", points=points)
    for at, (attention, keys) in enumerate(zip(numbers.attention, numbers.keys, strict=True)):
        assert np.tanh(np.array(numbers.query) @ np.array(keys).T) == pytest.approx(np.array(attention), abs=1e-5), at


def test_the_largest_of_the_first_column_is_the_answer() -> None:
    numbers = numbers_of("attention", "score")
    first = [row[0] for row in numbers.attention[0]]
    assert numbers.history == (0, 1, 4)
    assert scene_of("attention", "score").answer == FILMS[numbers.history[int(np.argmax(first))]]


def test_a_move_is_accepted_unless_the_mean_attention_falls() -> None:
    numbers = numbers_of("attention", "walk", moves=4)
    assert np.array(numbers.mass) == pytest.approx(np.array(numbers.attention).mean(axis=1), abs=1e-5)
    assert (np.diff(np.array(numbers.mass), axis=0) >= -1e-6).all()
    for step, (before, after) in enumerate(zip(numbers.points, numbers.points[1:], strict=False)):
        for point in range(2):
            moved = numbers.proposed[step][point] if numbers.accepted[step][point] else before[point]
            assert after[point] == moved
    assert len(numbers.points) == 5


def test_weights_are_the_softmax_of_the_mean_attention() -> None:
    numbers = numbers_of("attention", "sum")
    raised = [math.exp(numbers.sharpness[0] * np.mean(row)) for row in numbers.attention[-1]]
    assert numbers.film_weights == pytest.approx([one / sum(raised) for one in raised], abs=1e-5)
    assert sum(numbers.point_weights) == pytest.approx(1, abs=1e-5)


def test_attention_and_influence_disagree() -> None:
    """Influence is the change of the score without the film, for an unknown user with the rest of the history."""
    from recsys_core.lessons.attention import trained
    from recsys_core.lessons.sequences import query_of

    numbers = numbers_of("attention", "explains")
    model = trained("similar", 2)
    whole = model.score(query_of(numbers.history))[0, numbers.top]
    for at, film in enumerate(numbers.history):
        rest = [one for one in numbers.history if one != film]
        without = model.score(query_of(rest))[0, numbers.top]
        assert numbers.influence[at] == pytest.approx(whole - without, abs=1e-4)
    assert scene_of("attention", "explains").answer == "no"


def test_accepted_moves_are_counted_without_a_plural() -> None:
    finding = scene_of("attention", "walk", moves=1, length=4).finding
    assert finding == "Accepted moves: 1 of 2. Moves after which the mean attention of a point fell: 0."
