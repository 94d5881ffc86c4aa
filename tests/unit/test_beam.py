"""Greedy and beam decoding against exhaustive search, and against a world computed by hand."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray
from recsys_core.models.nets.beam import beam_search, greedy, log_shares


class Table:
    """A decoder whose scores depend on the last two items: (I, I, I), before the first step on the first item."""

    def __init__(self, scores: FloatArray, people: int = 1) -> None:
        self.scores = scores
        self.before = np.zeros((people, 1), dtype=np.int64)

    def advance(self, previous: IntArray, parents: IntArray) -> FloatArray:
        before = np.take_along_axis(self.before, parents, axis=1)
        self.before = previous
        answer: FloatArray = self.scores[before, previous]
        return answer


def random_table(items: int = 5, seed: int = 3) -> FloatArray:
    return 2 * np.random.default_rng(seed).standard_normal((items, items, items))


def probability(table: FloatArray, first: int, said: tuple[int, ...], allowed: BoolArray) -> float:
    """Return the log probability of a sequence of items."""
    remaining, before, previous, total = allowed.copy(), 0, first, 0.0
    for item in said:
        weights = np.where(remaining, np.exp(table[before, previous]), 0)
        total += float(np.log(weights[item] / weights.sum()))
        remaining[item] = False
        before, previous = previous, item
    return total


def test_a_beam_that_holds_everything_finds_the_most_probable_sequence() -> None:
    table, allowed = random_table(), np.array([[True, True, False, True, True]])
    every = {said: probability(table, 2, said, allowed[0]) for said in permutations([0, 1, 3, 4], 3)}
    found = beam_search(Table(table), np.array([2]), allowed, 3, 24)
    ranked = sorted(every, key=lambda said: -every[said])
    assert [tuple(row) for row in found.items[0]] == ranked
    assert_allclose(found.scores[0, :, -1], [every[said] for said in ranked])
    assert_allclose(found.scores[0, 0, 0], probability(table, 2, ranked[0][:1], allowed[0]))


def test_greedy_takes_the_bait_and_two_beams_do_not() -> None:
    """Item 1 comes first with 0.6, then all three are equal; after item 2 (0.4) item 3 is certain: 0.4 > 0.2."""
    table = np.full((5, 5, 5), -1e9)
    table[:, 0, [1, 2]] = np.log([0.6, 0.4])
    table[:, 1, 2:] = np.log(1 / 3)
    table[:, 2, 3] = 0.0
    first, allowed = np.array([0]), np.array([[False, True, True, True, True]])
    one, two = greedy(Table(table), first, allowed, 2), beam_search(Table(table), first, allowed, 2, 2)
    assert_array_equal(one.items[0, 0], [1, 2])
    assert_allclose(np.exp(one.scores[0, 0]), [0.6, 0.2])
    assert_array_equal(two.items[0], [[2, 3], [1, 2]])
    assert_allclose(np.exp(two.scores[0]), [[0.4, 0.4], [0.6, 0.2]])
    assert_array_equal(two.kept_items[0], [[[1, PAD], [2, PAD]], [[2, 3], [1, 2]]])
    assert_allclose(np.exp(two.kept_scores[0]), [[0.6, 0.4], [0.4, 0.2]])


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_width_one_is_greedy(seed: int) -> None:
    rng, table = np.random.default_rng(seed), random_table(9, seed)
    first, allowed = rng.integers(0, 9, 4), rng.random((4, 9)) < 0.7
    one = greedy(Table(table, 4), first, allowed, 9)
    beam = beam_search(Table(table, 4), first, allowed, 9, 1)
    for name in ("items", "scores", "kept_items", "kept_scores"):
        assert_array_equal(getattr(one, name), getattr(beam, name))


@pytest.mark.parametrize("width", [1, 3, 50])
def test_nothing_is_said_twice_and_a_list_ends_when_nothing_is_left(width: int) -> None:
    allowed = np.array([[True] * 6, [True, False, True, False, False, False], [False] * 6])
    found = beam_search(Table(random_table(6), 3), np.array([0, 1, 2]), allowed, 5, width)
    for row, may in enumerate(allowed):
        best = found.items[row, 0]
        said = best[best != PAD]
        assert len(said) == min(5, may.sum())
        assert len(set(said.tolist())) == len(said)
        assert may[said].all()
        assert np.isnan(found.scores[row, 0, len(said) :]).all()
        assert (np.diff(found.scores[row, 0, : len(said)]) <= 0).all()


def test_shares_are_over_what_is_allowed_alone() -> None:
    shares = np.exp(log_shares(np.array([[0.0, 500.0, 0.0], [1.0, 2.0, 3.0]]), np.array([[1, 0, 1], [0, 0, 0]]) > 0))
    assert_allclose(shares, [[0.5, 0.0, 0.5], [0, 0, 0]])
