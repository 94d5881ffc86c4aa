"""Lessons on a teacher's matrix: the same numbers as built in, computed answers, and steps that say what they lack."""

import math
import re
from typing import Any

import pytest

from recsys_core.errors import ConfigError
from recsys_core.lessons import closed_form, document_formula, gradient, neighbors
from recsys_core.lessons.controls import Choice
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.own.registry import OWN, WHY_NOT, own_lesson
from recsys_core.lessons.own.table import read_table
from recsys_core.lessons.picture import Grid, Scene
from recsys_core.lessons.registry import LESSONS, lesson
from recsys_core.lessons.variation import varied
from recsys_core.lessons.wording import Told, told
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.viz.worksheet import worksheet_html
from tests.lessons import record
from tests.unit.test_lessons import check_symbols

BUILT_IN = {
    "neighbors": neighbors.WORLD,
    "prediction": neighbors.WORLD,
    "convergence": neighbors.WORLD,
    "gradient": gradient.WORLD,
}
HOSTILE = RatedWorld(
    ("<b>*Ana*</b>", "<b>Ben</b>", "{me}", "$x$", "Emi", "Finn"),
    ("Das *Boot*", "[l](http://a.b)", "<i>Mug</i>", "%s {0}", "Tea; Jam", "`Pen`"),
    neighbors.RATINGS, own=True,
)  # fmt: skip
FULL = RatedWorld(("A", "B", "C"), ("X", "Y", "Z"), ((1, 2, 3), (3, 2, 1), (2, 2, 3)), own=True)
APART = RatedWorld(("A", "B", "C"), ("X", "Y", "Z"), ((5, None, None), (None, 4, None), (None, None, 3)), own=True)


def mine(world: RatedWorld) -> RatedWorld:
    return RatedWorld(world.users, world.items, world.ratings, world.high, own=True)


def position(key: str, option: str, world: RatedWorld) -> Any:
    """Return an answer of a built-in lesson as on a teacher's matrix."""
    if option in world.users:
        return mine(world).user_keys[world.users.index(option)]
    return mine(world).item_keys[world.items.index(option)] if option in world.items else option


def shown(of: Lesson, step: str, **values: Any) -> Scene:
    now = of.values_in(step, of.starts() | values)
    return of.scene(step, now, of.numbers(step, now))


def table(world: RatedWorld, **cells: int | None) -> Cells:
    """Return the ratings with cells such as `u1i2` replaced."""
    rows = [list(row) for row in world.ratings]
    for place, cell in cells.items():
        user, item = (int(number) - 1 for number in re.findall(r"\d", place))
        rows[user][item] = cell
    return rows


@pytest.mark.parametrize("key", BUILT_IN)
def test_the_built_in_matrix_gives_the_built_in_numbers(key: str) -> None:
    world, base = BUILT_IN[key], lesson(key)
    of = own_lesson(key, mine(world))
    assert of.step_keys == base.step_keys
    for step in base.steps:
        values = base.values_in(step.key, base.starts())
        own = of.values_in(step.key, {name: _own(name, value, world) for name, value in values.items()})
        own |= {name: _own(name, value, world) for name, value in step.fixed.items()}
        before, now = base.numbers(step.key, values), of.numbers(step.key, own)
        if key in ("gradient", "convergence"):
            assert str(now) == str(before), step.key
        scene, expected = of.scene(step.key, own, now), base.scene(step.key, values, before)
        if key == "prediction" and step.key == "mistake":
            continue  # another voter is mistaken
        assert scene.answer == position(key, expected.answer, world), step.key
        assert scene.formula == expected.formula
        assert scene.parts == expected.parts


def _own(name: str, value: Any, world: RatedWorld) -> Any:
    return position("", value, world) if isinstance(value, str) else value


@pytest.mark.parametrize("key", OWN)
def test_every_step_has_an_answer_or_says_what_it_lacks(key: str) -> None:
    for world in (HOSTILE, FULL, APART):
        of = own_lesson(key, world)
        assert 3 <= len(of.steps) <= 6
        known = {control.key for control in of.controls}
        for step in of.steps:
            assert set(step.controls) <= known
            assert not set(step.controls) & set(step.fixed)
            scene = shown(of, step.key)
            if scene.impossible:
                assert isinstance(scene.revealed().parts[0], Grid)
                assert scene.formula is None
                assert not scene.finding
                continue
            assert step.predict is None or scene.answer in step.predict.options, step.key
            assert "nan" not in scene.finding
            if scene.formula:
                check_symbols(scene, step.key)


@pytest.mark.parametrize("key", OWN)
def test_the_production_functions_of_the_lesson_are_called(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of = own_lesson(key, HOSTILE)
    for step in of.steps:  # compiled loops must not see the recorders
        of.numbers(step.key, of.values_in(step.key, of.starts()))
    calls = record(monkeypatch, tuple(of.functions))
    for step in of.steps:
        of.numbers(step.key, of.values_in(step.key, of.starts()))
    assert all(calls.values()), calls


@pytest.mark.parametrize("key", OWN)
def test_texts_name_nobody_of_the_built_in_example(key: str) -> None:
    """Steps and questions are about the table; only the names of its own users and items stand in them."""
    world = RatedWorld(tuple("ABCDEF"), tuple("UVWXYZ"), neighbors.RATINGS, own=True)
    of = own_lesson(key, world)
    texts = [of.title, of.idea, *(one for check in of.checks for one in (check.question, *check.options, check.why))]
    for step in of.steps:
        texts += [step.title, step.text]
        texts += [step.predict.question, *step.predict.options.values()] if step.predict else []
        scene = shown(of, step.key)
        texts += [scene.finding, scene.impossible, *(getattr(part, "title", "") for part in scene.parts)]
        texts += [symbol.meaning for symbol in scene.formula.symbols] if scene.formula else []
    for control in of.controls:
        texts += [control.label, *(control.options.values() if isinstance(control, Choice) else ())]
    built_in = re.compile("|".join((*neighbors.USERS, *neighbors.FILMS, "[Ff]ilm")))
    for text in texts[2:]:  # the idea of lesson 9 speaks of films
        assert not built_in.search(told(text)), told(text)


def test_who_is_nearest_is_computed_and_not_remembered() -> None:
    """With the first rating at 1 instead of 5, the cosine selects another user than in the built-in example."""
    of = own_lesson("neighbors", HOSTILE)
    assert shown(of, "nearest").answer == "u3"
    changed = table(HOSTILE, u1i1=1, u1i3=5)
    scene = shown(of, "nearest", ratings=changed)
    numbers = of.numbers("nearest", of.values_in("nearest", of.starts() | {"ratings": changed}))
    best = max(range(5), key=numbers.similarities["cosine"].__getitem__)
    assert scene.answer == f"u{best + 2}"
    assert HOSTILE.users[best + 1] in scene.finding


def test_a_tie_is_no_answer() -> None:
    """B and C give the same ratings, so nobody is nearest to A alone: 1 * 2 + 2 * 3 over the same lengths."""
    world = RatedWorld(("A", "B", "C"), ("X", "Y", "Z"), ((1, 2, None), (2, 3, 4), (2, 3, 4)), own=True)
    scene = shown(own_lesson("neighbors", world), "nearest")
    assert "B, C are equally similar" in scene.impossible
    assert scene.answer == ""


@pytest.mark.parametrize(
    ("key", "step", "world", "words"),
    [
        ("neighbors", "rows", APART, "A shares no rated item with any other user"),
        ("neighbors", "chance", FULL, "B shares 3"),
        ("prediction", "mean", FULL, "A rated X: there is nothing to predict"),
        ("prediction", "mean", APART, "No user who rated Y shares a rated item with A"),
        ("prediction", "k", APART, "Only B rated Y"),
        ("convergence", "again", FULL, "Every cell has a rating"),
        ("convergence", "again", APART, "No two users share a rated item"),
        ("closed_form", "gram", APART, "No user rated two items"),
        ("closed_form", "score", FULL, "A rated every item"),
        ("document_formula", "repair", HOSTILE, "genres; a rating matrix has none"),
        ("document_formula", "rating", FULL, "no user can rate another item"),
    ],
)
def test_a_step_without_a_point_says_why(key: str, step: str, world: RatedWorld, words: str) -> None:
    assert words in shown(own_lesson(key, world), step).impossible


def test_a_step_of_gradient_descent_by_hand() -> None:
    """A rates X 1, mean 19/9, e = 1 - (19/9 + 0.6 * 0.5 - 0.2 * 0.8); p moves by 0.1 e q against q."""
    of = own_lesson("gradient", FULL)
    values = of.values_in("direction", of.starts())
    numbers = of.numbers("direction", values)
    error = 1 - (19 / 9 + 0.3 - 0.16)
    assert numbers.error == pytest.approx(error, abs=1e-5)
    assert numbers.after.p == pytest.approx((0.6 + 0.1 * error * 0.5, -0.2 + 0.1 * error * 0.8), abs=1e-5)
    assert shown(of, "direction").answer == "away"


def test_the_least_rated_item_gets_the_highest_rating() -> None:
    """Column Z has one rating, the fewest; user A gives it the highest."""
    world = RatedWorld(("A", "B", "C"), ("X", "Y", "Z"), ((4, 2, None), (5, 3, 1), (4, None, None)), own=True)
    of = own_lesson("document_formula", world)
    scene = shown(of, "rating")
    assert document_formula.newcomer(world.ratings, world) == (2, 0)
    before, after = (6 + 3 + 1) / (2 + 1), (11 + 11 / 3 + 3) / (3 + 2)  # A: 4 + 2; with 5 for Z: 4 + 2 + 5
    assert f"Z had {before:.2f}, and has {after:.2f}" in scene.finding
    assert scene.answer == ("rises" if after > before else "falls")
    assert math.isclose(after, 3.5333, abs_tol=1e-3)


def test_ease_counts_who_rated_and_not_how() -> None:
    of = own_lesson("closed_form", HOSTILE)
    seen = of.starts()["histories"]
    assert seen == tuple(tuple(None if cell is None else 1 for cell in row) for row in neighbors.RATINGS)
    numbers = of.numbers("gram", of.values_in("gram", of.starts()))
    assert numbers.gram[0][0] == sum(row[0] is not None for row in neighbors.RATINGS)
    assert closed_form.WORLD.own is False


@pytest.mark.parametrize("key", OWN)
def test_names_are_shown_letter_by_letter(key: str) -> None:
    """In the worksheet as HTML, and in the texts of a page as escaped names; a template in a name stays a name."""
    of = own_lesson(key, HOSTILE)
    html = worksheet_html(of, solutions=True)
    body = html[: html.index("<script type='module'>")]
    assert "<b>" not in body
    assert "<i>" not in body
    assert "<em>Ana</em>" not in body
    options = [option for step in of.steps if step.predict for option in step.predict.options.values()]
    names = [told(option, str.upper) for option in options if isinstance(option, Told)]
    assert all(name == name.upper() for name in names)


def test_the_worksheet_of_another_class_has_other_numbers_in_the_same_cells() -> None:
    of = own_lesson("neighbors", HOSTILE)
    assert varied(of, 0)["ratings"] == HOSTILE.ratings
    other = varied(of, 3)["ratings"]
    assert other != HOSTILE.ratings
    gaps = [[cell is None for cell in row] for row in other]
    assert gaps == [[cell is None for cell in row] for row in HOSTILE.ratings]
    sheet = worksheet_html(own_lesson("document_formula", HOSTILE), solutions=True)
    assert "a rating matrix has none" in sheet


def test_lessons_that_do_not_fit_say_why() -> None:
    assert set(OWN) | set(WHY_NOT) == set(LESSONS)
    assert not set(OWN) & set(WHY_NOT)
    with pytest.raises(ConfigError, match="does not run on a rating matrix"):
        own_lesson("gates", FULL)


def test_a_scale_to_nine_is_used_everywhere() -> None:
    world = read_table(b"user,X,Y,Z\nA,9,4,\nB,8,,2\nC,,1,5\n")
    scene = shown(own_lesson("neighbors", world), "rows")
    grid = scene.parts[0]
    assert isinstance(grid, Grid)
    assert (grid.title, grid.tone) == ("Ratings (1 to 9; empty: not rated)", (1, 9))
