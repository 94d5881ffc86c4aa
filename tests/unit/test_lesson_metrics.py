"""Lesson 12 by hand: hits at ranks 2, 4 and 9 of 10, k = 6, four relevant films, one of them not in the list."""

from math import log2

import pytest

from tests.lessons import numbers_of, scene_of

IDEAL = 1 + 1 / log2(3) + 1 / 2 + 1 / log2(5)


def test_metrics_at_the_cut_off() -> None:
    numbers = numbers_of("metrics", "hits")
    assert [rank + 1 for rank, hit in enumerate(numbers.hits) if hit] == [2, 4, 9]
    assert numbers.values == pytest.approx(
        {
            "precision": 2 / 6,
            "recall": 2 / 4,
            "map": (1 / 2 + 2 / 4) / 4,
            "mrr": 1 / 2,
            "ndcg": (1 / log2(3) + 1 / log2(5)) / IDEAL,
        }
    )
    assert numbers.ideal == pytest.approx(IDEAL)
    assert numbers.discounts[:4] == pytest.approx([1, 1 / log2(3), 1 / 2, 1 / log2(5)])


def test_recall_grows_and_precision_may_fall() -> None:
    numbers = numbers_of("metrics", "cutoff")
    assert numbers.curves["precision"] == pytest.approx(
        [0, 1 / 2, 1 / 3, 2 / 4, 2 / 5, 2 / 6, 2 / 7, 2 / 8, 3 / 9, 3 / 10]
    )
    assert numbers.curves["recall"] == pytest.approx([0, 1 / 4, 1 / 4, *[2 / 4] * 5, 3 / 4, 3 / 4])
    assert scene_of("metrics", "cutoff").answer == "precision"


def test_a_swap_at_the_top_counts_more() -> None:
    """Rank 2 to 1 gains 1 - 1 / log2(3), rank 4 to 3 gains 1/2 - 1 / log2(5), both over the ideal."""
    numbers = numbers_of("metrics", "swap")
    assert numbers.gains == pytest.approx(((1 - 1 / log2(3)) / IDEAL, (1 / 2 - 1 / log2(5)) / IDEAL))
    assert scene_of("metrics", "swap").answer == "top"
    below = numbers_of("metrics", "swap", k=2)
    assert below.gains[1] == pytest.approx(0)


def test_only_metrics_of_ranks_see_the_order() -> None:
    """Reversed, the six films have hits at ranks 3 and 5."""
    numbers = numbers_of("metrics", "order")
    assert numbers.reversed_values["map"] == pytest.approx((1 / 3 + 2 / 5) / 4)
    assert numbers.reversed_values["recall"] == numbers.values["recall"]
    assert scene_of("metrics", "order").answer == "ordered"
    assert scene_of("metrics", "order", k=1).answer == "none"


def test_one_name_several_numbers() -> None:
    """RecTools divides by the DCG of six hits; LensKit's discount counts ranks 1 and 2 the same."""
    values = {name: value for name, value, _reason in numbers_of("metrics", "libraries").libraries}
    assert values["Recscope"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / IDEAL)
    dcg = 1 / log2(3) + 1 / log2(5)
    assert values["RecTools NDCG"] == pytest.approx(dcg / sum(1 / log2(rank + 1) for rank in range(1, 7)))
    assert scene_of("metrics", "libraries").answer == "more"
    assert values["LensKit NDCG"] == pytest.approx((1 + 1 / log2(4)) / (1 + 1 + 1 / log2(3) + 1 / 2))
    assert scene_of("metrics", "libraries", metric="recall", k=3, outside=0).answer == "one"
