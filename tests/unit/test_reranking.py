"""Re-ranking methods: five items by hand, brute force, published tables, and what must hold for any input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.contracts import FloatArray
from recsys_core.strategy.calibrated import calibrated, divergence
from recsys_core.strategy.dpp import dpp
from recsys_core.strategy.fair_ratio import corrected_level, failure_probability, fair_ratio, minimum_protected
from recsys_core.strategy.mmr import mmr
from recsys_core.strategy.relevance import NONE, scaled
from recsys_core.strategy.xquad import xquad

FIVE = np.array([[1.0, 0.8, 0.6, 0.4, 0.2]])
"""Relevance of five candidates of one user."""
ALONG = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.0, 1.0]])
"""Unit vectors: 0 and 1 are the same, 2 and 4 are the same, 3 lies between."""
OWN = np.arange(5)[None]
"""The candidates are the items themselves."""


def test_relevance_by_rank_min_max_and_standard_scores() -> None:
    scores = np.array([[10.0, 30.0, np.nan, 20.0]])
    assert scaled(scores, "rank").tolist() == [[1 - 2 / 3, 1.0, -np.inf, 1 - 1 / 3]]
    assert scaled(scores, "minmax").tolist() == [[0.0, 1.0, -np.inf, 0.5]]
    assert scaled(scores, "z")[0, [0, 1, 3]] == pytest.approx([-math.sqrt(1.5), math.sqrt(1.5), 0.0])
    assert scaled(np.array([[5.0, 5.0]]), "minmax").tolist() == [[1.0, 1.0]]
    assert scaled(np.array([[5.0, 5.0]]), "z").tolist() == [[0.0, 0.0]]
    assert scaled(np.full((1, 2), np.nan), "rank").tolist() == [[-np.inf, -np.inf]]


def test_mmr_by_hand() -> None:
    """lambda 0.5: 0 first; then 1 has .4 - .5, 2 has .3 - 0, 3 has .2 - .3, 4 has .1 - 0: 2; then 3: .2 - .4."""
    assert mmr(FIVE, OWN, ALONG, 3, 0.5).tolist() == [[0, 2, 1]]
    assert mmr(FIVE, OWN, ALONG, 5, 1.0).tolist() == [[0, 1, 2, 3, 4]]
    assert mmr(FIVE, OWN, ALONG, 2, 0.0).tolist() == [[0, 2]]
    assert mmr(FIVE, OWN, ALONG, 4, 0.5, window=1).tolist() == [[0, 2, 1, 4]]  # after 2 only 2 counts, after 1 only 1


def test_xquad_by_hand() -> None:
    """Aspect 0 has interest .7: item 0 covers it by 1, so the next place goes to the best item of aspect 1."""
    aspects = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 1.0]])
    interest = np.array([[0.7, 0.3]])
    # first: .5 + .35, .4 + .35, .3 + .15, .2 + .25, .1 + .15; then 1: .4, 2: .3 + .15, 3: .2 + .075, 4: .1 + .15
    assert xquad(FIVE, OWN, aspects, interest, 3, 0.5).tolist() == [[0, 2, 1]]
    assert xquad(FIVE, OWN, aspects, interest, 5, 0.0).tolist() == [[0, 1, 2, 3, 4]]


def test_calibration_by_hand() -> None:
    shares = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    wanted = np.array([[0.5, 0.5]])
    assert calibrated(FIVE, OWN, shares, wanted, 4, 0.9).tolist() == [[0, 2, 1, 4]]
    assert calibrated(FIVE, OWN, shares, wanted, 5, 0.0).tolist() == [[0, 1, 2, 3, 4]]
    assert calibrated(FIVE, OWN, shares, np.zeros((1, 2)), 5, 0.9).tolist() == [[0, 1, 2, 3, 4]]
    one_sided = 0.5 * math.log(0.5 / (0.99 + 0.005)) + 0.5 * math.log(0.5 / 0.005)
    assert divergence(wanted, np.array([[3.0, 0.0]])) == pytest.approx([one_sided])
    assert divergence(wanted, np.array([[2.0, 2.0]])) == pytest.approx([0.0])


@pytest.mark.parametrize("seed", range(6))
def test_calibration_places_the_item_that_adds_most_by_the_definition(seed: int) -> None:
    """Items with one to three of five categories, or none; a user without interest in two of them."""
    rng = np.random.default_rng(seed)
    shares = (rng.random((12, 5)) < 0.4).astype(np.float64)
    shares = np.divide(
        shares, shares.sum(axis=1, keepdims=True), out=np.zeros((12, 5)), where=shares.any(axis=1)[:, None]
    )
    wanted = np.array([0.5, 0.3, 0.2, 0.0, 0.0])
    relevance = rng.random(12)
    placed: list[int] = []
    for _ in range(6):
        rest = [item for item in range(12) if item not in placed]
        lists = {item: shares[[*placed, item]].sum(axis=0) for item in rest}
        gain = {item: 0.4 * relevance[item] - 0.6 * float(divergence(wanted, lists[item])) for item in rest}
        placed.append(max(rest, key=lambda item, gain=gain: gain[item]))
    assert calibrated(relevance[None], np.arange(12)[None], shares, wanted[None], 6, 0.6).tolist() == [placed]


def test_the_divergence_falls_with_the_weight() -> None:
    rng = np.random.default_rng(1)
    shares = np.eye(4)[rng.integers(0, 4, 60)]
    item = rng.permuted(np.tile(np.arange(60), (200, 1)), axis=1)[:, :40]
    wanted = rng.dirichlet(np.ones(4), 200)
    relevance = scaled(rng.random((200, 40)), "rank")
    found = []
    for weight in (0.0, 0.3, 0.6, 0.9, 0.99):
        order = calibrated(relevance, item, shares, wanted, 10, weight)
        lists = shares[np.take_along_axis(item, order, axis=1)].sum(axis=1)
        found.append(float(divergence(wanted, lists).mean()))
    assert found == sorted(found, reverse=True)


def kernel(relevance: FloatArray, vectors: FloatArray, sharpness: float) -> FloatArray:
    similarity = (1 + vectors @ vectors.T) / 2
    np.fill_diagonal(similarity, 1.0)
    quality = np.exp(sharpness * relevance)
    matrix: FloatArray = quality[:, None] * similarity * quality[None]
    return matrix


@pytest.mark.parametrize("seed", range(8))
def test_dpp_places_the_item_that_adds_most_volume_as_determinants_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(8, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = rng.random(8)
    matrix = kernel(relevance, vectors, 1.5)
    placed: list[int] = []
    for _ in range(4):
        rest = [item for item in range(8) if item not in placed]
        placed.append(max(rest, key=lambda item: np.linalg.det(matrix[np.ix_([*placed, item], [*placed, item])])))
    assert dpp(relevance[None], np.arange(8)[None], vectors, 4, 1.5).tolist() == [placed]


def test_dpp_finds_the_best_pair_of_clearly_different_items() -> None:
    matrix = kernel(FIVE[0], ALONG, 0.5)
    best = max(itertools.combinations(range(5), 2), key=lambda pair: np.linalg.det(matrix[np.ix_(pair, pair)]))
    assert set(dpp(FIVE, OWN, ALONG, 2, 0.5)[0]) == set(best)
    assert set(dpp(FIVE, OWN, ALONG, 5, 0.5)[0]) == set(range(5))  # identical items come last, but come


def test_dpp_places_a_copy_after_a_different_item_however_relevant_the_copy_is() -> None:
    """A list with both copies has no volume, whatever their quality: exp(2 x 20 x 1.7) outweighs no zero."""
    relevance = np.array([[1.0, 0.9, -0.7], [30.0, 29.0, -30.0]])  # the second row exceeds the range of exp
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert dpp(relevance, np.array([[0, 1, 2]] * 2), vectors, 3, 20.0).tolist() == [[0, 2, 1]] * 2


def test_fair_ratio_equals_the_published_table() -> None:
    """Zehlike et al. 2017, table 2, p 0.25 (and 0.1 corrected): k 20, alpha 0.1."""
    assert minimum_protected(20, 0.25, 0.1).tolist() == [0] * 8 + [1] * 6 + [2] * 5 + [3]
    level = corrected_level(20, 0.25, 0.1)
    assert minimum_protected(20, 0.25, level).tolist() == [0] * 8 + [1] * 7 + [2] * 5


def test_the_corrected_level_rejects_fair_lists_about_as_often_as_asked() -> None:
    rng = np.random.default_rng(0)
    lists = rng.random((40_000, 20)) < 0.4
    minima = minimum_protected(20, 0.4, corrected_level(20, 0.4, 0.1))
    simulated = float((lists.cumsum(axis=1) < minima).any(axis=1).mean())
    assert failure_probability(minima, 0.4) == pytest.approx(simulated, abs=0.01)
    plain = failure_probability(minimum_protected(20, 0.4, 0.1), 0.4)
    assert abs(failure_probability(minima, 0.4) - 0.1) < 0.02 < plain - 0.1


def test_fair_ratio_places_protected_items_no_earlier_than_needed() -> None:
    relevance = scaled(np.arange(30, 0, -1.0)[None], "rank")
    protected = np.zeros((1, 30), dtype=bool)
    protected[0, 20:] = True
    order = fair_ratio(relevance, protected, 20, 0.5)
    counts = protected[0, order[0]].cumsum()
    minima = minimum_protected(20, 0.5, corrected_level(20, 0.5, 0.1))
    assert (counts == minima).all()
    assert fair_ratio(relevance, protected, 20, 0.0).tolist() == [list(range(20))]


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 15))
def test_every_method_places_each_candidate_once_and_none_that_is_missing(seed: int, pool: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random((3, pool)) < 0.2, np.nan, rng.random((3, pool)))
    relevance = scaled(scores, "minmax")
    item = np.stack([rng.permutation(20)[:pool] for _ in range(3)])
    vectors = rng.normal(size=(20, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = rng.dirichlet(np.ones(3), 20)
    interest = rng.dirichlet(np.ones(3), 3)
    for order in (
        mmr(relevance, item, vectors, k, 0.6),
        dpp(relevance, item, vectors, k, 1.0),
        calibrated(relevance, item, shares, interest, k, 0.5),
        xquad(relevance, item, shares, interest, k, 0.5),
        fair_ratio(relevance, shares[item][:, :, 0] > 0.5, k, 0.5),
    ):
        assert order.shape == (3, k)
        for row, own in zip(order, scores, strict=True):
            placed = row[row != NONE]
            assert len(set(placed)) == len(placed) == min(k, int(np.isfinite(own).sum()))
            assert np.isfinite(own[placed]).all()
            assert (row[len(placed) :] == NONE).all()
