"""One pass over scores: the same lists as `top_k`, and ranks counted pair by pair."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, Ragged
from recsys_core.data.random_keys import mixed
from recsys_core.evaluation.ranking import rank
from recsys_core.models.topk import top_k


def random_case(seed: int, dtype: type[np.floating]) -> tuple[np.ndarray, Ragged, Ragged]:
    """Scores with many ties and some missing; seen and relevant items are disjoint."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (25, 30)).astype(dtype)
    scores[rng.random(scores.shape) < 0.15] = np.nan
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    orders = [rng.permutation(30) for _ in range(25)]
    seen = Ragged.from_rows([order[: rng.integers(0, 10)] for order in orders])
    relevant = Ragged.from_rows([order[12 : 12 + rng.integers(0, 8)] for order in orders])
    return scores, seen, relevant


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lists_equal_those_of_top_k(dtype: type[np.floating]) -> None:
    scores, seen, relevant = random_case(1, dtype)
    got, expected = rank(scores, seen, relevant, 12).lists, top_k(scores, 12, exclude=seen)
    assert_array_equal(got.item, expected.item)
    assert_array_equal(got.score, expected.score)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_of_beaten_candidates_equal_a_count_of_pairs(dtype: type[np.floating]) -> None:
    scores, seen, relevant = random_case(2, dtype)
    comparable = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    expected = []
    for row in range(len(scores)):
        others = sorted(set(range(30)) - set(seen[row].tolist()) - set(relevant[row].tolist()))
        for item in relevant[row]:
            beaten = [
                (comparable[row, item] > comparable[row, other])
                + 0.5 * (comparable[row, item] == comparable[row, other])
                for other in others
            ]
            expected.append(np.mean(beaten))
    assert_allclose(rank(scores, seen, relevant, 3).beaten, expected, atol=1e-12)


def test_ranking_among_candidates_is_ranking_a_smaller_catalogue() -> None:
    scores, seen, relevant = random_case(4, np.float64)
    items = np.array([3, 4, 8, 9, 15, 20, 21, 22, 29])
    relevant, seen = (Ragged.from_rows([row[np.isin(row, items)] for row in rows]) for rows in (relevant, seen))
    got = rank(scores, seen, relevant, 12, items)
    hidden = np.full_like(scores, np.nan)
    hidden[:, items] = scores[:, items]
    assert_array_equal(got.lists.item, top_k(hidden, 12, exclude=seen).item)
    assert_array_equal(got.lists.score, top_k(hidden, 12, exclude=seen).score)
    places, wanted = (Ragged.from_rows([np.searchsorted(items, row) for row in rows]) for rows in (seen, relevant))
    assert_array_equal(got.beaten, rank(scores[:, items], places, wanted, 12).beaten)


def test_equal_scores_stand_in_the_order_of_the_keys_with_candidates_and_without() -> None:
    nobody = Ragged.from_rows([[]])
    scores, keys = np.array([[1.0, 1.0, 2.0, 1.0]]), np.array([30, 5, 1, 20], dtype=np.uint64)
    assert rank(scores, nobody, nobody, 3, ties=keys).lists.item.tolist() == [[2, 1, 3]]
    assert rank(scores, nobody, nobody, 3, np.array([0, 2, 3]), keys).lists.item.tolist() == [[2, 3, 0]]
    assert rank(scores, nobody, nobody, 3).lists.item.tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lists_with_keys_equal_a_sort_by_score_and_key(dtype: type[np.floating]) -> None:
    scores, seen, relevant = random_case(6, dtype)
    keys = np.random.default_rng(3).permutation(30).astype(np.uint64)
    got = rank(scores, seen, relevant, 12, ties=keys).lists
    assert_array_equal(got.item, top_k(scores, 12, seen, keys).item)
    for row, values in enumerate(scores):
        allowed = [item for item in range(30) if item not in seen[row] and values[item] > -np.inf]
        expected = sorted(allowed, key=lambda item: (-values[item], keys[item]))[:12]
        assert got.item[row, : len(expected)].tolist() == expected


def test_constant_scores_find_what_chance_finds() -> None:
    """The relevant item is first in the catalog; ties by position would always favor it."""
    nobody, wanted = Ragged.from_rows([[]]), Ragged.from_rows([[0]])
    hits = [
        0
        in rank(
            np.ones((1, 100)),
            nobody,
            wanted,
            10,
            ties=mixed(np.arange(100).astype(np.uint64), seed),
        ).lists.item
        for seed in range(400)
    ]
    assert 0.05 < np.mean(hits) < 0.15


def test_an_item_without_rivals_beats_an_undefined_share() -> None:
    ranking = rank(np.array([[1.0, 2.0]]), Ragged.from_rows([[0]]), Ragged.from_rows([[1]]), 3)
    assert ranking.lists.item.tolist() == [[1, PAD, PAD]]
    assert math.isnan(ranking.beaten[0])


def test_rows_taken_from_a_longer_ragged_are_read_from_their_own_beginning() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    seen, relevant = Ragged.from_rows([[], []]), Ragged.from_rows([[2], [2]])
    whole = rank(scores, seen, relevant, 1).beaten
    assert whole.tolist() == [0.0, 1.0]
    assert rank(scores[1:], seen.take(np.array([1])), relevant.take(np.array([1])), 1).beaten.tolist() == [1.0]
    cut = Ragged(relevant.values[1:], relevant.offsets[1:])  # a block whose offsets continue those of the one before
    assert cut.offsets.tolist() == [1, 2]
    assert rank(scores[1:], Ragged.from_rows([[]]), cut, 1).beaten.tolist() == [1.0]
