"""The neighbors of all items are those of a search through all pairs, to the last bit, in any number of threads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled
from recsys_core.models import neighbor_search
from recsys_core.models.compiled import sparse
from recsys_core.models.most_similar import top_similar
from recsys_core.models.neighbor_search import Nearest, is_plain_cosine, nearest_items
from recsys_core.models.similarity import (
    FORMS,
    KINDS,
    Measure,
    compare_with_all,
    rows_by_column,
    rows_of_dense,
    sums_buffer,
)

ITEMS, USERS = 150, 60
PLAIN = [Measure(KINDS["cosine"], 0.0, 0, 1), Measure(KINDS["cosine"], 30.0, FORMS["denominator"], 1)]
OTHERS = [Measure(kind, 5.0, FORMS["hyperbolic"], 1, 0.3, 0.9) for kind in KINDS.values()]


def ratings(seed: int, lowest: int) -> csr_array:
    """(I, U) few values, so that many similarities are equal; popular items, rare ones, and some without ratings."""
    rng = np.random.default_rng(seed)
    item = (ITEMS * rng.random(1200) ** 4).astype(int)
    user = (USERS * rng.random(1200) ** 2).astype(int)
    item, user = np.unique(np.stack([item, user]), axis=1)
    values = rng.integers(lowest, 3, len(item)).astype(np.float32)
    return csr_array((values, (item, user)), shape=(ITEMS, USERS))


def one_by_one(measure: Measure, by_item: csr_array, size: int) -> Nearest:
    """Compare every item with all others."""
    rows, vectors = rows_by_column(by_item), sparse(by_item)
    found = Nearest(np.zeros((ITEMS, size), dtype=np.int32), np.zeros((ITEMS, size), dtype=np.float32))
    sums, strength = sums_buffer(measure, rows, False), np.empty(size)
    for item in range(ITEMS):
        entries = slice(vectors.start[item], vectors.start[item + 1])
        similarity = compare_with_all(measure, rows, vectors.column[entries], vectors.value[entries], sums)
        similarity[item] = 0.0
        number = top_similar(similarity, found.item[item], strength)
        found.strength[item, :number] = strength[:number]
    return found


@pytest.mark.parametrize("measure", [*PLAIN, *OTHERS])
@pytest.mark.parametrize(("size", "threads", "lowest"), [(7, 1, 1), (7, 3, -2), (ITEMS, 2, 0)])
def test_neighbors_are_those_of_all_pairs(
    measure: Measure, size: int, threads: int, lowest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbor_search, "BLOCK", 11)
    assert is_plain_cosine(measure) == (measure in PLAIN)
    by_item = ratings(size + threads, lowest)
    found = nearest_items(measure, rows_by_column(by_item), sparse(by_item), size, RunContext(threads=threads))
    expected = one_by_one(measure, by_item, size)
    assert (expected.strength > 0).sum() > 100
    assert_array_equal(found.strength, expected.strength)
    used = expected.strength > 0
    assert_array_equal(found.item[used], expected.item[used])


def test_both_ways_of_comparing_are_used() -> None:
    """An item of few and lonely users is not compared with the whole catalog; a popular one is."""
    by_item = ratings(8, 1)
    start = rows_by_column(by_item).start
    products = np.array([np.diff(start)[row].sum() for row in np.split(by_item.indices, by_item.indptr[1:-1])])
    assert ((products > 0) & (neighbor_search.SCANNED * products < ITEMS)).sum() > 5
    assert (neighbor_search.SCANNED * products > ITEMS).sum() > 20


def test_imputed_ratings_are_compared_with_observed_ones() -> None:
    """Rows of which every cell is an entry are not symmetric: each item is compared with all others."""
    by_item = ratings(3, 1)
    filled = np.where(by_item.toarray() > 0, by_item.toarray(), 0.5).astype(np.float32)
    vectors, rows = sparse(by_item), rows_of_dense(filled)
    found = nearest_items(PLAIN[0], rows, vectors, 3, RunContext())
    dense, item = by_item.toarray().astype(np.float64), 0
    expected = filled.astype(np.float64) @ dense[item] / (rows.length * np.linalg.norm(dense[item]))
    expected[item] = 0.0
    assert found.item[item].tolist() == np.argsort(-expected, kind="stable")[:3].tolist()


def test_a_search_can_be_cancelled() -> None:
    by_item = ratings(1, 1)
    stopped = RunContext(stop_requested=lambda: True)
    for measure in (PLAIN[0], OTHERS[0]):
        with pytest.raises(Cancelled):
            nearest_items(measure, rows_by_column(by_item), sparse(by_item), 3, stopped)
