"""Tables that a learner can make: a step says what they lack, and no question is asked that has no right answer."""

from typing import Any

import pytest

from recsys_core.errors import RecscopeError
from recsys_core.lessons.controls import Choice, Matrix, Slider
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.picture import Bars
from recsys_core.lessons.registry import lesson, lessons
from tests.lessons import scene_of

WITH_TABLES = [of.key for of in lessons() if any(isinstance(control, Matrix) for control in of.controls)]


def tables(control: Matrix) -> list[tuple[tuple[int | None, ...], ...]]:
    """Return tables that are full, full of the smallest number, or lack a row, a column, or all but one row or cell."""
    start = tuple(map(tuple, control.start))
    rows, columns = len(start), len(start[0])
    none = (None,) * columns
    return [
        ((control.high,) * columns,) * rows,
        ((control.low,) * columns, *start[1:]),
        (none, *start[1:]),
        tuple(none if place == 1 else row for place, row in enumerate(start)),
        tuple((*row[:-1], None) for row in start),
        (start[0], *(none,) * (rows - 1)),
        ((control.high, *none[1:]), *(none,) * (rows - 1)),
        (none,) * rows,
    ]


def settings(of: Lesson, step: str) -> list[dict[str, Any]]:
    """Return each broken table, and each value of each control of the step with the first values of the others."""
    found: list[dict[str, Any]] = [
        {control.key: table} for control in of.controls if isinstance(control, Matrix) for table in tables(control)
    ]
    for control in of.controls:
        if isinstance(control, Choice | Slider) and control.key in of.step(step).controls:
            found += [{control.key: value} for value in control.options]
    return found


@pytest.mark.parametrize("key", WITH_TABLES)
def test_a_question_has_a_right_answer_or_is_not_asked(key: str) -> None:
    of = lesson(key)
    for step in of.steps:
        for values in settings(of, step.key):
            try:
                scene = scene_of(key, step.key, **values)
            except RecscopeError:  # the page shows what the model needs
                continue
            options = step.predict.options if step.predict else {scene.answer: ""}
            assert scene.impossible or scene.answer in options, (step.key, values)
            assert not {"nan", "inf", "–"} & set(scene.finding.replace(".", " ").replace(",", " ").split()), scene


NOT_A_FILM = {"histories": ((None,) * 6, *(((1,) * 6,) * 5))}

LIKE_ANA = {"ratings": ((5, 4, 1, 2, None, None), (5, 4, 1, 2, None, None), *((1, None, 5, None, None, 5),) * 4)}
"""Ben has exactly the ratings of Ana."""


def test_a_user_with_the_same_ratings_is_shown_as_left_out() -> None:
    """The formula gives Ben a similarity of 1, which the model does not use."""
    scene = scene_of("neighbors", "rows", **LIKE_ANA)
    assert scene.formula is not None
    assert scene.formula.numbers.startswith(r"\lit1{1.000}")
    bars = next(part for part in scene.parts if isinstance(part, Bars))
    assert (bars.values[0], bars.notes) == (None, ["n = 4, left out", *["n = 2"] * 4])
    assert scene.finding.endswith("is left out: for User kNN, equal rows are one user.")


@pytest.mark.parametrize(
    ("key", "step", "values", "words"),
    [
        ("neighbors", "nearest", LIKE_ANA, "Ben has exactly the ratings of Ana and is left out"),
        ("neighbors", "shrinkage", {"ratings": ((5,) * 6,) * 6}, "Ben, Cleo, Dev, Emi and Finn have exactly"),
        ("closed_form", "score", NOT_A_FILM, "Ana rated nothing: there is no history to sum over."),
        ("closed_form", "score", NOT_A_FILM | {"user": "Ben"}, "Ben rated every item: there is none to recommend."),
        ("gradient", "size", {"item": "Ember"}, "Ana has not rated Ember: only given ratings are learned from."),
        ("gradient", "passes", {"ratings": ((None,) * 4,) * 4}, "The table has no rating to learn from."),
        ("gradient", "diverges", {"passes": 1}, "One pass has no other to compare with."),
        ("convergence", "stranger", {"ratings": ((5,) * 6,) * 6}, "Every cell has a rating: there is no gap to fill."),
        ("prediction", "k", {"ratings": ((5, 4, 1, 2, None, None), *((None,) * 6,) * 5)}, "No other user rated Haven"),
    ],
)
def test_a_step_says_what_an_edited_table_lacks(key: str, step: str, values: Any, words: str) -> None:
    scene = scene_of(key, step, **values)
    assert words in scene.impossible
    assert (scene.answer, scene.finding, scene.formula) == ("", "", None)
