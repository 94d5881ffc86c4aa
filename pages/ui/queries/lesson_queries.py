"""Queries to lessons: their numbers, computed in this process, or by the process of torch models."""

import os
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services
from pages.ui.queries import model_queries
from pages.ui.text import _
from recsys_core.lessons.controls import Choice, Slider
from recsys_core.lessons.registry import lessons

if TYPE_CHECKING:
    from recsys_core.contracts import RunContext
    from recsys_core.lessons.controls import Values
    from recsys_core.lessons.lesson import Lesson
    from recsys_core.serving.background import Ticket

KEPT = 512
"""Number of results that are kept: each is a few short tuples."""


def numbers(of: "Lesson", step: str, values: "Values") -> Any:
    """Return the numbers of a step; None, with a progress bar, while another process trains the lesson's networks.

    Raises:
        RecscopeError: They do not exist for these values, with the reason.
    """
    if of.runtime == "numpy":
        return _computed(of.key, of.data, step, of.encode({**of.starts(), **values}), of, values)
    return pending.outcome(_ticket(of, step, values), _("Computing"))


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _computed(lesson: str, data: str, step: str, code: str, _of: "Lesson", _values: "Values") -> Any:
    """Return the numbers of a lesson without networks, which depend on lesson, its world, step and values."""
    return _of.numbers(step, _values)


def _ticket(of: "Lesson", step: str, values: "Values") -> "Ticket[Any]":
    """Return the ticket of the numbers of a lesson with networks, which the process of torch models computes."""

    def ask(ctx: "RunContext") -> Any:
        return _elsewhere(of, step, values, ctx)

    threads = services.background("models elsewhere", model_queries.WAITING_THREADS)
    return threads.ask(("lesson", of.key, step, of.encode({**of.starts(), **values})), "", ask)


def _elsewhere(of: "Lesson", step: str, values: "Values", ctx: "RunContext") -> Any:
    """Return the numbers that the process of torch models computes; waits for them."""
    return model_queries.answers().ask(
        services.root(), "", "", "lesson_numbers", ctx=ctx, lesson=of.key, step=step, values=dict(values)
    )


def worksheet(of: "Lesson", seed: int, *, solutions: bool) -> bytes:
    """Return the worksheet of a lesson as HTML; waits for networks."""
    from recsys_core.contracts import RunContext
    from recsys_core.viz.worksheet import worksheet_html

    def ask(step: str, values: "Values") -> Any:
        return of.numbers(step, values) if of.runtime == "numpy" else _elsewhere(of, step, values, RunContext())

    return worksheet_html(of, seed=seed, solutions=solutions, ask=ask).encode()


def warm_up() -> None:
    """Load in the background what lessons compute with, unless `RECSCOPE_WARM_UP` disables idle work."""
    if os.environ.get("RECSCOPE_WARM_UP", "1") != "0":
        _warmed_up()


@st.cache_resource(show_spinner=False)
def _warmed_up() -> object:
    def work(_ctx: "RunContext") -> None:
        known = [one for one in lessons() if one.runtime == "numpy"]
        for one in known:
            for step in one.steps:
                one.numbers(step.key, one.values_in(step.key, one.starts()))
        for one in known:
            if one.is_slow:
                _compute_ahead(one)

    return services.background("lessons", 1).ask("warm up", "", work)


def _compute_ahead(of: "Lesson") -> None:
    """Compute what a lesson shows after the first change of any slider or choice; the lesson keeps the results."""
    for step in of.steps:
        for control in map(of.control, step.controls):
            for option in control.options if isinstance(control, Slider | Choice) else ():
                of.numbers(step.key, of.values_in(step.key, of.starts() | {control.key: option}))
