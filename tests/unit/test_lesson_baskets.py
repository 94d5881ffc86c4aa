"""Lesson 10 by hand: bread is in 7 of the 10 baskets, butter in 4, all of them with bread; tea in 3, milk in 8."""

import pytest

from tests.lessons import numbers_of, scene_of


def test_confidence_and_lift_of_bread_and_butter() -> None:
    """Both in 4 baskets: 4/7 and 4/4; lift (4/10) / (7/10 * 4/10) = 10/7 in both directions."""
    numbers = numbers_of("baskets", "direction")
    forward, backward = numbers.rule(0, 1), numbers.rule(1, 0)
    assert forward.support == backward.support == pytest.approx(0.4)
    assert (forward.confidence, backward.confidence) == pytest.approx((4 / 7, 1.0))
    assert forward.lift == pytest.approx(10 / 7)
    assert backward.lift == pytest.approx(10 / 7)
    assert scene_of("baskets", "direction").answer == "backward"


def test_tea_makes_milk_less_likely() -> None:
    """2 of 3 baskets with tea, but 8 of 10 of all: lift (2/3) / (8/10) = 5/6."""
    rule = numbers_of("baskets", "lift").rule(4, 3)
    assert (rule.confidence, rule.lift) == pytest.approx((2 / 3, 5 / 6))
    assert scene_of("baskets", "lift").answer == "less"


@pytest.mark.parametrize(("support", "kept"), [(0.2, "kept"), (0.3, "dropped")])
def test_a_rule_of_two_baskets_needs_a_low_support(support: float, kept: str) -> None:
    assert scene_of("baskets", "support", support=support).answer == kept


def test_a_minimum_lift_takes_the_frequent_product_off_the_top() -> None:
    """Bread -> milk: confidence 5/7, lift (5/7) / (8/10) < 1; bread -> butter: 4/7, lift 10/7."""
    assert numbers_of("baskets", "list").scores[3] == pytest.approx(5 / 7)
    assert scene_of("baskets", "list").answer == "Milk"
    assert numbers_of("baskets", "list", lift=1).scores[3] is None
    assert scene_of("baskets", "list", lift=1).answer == "Butter"


def test_without_pairs_there_is_no_rule() -> None:
    alone = tuple(tuple(1 if item == row % 6 else None for item in range(6)) for row in range(10))
    numbers = numbers_of("baskets", "list", baskets=alone)
    assert numbers.rules == ()
    assert numbers.leader == "none"
    assert scene_of("baskets", "rule", baskets=alone).formula is None
    assert scene_of("baskets", "support", baskets=alone).answer == "absent"
