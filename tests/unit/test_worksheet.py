"""Worksheets: every lesson for every seed, with and without solutions, and nothing that gives the answer away."""

import re

import pytest

from recsys_core.lessons.registry import LESSONS, lesson
from recsys_core.lessons.variation import varied
from recsys_core.viz.worksheet import worksheet_html

QUICK = tuple(key for key in LESSONS if lesson(key).runtime == "numpy" and key != "matrix")
"""Lessons whose numbers take milliseconds."""


@pytest.mark.parametrize("key", QUICK)
def test_a_worksheet_has_every_step_and_no_answer(key: str) -> None:
    of = lesson(key)
    sheet, solved = worksheet_html(of), worksheet_html(of, solutions=True)
    for html in (sheet, solved):
        assert html.count('<section class="step">') == len(of.steps) + 1
        assert html.count('<div id="p') == len(of.steps)
    assert 'class="right"' not in sheet
    assert 'class="solution"' not in sheet
    assert solved.count('class="right"') == sum(step.predict is not None for step in of.steps) + 2
    assert all(check.why.replace("&", "&amp;").replace("<", "&lt;")[:40] in solved for check in of.checks)
    assert "\\frac" not in solved.replace(r"\u003c", "")
    assert re.search("<math", solved) or not any("formula" in step.key for step in of.steps)


@pytest.mark.parametrize("key", ["neighbors", "baskets", "content", "document_formula"])
def test_each_class_has_numbers_of_its_own_and_always_the_same(key: str) -> None:
    of = lesson(key)
    assert varied(of, 0) == of.starts()
    assert varied(of, 7) == varied(of, 7)
    found = [varied(of, seed) for seed in range(1, 6)]
    assert sum(one != of.starts() for one in found) >= 4
    assert len({str(one) for one in found}) >= 4
    assert worksheet_html(of, seed=3) == worksheet_html(of, seed=3) != worksheet_html(of, seed=4)


def test_values_without_an_answer_are_drawn_again() -> None:
    of = lesson("neighbors")
    refused: list[str] = []

    def ask(step: str, values: object) -> object:
        from recsys_core.errors import DataError

        if len(refused) < 2:
            refused.append(step)
            raise DataError("no numbers")
        return of.numbers(step, values)  # type: ignore[arg-type]

    assert varied(of, 1, ask) != of.starts()
    assert len(refused) == 2
