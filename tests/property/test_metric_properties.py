"""Properties of every metric, for any lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.contracts import Ragged, TopK
from recsys_core.evaluation.beyond_accuracy import gini, head_items
from recsys_core.evaluation.metrics import ACCURACY, average_precision, hit_table, ndcg, recall
from recsys_core.evaluation.significance import holm, letters, tie_groups
from tests.conventions import average_precision_capped, ndcg_uncut, recall_capped

ITEMS = 12
worlds = st.tuples(
    st.permutations(range(ITEMS)), st.sets(st.integers(0, ITEMS - 1), min_size=1), st.integers(1, ITEMS - 1)
)


def one(order: list[int], relevant: set[int]) -> tuple[TopK, Ragged]:
    return TopK(np.array([order]), np.zeros((1, len(order)))), Ragged.from_rows([sorted(relevant)])


@given(worlds)
def test_every_metric_lies_between_0_and_1(world: tuple[list[int], set[int], int]) -> None:
    order, relevant, k = world
    table = hit_table(*one(order, relevant))
    for function in ACCURACY.values():
        assert -1e-12 <= function(table, k)[0] <= 1 + 1e-12


@given(worlds)
def test_a_longer_list_never_loses_recall_hits_or_reciprocal_rank(world: tuple[list[int], set[int], int]) -> None:
    order, relevant, k = world
    table = hit_table(*one(order, relevant))
    for key in ("recall", "hit_rate", "mrr", "map"):
        assert ACCURACY[key](table, k + 1)[0] >= ACCURACY[key](table, k)[0] - 1e-12


@given(worlds, st.integers(0, ITEMS - 2))
def test_moving_a_relevant_item_up_never_lowers_a_metric(world: tuple[list[int], set[int], int], place: int) -> None:
    order, relevant, k = world
    better = list(order)
    if better[place + 1] in relevant and better[place] not in relevant:
        better[place], better[place + 1] = better[place + 1], better[place]
    before, after = hit_table(*one(order, relevant)), hit_table(*one(better, relevant))
    for function in ACCURACY.values():
        assert function(after, k)[0] >= function(before, k)[0] - 1e-12


@given(worlds)
def test_the_ideal_list_has_ndcg_1_and_nothing_else_more(world: tuple[list[int], set[int], int]) -> None:
    order, relevant, k = world
    ideal = sorted(relevant) + [item for item in order if item not in relevant]
    assert abs(ndcg(hit_table(*one(ideal, relevant)), k)[0] - 1) < 1e-12


@given(worlds)
def test_the_other_conventions_stand_on_their_side_of_ours(world: tuple[list[int], set[int], int]) -> None:
    order, relevant, k = world
    table = hit_table(*one(order, relevant))
    assert recall_capped(table, k)[0] >= recall(table, k)[0]
    assert average_precision_capped(table, k)[0] >= average_precision(table, k)[0]
    assert ndcg_uncut(table, k)[0] <= ndcg(table, k)[0] + 1e-12


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.floats(0.05, 1.0))
def test_head_holds_its_share_and_would_not_without_its_least_item(counts: list[int], share: float) -> None:
    array = np.array(counts)
    head = head_items(array, share)
    assert array[head].sum() >= share * array.sum() - 1e-9
    if head.any():
        assert array[head].sum() - array[head].min() < share * array.sum()
        assert array[head].min() >= array[~head].max(initial=0)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any))
def test_gini_lies_between_equal_and_one_takes_all(shown: list[int]) -> None:
    assert -1e-12 <= gini(np.array(shown)) <= (len(shown) - 1) / len(shown) + 1e-12


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(values: list[float]) -> None:
    p = np.array(values)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(1, p * max(1, len(p)) + 1e-15)).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


@given(
    st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.booleans(), min_size=n * n, max_size=n * n)))
)
def test_two_models_share_a_letter_exactly_if_they_are_tied(case: tuple[int, list[bool]]) -> None:
    models, flags = case
    upper = np.triu(np.array(flags).reshape(models, models), 1)
    different = upper | upper.T
    groups = tie_groups(different)
    names = letters(groups, models)
    for first in range(models):
        assert names[first]
        for second in range(first + 1, models):
            assert bool(set(names[first]) & set(names[second])) == (not different[first, second])
    assert not any(set(a) < set(b) for a in groups for b in groups)
