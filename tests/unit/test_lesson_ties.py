"""Ties that a reader can make: no sentence names one of several best, and no question asks for a single one."""

from typing import Any

import pytest

from recsys_core.lessons import content, friends, neighbors
from recsys_core.lessons.picture import Scene, tied, undecided
from recsys_core.lessons.registry import lesson
from recsys_core.lessons.variation import varied
from tests.lessons import scene_of


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        ({"a": 1.0, "b": 1.0, "c": 0.5}, ["a", "b"]),
        ({"a": 1.0, "b": 1.0 - 1e-7}, ["a", "b"]),
        ({"a": 1.0, "b": 0.99}, []),
        ({"a": 4.36e-7, "b": 4.35e-7}, []),
        ({"a": 0.0, "b": 0.0}, ["a", "b"]),
        ({"a": -1.0, "b": -1.0}, ["a", "b"]),
        ({"a": 1.0, "b": None}, []),
        ({"a": None}, []),
        ({}, []),
    ],
)
def test_the_best_are_tied_if_they_are_equal(scores: dict[str, float | None], names: list[str]) -> None:
    assert tied(scores) == names


def test_without_a_tie_a_question_keeps_its_answer() -> None:
    scene = Scene((), finding="a leads", answer="a")
    assert undecided(scene, [], "{names}") == scene
    assert undecided(scene, ["a", "{b}"], "equal: {names}") == Scene((), impossible="equal: a, {b}")


def edited(rows: Any, **cells: Any) -> tuple[tuple[Any, ...], ...]:
    """Return a table with other rows, by `r` and their number."""
    return tuple(cells.get(f"r{number}", row) for number, row in enumerate(rows))


BEN_AS_CLEO = {"ratings": edited(neighbors.RATINGS, r1=neighbors.RATINGS[2])}
"""Ben has the row of Cleo, who is nearest to Ana by the cosine."""
HAVEN_AS_DUNES = {"tags": edited(content.HAS, r5=content.HAS[1])}
ALL_ALIKE = {"ratings": ((5, None, None, None, None), (4, 5, 3, 3, 3), (None,) * 5, (None,) * 5, (2, 2, 4, 4, 4))}
"""Dunes has ratings of 5 and 2, the other three of 3 and 4."""
ALMOST = {
    "user": "Cleo",
    "ratings": (
        (1, 5, 5, None, None),
        (None, None, None, None, 1),
        (None, None, 2, 3, 1),
        (4, None, None, 5, None),
        (4, None, None, 1, 1),
    ),
}
"""Two of Cleo's scores, 2.7 each, differ in their last bit."""
CLEO_AS_BEN = {"watched": edited(friends.WATCHED, r2=friends.WATCHED[1])}


@pytest.mark.parametrize(
    ("key", "step", "values", "words"),
    [
        ("content", "liking", {"liking": "equal"}, "Dunes, Haven have the same score"),
        ("document_formula", "leader", ALL_ALIKE, "Dunes, Ember, Fjord, Grove have the same score"),
        ("neighbors", "nearest", BEN_AS_CLEO, "Ben, Cleo are equally similar"),
        ("neighbors", "measure", BEN_AS_CLEO | {"measure": "cosine"}, "Ben, Cleo are equally similar"),
        ("closed_form", "gram", {"film": "Comet"}, "Dunes, Ember, Haven share equally many users with it"),
        ("closed_form", "weights", {"film": "Haven"}, "it raises Comet, Ember equally"),
        ("baskets", "list", {"left": "Jam"}, "Bread, Butter have the same score"),
        ("friends", "mix", CLEO_AS_BEN, "Ben, Cleo have the same weight"),
    ],
)
def test_a_question_for_the_best_is_not_asked_in_a_tie(key: str, step: str, values: Any, words: str) -> None:
    scene = scene_of(key, step, **values)
    assert words in scene.impossible
    assert (scene.answer, scene.finding, scene.formula) == ("", "", None)


@pytest.mark.parametrize(
    ("key", "step", "values", "words"),
    [
        ("content", "vectors", HAVEN_AS_DUNES, "Dunes, Haven lead with"),
        ("document_formula", "terms", ALL_ALIKE, "Dunes, Ember, Fjord, Grove lead for Ana, with 4.50 each"),
        ("neighbors", "rows", BEN_AS_CLEO, "Cosine: Ben, Cleo are nearest, equally similar to Ana (0.713)"),
        ("document_formula", "alpha", ALL_ALIKE | {"other": "Emi"}, "Ana: Dunes = Ember = Fjord = Grove > Comet."),
        ("document_formula", "repair", ALMOST, "Cleo: Grove > Comet = Fjord > Dunes > Ember."),
        ("friends", "taste", CLEO_AS_BEN, "Ben, Cleo have the largest weight, 0.82 each."),
        (
            "whole_list",
            "relevance",
            {"order": (0, 3, 1, 4, 2, 5, 6, 7)},
            "space, nature lead with 2 each of the first 4",
        ),
    ],
)
def test_a_finding_names_all_of_the_best(key: str, step: str, values: Any, words: str) -> None:
    scene = scene_of(key, step, **values)
    assert words in scene.finding
    assert not scene.impossible


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_numbers_of_a_class_leave_every_question(seed: int) -> None:
    """Four of the six films of this lesson have a tie in the first step."""
    of = lesson("closed_form")
    values = varied(of, seed)
    for step in of.steps:
        own = of.values_in(step.key, values)
        assert not of.scene(step.key, own, of.numbers(step.key, own)).impossible
