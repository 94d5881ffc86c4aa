"""Every lesson: its form, its links, its places, and the production functions behind its numbers."""

import re

import pytest

from pages.ui.navigation import PAGES
from recsys_core.errors import ConfigError
from recsys_core.lessons.controls import Choice, Matrix, Order, Slider, decoded, encoded
from recsys_core.lessons.document import SECTIONS
from recsys_core.lessons.lesson import CHECK
from recsys_core.lessons.picture import (
    MOST_SYMBOLS,
    Bars,
    Grid,
    ListPart,
    Plane,
    Scene,
    colored,
    digits_for,
    shown,
    signed,
    summed,
)
from recsys_core.lessons.registry import LESSONS, lesson, lessons
from recsys_core.viz.lesson_picture import picture_data, symbols_data
from tests.lessons import all_scenes, forget, record

KEYS = tuple(LESSONS)


@pytest.mark.parametrize("key", KEYS)
def test_a_lesson_has_the_form_of_a_lesson(key: str) -> None:
    of = lesson(key)
    assert of.key == key
    assert 3 <= len(of.steps) <= 6
    assert sum(step.breaks for step in of.steps) == 1
    assert any(step.predict for step in of.steps)
    assert set(of.sections) <= {section.key for section in SECTIONS}
    assert of.own_data.page in {page.key for page in PAGES}
    known = {control.key for control in of.controls}
    assert all(set(step.controls) <= known and set(step.fixed) <= known for step in of.steps)
    assert all(not set(step.controls) & set(step.fixed) for step in of.steps), "a control without effect"
    assert all(0 <= check.right < len(check.options) for check in of.checks)
    assert len(set(of.step_keys)) == len(of.step_keys)


def test_a_slow_lesson_keeps_its_results() -> None:
    """What is computed ahead is not computed again when the learner gets there."""
    for of in lessons():
        if of.is_slow:
            step = of.steps[0]
            values = of.values_in(step.key, of.starts())
            assert of.numbers(step.key, values) is of.numbers(step.key, values)


def test_lessons_are_numbered_in_the_order_of_the_course() -> None:
    numbers = [one.number for one in lessons()]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("key", KEYS)
def test_every_step_has_an_answer_and_lights_places_that_exist(key: str) -> None:
    of = lesson(key)
    for step, scene in all_scenes(of):
        predict = of.step(step).predict
        assert predict is None or scene.answer in predict.options, step
        assert predict is None or len(scene.veiled().parts) < len(scene.parts) or scene.formula, step
        assert scene.veiled().formula is None
        if scene.formula:
            check_symbols(scene, step)


def check_symbols(scene: Scene, step: str) -> None:
    assert scene.formula is not None
    symbols = scene.formula.symbols
    assert len(symbols) <= MOST_SYMBOLS
    for latex in (scene.formula.general, scene.formula.numbers):
        used = {int(number) for number in re.findall(r"\\lit(\d)", latex)}
        assert used <= set(range(1, len(symbols) + 1)), (step, latex)
        assert latex.count("{") == latex.count("}")
    assert any(symbol.places for symbol in symbols), step
    known = places(scene.revealed())
    for symbol in symbols:
        for place in symbol.places:
            pattern = re.escape(place).replace(r"\*", "[^/]+")
            assert any(re.match(rf"{pattern}(/|$)", one) for one in known), (step, symbol.text, place)


def places(scene: Scene) -> set[str]:
    found = set()
    for part in scene.parts:
        if isinstance(part, Grid):
            found |= {
                f"{part.name}/{row}/{column}" for row in range(len(part.rows)) for column in range(len(part.columns))
            }
        elif isinstance(part, Bars | ListPart):
            found |= {f"{part.name}/{at}" for at in range(len(part.labels))}
        else:
            found |= {f"{part.name}/{at}" for at in range(len(part.arrows if isinstance(part, Plane) else part.series))}
    return found


@pytest.mark.parametrize("key", KEYS)
def test_the_production_functions_are_called(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions that a lesson names are those that its numbers come from, in at least one of its steps."""
    of = lesson(key)
    for step in of.steps:  # compiled loops must not see the recorders
        of.numbers(step.key, of.values_in(step.key, of.starts()))
    forget(of)
    calls = record(monkeypatch, tuple(of.functions))
    for step in of.steps:
        of.numbers(step.key, of.values_in(step.key, of.starts()))
    assert calls
    assert all(calls.values()), calls


@pytest.mark.parametrize("key", KEYS)
def test_the_code_of_a_link_gives_the_same_values(key: str) -> None:
    of = lesson(key)
    assert of.encode(of.starts()) == ""
    changed = dict(of.starts())
    for control in of.controls:
        if isinstance(control, Matrix):
            changed[control.key] = control.edited(changed[control.key], 0, 0, None)
        elif isinstance(control, Order):
            changed[control.key] = control.moved(changed[control.key], 0, 2)
        else:
            changed[control.key] = list(control.options)[-1]
    assert of.decode(of.encode(changed)) == changed


@pytest.mark.parametrize("code", ["nothing:1", "size:7", "word:c", "table:12", "table:19-4", "order:0.1.1", "order:x"])
def test_a_code_with_impossible_values_is_refused(code: str) -> None:
    with pytest.raises(ConfigError):
        decoded(CONTROLS, code)


CONTROLS = (
    Slider("size", "Size", (1, 2.5), 1),
    Choice("word", "Word", {"a": "A", "b": "B"}, "a"),
    Matrix("table", "Table", ((1, None), (3, 4))),
    Order("order", "Order", (0, 1, 2)),
)


def test_codes_are_short_and_leave_out_what_is_unchanged() -> None:
    values = {"size": 2.5, "word": "a", "table": ((1, 5), (None, 4)), "order": (2, 0, 1)}
    assert encoded(CONTROLS, values) == "size:2.5;table:15-4;order:2.0.1"
    assert decoded(CONTROLS, "size:2.5;table:15-4;order:2.0.1") == values


def test_edits_outside_a_table_or_a_list_are_refused() -> None:
    table, order = CONTROLS[2], CONTROLS[3]
    assert isinstance(table, Matrix)
    assert isinstance(order, Order)
    assert table.edited(table.start, 0, 1, 2) == ((1, 2), (3, 4))
    assert order.moved((0, 1, 2), 0, 2) == (1, 2, 0)
    for row, column, cell in ((2, 0, 1), (0, -1, 1), (0, 0, 6), (0, 0, 0)):
        with pytest.raises(ConfigError):
            table.edited(table.start, row, column, cell)
    with pytest.raises(ConfigError):
        order.moved((0, 1, 2), 0, 3)


def test_steps_are_addressed_by_key() -> None:
    of = lesson(KEYS[0])
    assert of.step(CHECK) is of.steps[-1]
    with pytest.raises(ConfigError, match="has no step 'nowhere'"):
        of.step("nowhere")
    with pytest.raises(ConfigError, match="There is no lesson 'nothing'"):
        lesson("nothing")
    with pytest.raises(ConfigError, match="has no control"):
        of.control("nothing")


def test_numbers_in_formulas_are_written_without_negative_zero() -> None:
    assert [shown(-0.001), shown(float("nan")), shown(None), signed(-1.5, 1)] == ["0.00", "–", "–", "(-1.5)"]
    assert colored(r"\lit1{a} + \lit2{b}") == r"\textcolor{#010001}{a} + \textcolor{#020002}{b}"
    assert summed(["a", "b", "c"]) == "a + b + c"
    assert summed(["a", "b", "c", "d"]) == r"\begin{array}{l}a + b + c \\ {}+ d\end{array}"


def test_a_sum_of_wide_terms_is_broken_earlier() -> None:
    wide = rf"\lit3{{{signed(-2.25)}}} \cdot \lit4{{{signed(-1.25)}}}"
    assert summed([wide, wide]) == f"{wide} + {wide}"
    assert summed([wide, wide, wide]) == rf"\begin{{array}}{{l}}{wide} + {wide} \\ {{}}+ {wide}\end{{array}}"


def test_numbers_are_rounded_as_the_script_of_the_picture_rounds_them() -> None:
    """Ties away from zero, as `toFixed` does; 1.005 lies below the tie, and neither rounds it up."""
    assert [shown(value, 3) for value in (0.3125, -0.3125, 0.0625)] == ["0.313", "-0.313", "0.063"]
    assert (shown(4.125), shown(1.005), shown(1000.0, 0), shown(float("inf"))) == ("4.13", "1.00", "1000", "inf")


def test_numbers_that_differ_get_the_decimals_that_show_it() -> None:
    assert (digits_for(0.31, 0.003), digits_for(1.1667, 1.1683), digits_for(0.004)) == (3, 3, 3)
    assert (digits_for(0.5, 0.5), digits_for(0.0, 0.0), digits_for(1e-9)) == (2, 2, 6)


def test_a_picture_is_sent_as_plain_values() -> None:
    """Undefined and infinite values become null, since the browser reads JSON; the symbols are a mount of their own."""
    scene = Scene((Bars("x", "X", ("a", "b"), (float("nan"), 1.0), intervals=((0.0, float("inf")),)),))
    data = picture_data(scene)
    assert data["parts"][0]["values"] == [None, 1.0]
    assert data["parts"][0]["intervals"] == [[0.0, None]]
    assert symbols_data(scene)["parts"] == []


@pytest.mark.parametrize("key", KEYS)
def test_a_prediction_is_made_beside_a_picture(key: str) -> None:
    assert all(scene.veiled().parts for _step, scene in all_scenes(lesson(key)) if not scene.impossible)


def test_a_secret_part_replaces_the_part_of_its_name() -> None:
    before, after = Bars("x", "before", (), ()), Bars("x", "after", (), (), secret=True)
    scene = Scene((before, after))
    assert scene.veiled().parts == (before,)
    assert scene.revealed().parts == (after,)
