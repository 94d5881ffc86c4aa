"""Lesson 18 by hand: relevance 1, 7/8, ... by rank; similarity 1 within a genre, else 0."""

import pytest

from recsys_core.lessons.whole_list import GENRES
from tests.lessons import numbers_of, scene_of


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        # 0.5, place 2: Dunes 7/16 - 1/2, Fjord 5/16; place 3: Inlet 2/16; place 4: Dunes -1/16, Grove -1/4
        (0.5, (0, 3, 6, 1)),
        # place 2 at 0.9: Dunes 0.9 * 7/8 - 0.1 = 0.6875 beats Fjord 0.9 * 5/8 = 0.5625
        (0.9, (0, 1, 2, 3)),
        (1.0, (0, 1, 2, 3)),
    ],
)
def test_mmr_place_by_place(weight: float, expected: tuple[int, ...]) -> None:
    numbers = numbers_of("whole_list", "drops", weight=weight)
    assert numbers.relevance == pytest.approx([1 - place / 8 for place in range(8)])
    assert numbers.after == expected


def test_the_second_place_has_the_largest_mmr() -> None:
    scene = scene_of("whole_list", "second")
    gains = next(part for part in scene.revealed().parts if part.name == "gain")
    assert gains.values[gains.labels.index("Fjord")] == pytest.approx(0.5 * 5 / 8)  # type: ignore[union-attr]
    assert gains.values[gains.labels.index("Dunes")] == pytest.approx(0.5 * 7 / 8 - 0.5)  # type: ignore[union-attr]
    assert scene.answer == "Fjord"
    assert scene_of("whole_list", "drops").answer == "1"


@pytest.mark.parametrize(("most", "after", "answer"), [(1, (0, 3, 6), "no"), (2, (0, 1, 3, 4), "yes")])
def test_a_quota_is_never_broken(most: int, after: tuple[int, ...], answer: str) -> None:
    """One film each of space, nature and drama; or two of space and two of nature."""
    numbers = numbers_of("whole_list", "quota", most=most)
    assert sorted(numbers.after) == sorted(after)
    assert all(sum(GENRES[film] == genre for film in numbers.after) <= most for genre in GENRES)
    assert scene_of("whole_list", "quota", most=most).answer == answer


def test_the_price_is_a_paired_difference() -> None:
    before, after, difference, low, high = numbers_of("whole_list", "price", weight=0.1).price
    assert difference == pytest.approx(after - before)
    assert low < difference < high
    free = numbers_of("whole_list", "price", weight=1.0)
    assert free.price[2] == 0
    assert free.genres[0] == free.genres[1]
    assert scene_of("whole_list", "price", weight=1.0).answer == "no"


def test_decimals_follow_the_interval_of_the_price() -> None:
    """Ends of -0.035 and -0.0043: the second one would read as 0.00."""
    assert "by -0.02 (-0.03 to -0.004), genres" in scene_of("whole_list", "price", weight=0.7).finding
