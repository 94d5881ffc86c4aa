"""The builders of known-answer data have the documented properties."""

import itertools

import numpy as np
import pytest

from tests.worlds import checkerboard, low_rank, markov_chain, shuffled


@pytest.mark.parametrize("withheld", ["diagonal", "random"])
def test_a_checkerboard_hides_one_item_of_the_own_half(withheld: str) -> None:
    world = checkerboard(40, 30, withheld)
    seen = world.train.matrix("binary").toarray()
    users = np.arange(40)
    assert not seen[users, world.withheld].any()
    assert (world.withheld % 2 == users % 2).all()
    seen[users, world.withheld] = 1
    np.testing.assert_array_equal(seen, world.truth)


def test_shuffling_keeps_how_much_each_user_did_and_hides_an_unseen_item() -> None:
    before = checkerboard(60, 40)
    after = shuffled(before, seed=3)
    seen = after.train.matrix("binary").toarray()
    np.testing.assert_array_equal(seen.sum(axis=1), before.train.matrix("binary").toarray().sum(axis=1))
    assert not seen[np.arange(60), after.withheld].any()
    own_half = (after.withheld % 2 == np.arange(60) % 2).mean()
    assert 0.3 < own_half < 0.7


def test_the_ratings_of_a_low_rank_world_are_a_product_of_few_factors() -> None:
    world = low_rank(rank=2)
    assert np.linalg.matrix_rank(world.truth - 3.0) == 2
    rated = world.train.matrix("rating").tocoo()
    np.testing.assert_allclose(rated.data, world.truth[rated.coords], rtol=1e-6)
    assert (world.train.matrix("binary").sum(axis=1) >= 1).all()


def test_in_a_markov_chain_each_step_is_followed_by_the_same_next() -> None:
    world = markov_chain()
    follower: dict[int, int] = {}
    for history, last in zip(world.train.histories(), world.withheld, strict=True):
        walk = [*history.tolist(), int(last)]
        assert len(set(walk)) == len(walk)
        for before, after in itertools.pairwise(walk):
            assert follower.setdefault(before, after) == after
    np.testing.assert_array_equal(world.truth.argmax(axis=1), world.withheld)
