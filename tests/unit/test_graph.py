"""The social graph: given links, links from ratings, and trust along paths."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import ConfigError, DataError
from recsys_core.profiles import graph as graphs
from recsys_core.profiles.graph import both_ways, co_rating_graph, propagated_trust, social_graph


def links_of(links: Sequence[tuple[int, int, float]], users: int) -> csr_array:
    source, target, weight = zip(*links, strict=True)
    return csr_array((np.array(weight), (np.array(source), np.array(target))), shape=(users, users))


def rated(rows: Sequence[tuple[int, int, float]], social: pd.DataFrame | None = None) -> Dataset:
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"]).astype({"user": "int32", "item": "int32"})
    return dataset_from_frames(frame, name="small", social=social)


def test_trust_over_three_hops_by_hand() -> None:
    """Links 0 -> 1 (4), 1 -> 2 (2), 2 -> 3 (5), 0 -> 2 (0.5), 3 -> 0 (5); in units of the heaviest 0.8, 0.4, 1, 0.1, 1.

    With decay 1/2, from user 0:
    to 1: 0.8.
    to 2: the link 0.1, or over 1: 1/2 * 0.8 * 0.4 = 0.16. The detour is better: 0.16.
    to 3: over 2, 1/2 * 0.1 * 1 = 0.05, or over 1 and 2, 1/4 * 0.8 * 0.4 * 1 = 0.08. The longer path is better: 0.08.
    From 3: to 0 1; to 1 1/2 * 1 * 0.8 = 0.4; to 2 max(1/2 * 1 * 0.1, 1/4 * 1 * 0.8 * 0.4) = max(0.05, 0.08) = 0.08.
    """
    graph = links_of([(0, 1, 4.0), (1, 2, 2.0), (2, 3, 5.0), (0, 2, 0.5), (3, 0, 5.0)], 4)
    one, two, three = (propagated_trust(graph, hops, 0.5).toarray() for hops in (1, 2, 3))
    assert_allclose(one[0], [0, 0.8, 0.1, 0])
    assert_allclose(two[0], [0, 0.8, 0.16, 0.05])
    assert_allclose(three[0], [0, 0.8, 0.16, 0.08])
    assert_allclose(three[3], [1, 0.4, 0.08, 0])


def test_trust_is_the_best_path_found_by_trying_them_all() -> None:
    """Against brute force on a random graph; no user trusts themselves, and the block size does not matter."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((25, 25)) < 0.15, rng.random((25, 25)), 0.0)
    np.fill_diagonal(dense, 0.0)
    dense /= dense.max()
    best = dense.copy()
    for _ in range(2):
        longer = 0.7 * (best[:, :, None] * dense[None]).max(axis=1)
        best = np.maximum(best, longer)
        np.fill_diagonal(best, 0.0)
    assert_allclose(propagated_trust(csr_array(dense), 3, 0.7).toarray(), best)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    graph = csr_array(np.where(rng.random((30, 30)) < 0.1, rng.random((30, 30)), 0.0) * (1 - np.eye(30)))
    data = rated([(u, i, float(rng.integers(1, 6))) for u in range(12) for i in rng.permutation(20)[:8]])
    trust, alike = propagated_trust(graph).toarray(), co_rating_graph(data, 3).toarray()
    monkeypatch.setattr(graphs, "PATHS_AT_A_TIME", 5)
    monkeypatch.setattr(graphs, "CELLS_AT_A_TIME", 25)
    assert_array_equal(propagated_trust(graph).toarray(), trust)
    assert_array_equal(co_rating_graph(data, 3).toarray(), alike)


def test_only_the_strongest_are_kept_ties_by_smaller_position() -> None:
    graph = links_of([(0, 3, 1.0), (0, 1, 1.0), (0, 2, 0.5), (1, 2, 0.2)], 4)
    assert_array_equal(propagated_trust(graph, 1, top_k=1).toarray()[0], [0, 1, 0, 0])
    assert_array_equal(propagated_trust(graph, 1, top_k=2).toarray()[0], [0, 1, 0, 1])


@pytest.mark.parametrize(("hops", "decay"), [(0, 0.5), (4, 0.5), (1, 0.0), (1, 1.1)])
def test_trust_refuses_what_it_cannot_do(hops: int, decay: float) -> None:
    with pytest.raises(ConfigError, match=r"[Tt]rust"):
        propagated_trust(links_of([(0, 1, 1.0)], 2), hops, decay)


def test_a_graph_without_links_gives_no_trust() -> None:
    assert propagated_trust(csr_array((3, 3))).nnz == 0


def test_links_are_taken_as_given() -> None:
    """Of duplicate links the heavier counts; self-links and distrust are ignored; direction is kept."""
    social = pd.DataFrame({"source": [0, 0, 1, 2, 2], "target": [1, 1, 1, 0, 1], "weight": [1.0, 3.0, 1.0, -1.0, 2.0]})
    graph = social_graph(rated([(0, 0, 1.0), (1, 0, 2.0), (2, 0, 3.0)], social))
    assert_array_equal(graph.toarray(), [[0, 3, 0], [0, 0, 0], [0, 2, 0]])
    assert_array_equal(both_ways(graph).toarray(), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])


def test_data_without_links_are_refused_with_an_offer() -> None:
    with pytest.raises(DataError, match=r"'small' has no links.*co-rating graph"):
        social_graph(rated([(0, 0, 1.0)]))


def test_who_rated_alike_is_linked_by_hand() -> None:
    """Ratings minus each user's mean: u0 (1, -1, 0), u1 (2, -2, 0), u2 (-1, 1, 0), u3 constant, so nothing is left.

    u0 and u1 are parallel: cosine 1. u2 is opposite: no link. u3 has no similar user.
    """
    values = [[4, 2, 3], [5, 1, 3], [1, 3, 2], [2, 2, 2]]
    data = rated([(user, item, float(value)) for user, row in enumerate(values) for item, value in enumerate(row)])
    assert_allclose(co_rating_graph(data).toarray(), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_without_ratings_who_took_the_same_is_linked() -> None:
    """Items {0, 1}, {0, 1, 2}, {2, 3}: cosines 2 / sqrt(6), 0, 1 / sqrt(6); with one neighbor u1 has u0."""
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 2), (2, 3)]
    data = dataset_from_frames(pd.DataFrame(pairs, columns=["user", "item"]).astype("int32"))
    close, far = 2 / 6**0.5, 1 / 6**0.5
    assert_allclose(co_rating_graph(data, 2).toarray(), [[0, close, 0], [close, 0, far], [0, far, 0]])
    assert_allclose(co_rating_graph(data, 1).toarray()[1], [close, 0, 0])
    with pytest.raises(ConfigError, match="at least 1"):
        co_rating_graph(data, 0)
