"""Lesson 1 by hand: lines 6 (no item) and 9 (no time) of the file are rejected; six pairs remain."""

import pytest

from tests.lessons import numbers_of, scene_of


def test_two_lines_are_rejected_with_their_reasons() -> None:
    numbers = numbers_of("matrix", "lines")
    assert numbers.accepted == 10
    assert [line for line, _reason in numbers.rejected] == [6, 9]
    assert [reason.partition(":")[0] for _line, reason in numbers.rejected] == ["item", "time"]
    assert scene_of("matrix", "lines").answer == "10"


def test_six_pairs_fill_six_cells() -> None:
    numbers = numbers_of("matrix", "cells")
    assert numbers.users == ("ana", "ben", "cleo", "dev"), "spaces around cleo are no part of the identifier"
    assert numbers.items == ("tea", "jam", "mug")
    assert numbers.cells == ((7, None, 1), (None, 6, None), (1, None, 5), (None, None, 2))
    assert scene_of("matrix", "cells").answer == "6"


@pytest.mark.parametrize(
    ("duplicates", "weight", "value"), [("keep", 5, "7"), ("last", 5, "6"), ("sum", 5, "7"), ("last", 1, "2")]
)
def test_the_cell_of_ana_and_tea(duplicates: str, weight: float, value: str) -> None:
    """Two views of weight 1 and a purchase; 'last' keeps one of the views."""
    scene = scene_of("matrix", "weights", duplicates=duplicates, weight=weight)
    assert scene.answer == value
    assert scene.formula is not None
    assert scene.formula.numbers.startswith(rf"\lit1{{{value}}} = ")


def test_capitals_make_another_user_and_the_reader_says_so() -> None:
    numbers = numbers_of("matrix", "spelling")
    assert numbers.users == ("ana", "ben", "cleo", "CLEO", "dev")
    scene = scene_of("matrix", "spelling")
    assert scene.answer == "5"
    assert numbers.alike == 2
    assert "warns about 2 users" in scene.finding
