"""Lesson 17: after Comet, 55 % saw Dunes and then any of three films, the others Ember and then Fjord."""

import math

import numpy as np
import pytest

from tests.lessons import numbers_of, scene_of


def test_alpha_is_the_softmax_of_the_matches() -> None:
    numbers = numbers_of("decoding", "alpha", length=3)
    for alpha, energies in zip(numbers.greedy.alpha, numbers.greedy.energies, strict=True):
        raised = np.exp(energies)
        assert alpha == pytest.approx(raised / raised.sum(), abs=1e-5)


def test_the_first_step_learned_the_shares_of_the_data() -> None:
    """99 of 180 users saw Dunes after Comet, 81 saw Ember."""
    numbers = numbers_of("decoding", "first")
    assert numbers.history == (0,)
    assert numbers.own_start[1] == pytest.approx(99 / 180, abs=0.05)
    assert numbers.own_start[2] == pytest.approx(81 / 180, abs=0.05)
    assert scene_of("decoding", "first").answer == "Dunes"


def test_beam_search_finds_the_more_probable_pair() -> None:
    """Greedy: 0.55 / 3 = 0.18; Ember, Fjord: 0.45."""
    numbers = numbers_of("decoding", "beam")
    assert numbers.greedy.films[0] == 1
    assert numbers.beam.films[:2] == [2, 3]
    assert numbers.greedy.probability() == pytest.approx(0.55 / 3, abs=0.05)
    assert numbers.beam.probability() == pytest.approx(0.45, abs=0.05)
    assert numbers.beams[0] == ((2, 3), pytest.approx(numbers.beam.probability(), rel=1e-4))
    assert scene_of("decoding", "beam").answer == "beam"


def test_a_sequence_multiplies_its_steps() -> None:
    decoded = numbers_of("decoding", "second").greedy
    assert decoded.probability() == pytest.approx(math.exp(decoded.log_shares[0]) * math.exp(decoded.log_shares[1]))
    assert max(decoded.probabilities[0]) == pytest.approx(math.exp(decoded.log_shares[0]), rel=1e-5)


def test_the_two_initial_states_are_two_models() -> None:
    numbers = numbers_of("decoding", "start", start="zero")
    assert numbers.own_start != numbers.other_start
    assert numbers.own_start == numbers_of("decoding", "first", start="zero", length=2).own_start
