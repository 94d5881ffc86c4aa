"""Queries to lessons: their numbers, computed in this process, or by the process of torch models."""

import os
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services
from recsys_core.lessons.registry import lessons

if TYPE_CHECKING:
    from recsys_core.contracts import RunContext
    from recsys_core.lessons.controls import Values
    from recsys_core.lessons.lesson import Lesson


def numbers(of: "Lesson", step: str, values: "Values") -> Any:
    """Return the numbers of a step.

    Raises:
        RecscopeError: They do not exist for these values, with the reason.
    """
    return of.numbers(step, values)


def warm_up() -> None:
    """Load in the background what lessons compute with, unless `RECSCOPE_WARM_UP` disables idle work."""
    if os.environ.get("RECSCOPE_WARM_UP", "1") != "0":
        _warmed_up()


@st.cache_resource(show_spinner=False)
def _warmed_up() -> object:
    def work(_ctx: "RunContext") -> None:
        for one in lessons():
            if one.runtime == "numpy":
                for step in one.steps:
                    one.numbers(step.key, one.values_in(step.key, one.starts()))

    return services.background("lessons", 1).ask("warm up", "", work)
