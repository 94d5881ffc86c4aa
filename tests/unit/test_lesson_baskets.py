"""Lesson 10 by hand: bread is in 7 of the 10 baskets, butter in 4, all of them with bread; tea in 3, milk in 8."""

from typing import Any

import pytest

from recsys_core.lessons.baskets import BOUGHT
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


def test_shares_of_eight_baskets_are_rounded_as_by_hand() -> None:
    """Butter is in 3 of the 8 baskets with milk, 0.375, and bread in 5: 0.625; 0.3 / 0.8 lies below 0.375."""
    rule = numbers_of("baskets", "rule", left="Milk", right="Butter").rule(3, 1)
    assert rule.confidence == 3 / 8
    assert "in 0.38 of those with Milk" in scene_of("baskets", "rule", left="Milk").finding


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
    assert "never in one basket: there is no rule" in scene_of("baskets", "direction", baskets=alone).impossible
    assert scene_of("baskets", "support", baskets=alone).answer == "absent"


def test_the_rules_that_are_counted_reach_both_thresholds() -> None:
    """All 22 rules have a support of at least 0.1; four of them are certain."""
    finding = scene_of("baskets", "support", support=0.1, confidence=1).finding
    assert finding == "4 of 22 rules reach a support of 0.1 and a confidence of 1.00."
    assert scene_of("baskets", "support", support=0.4, confidence=1).finding.startswith("1 of 22 rules reaches a ")


def test_a_share_in_a_sentence_is_that_of_its_bar() -> None:
    """One of the eight baskets with milk has jam: 0.125, a tie of the rounding."""
    scene = scene_of("baskets", "rule", left="Milk", right="Jam")
    assert scene.finding == "Jam is in 0.20 of all baskets, and in 0.13 of those with Milk."


NO_TEA = tuple((*row[:4], None, row[5]) for row in BOUGHT)


@pytest.mark.parametrize(
    ("step", "values", "words"),
    [
        ("rule", {"left": "Jam", "right": "Jam"}, "choose two different products"),
        ("direction", {"left": "Jam", "right": "Jam"}, "choose two different products"),
        ("lift", {"baskets": NO_TEA}, "No basket has Tea, so its rules are undefined."),
    ],
)
def test_without_a_rule_to_speak_of_there_is_no_question(step: str, values: dict[str, Any], words: str) -> None:
    scene = scene_of("baskets", step, **values)
    assert words in scene.impossible
    assert (scene.answer, scene.finding) == ("", "")
