"""The controls of a lesson below its picture: numbers and choices; tables and orders are edited in the picture."""

from typing import Any

import streamlit as st

from pages.learn_parts import place
from pages.ui.text import safe
from recsys_core.errors import ConfigError
from recsys_core.lessons.controls import Choice, Control, Matrix, Order, Slider
from recsys_core.lessons.lesson import Lesson, Step
from recsys_core.lessons.wording import told

FEW, MANY, MOST_LETTERS = 4, 6, 36
"""Number of options up to which they are always buttons, and above which never; length of all names up to which they
are buttons in between."""
SIDE_BY_SIDE, MOST_OPTIONS = 2, 10
"""Number of controls, and of the options of all of them, up to which options are buttons."""


def show(of: Lesson, step: Step, values: dict[str, Any]) -> None:
    """Show the controls of a step side by side; of an order, which is edited in the picture, its named orders."""
    offered = [of.control(key) for key in step.controls]
    drawn = [control for control in offered if isinstance(control, Slider | Choice | Order)]
    if not drawn:
        return
    choices = [control for control in drawn if isinstance(control, Choice)]
    crowded = len(drawn) > SIDE_BY_SIDE and sum(len(control.options) for control in choices) > MOST_OPTIONS
    lists = bool(of.data) and len(drawn) > SIDE_BY_SIDE  # names in the user's own table may be long
    with st.container(horizontal=True, key="learn_controls", gap="medium"):
        for control in drawn:
            as_list = isinstance(control, Choice) and (lists or _is_long(control, crowded=crowded))
            _draw(of, control, values[control.key], as_list=as_list)


def _draw(of: Lesson, control: Control, value: Any, *, as_list: bool) -> None:
    key = f"learn_{of.key}_{control.key}"
    if not isinstance(control, Order):  # a button has no state
        st.session_state[key] = value

    def change() -> None:
        picked = st.session_state[key]
        if picked is not None:
            place.set_value(of, control.key, picked)

    if isinstance(control, Slider):
        st.select_slider(
            told(control.label, safe), list(control.options), key=key, on_change=change, width=220,
            format_func=lambda one: f"{one:g}",
        )  # fmt: skip
    elif isinstance(control, Choice) and as_list:
        st.selectbox(
            told(control.label, safe), list(control.options), key=key, on_change=change, width=220,
            format_func=lambda one: told(control.options[one]),
        )  # fmt: skip
    elif isinstance(control, Order):
        for number, (name, order) in enumerate(control.named.items()):
            st.button(
                told(name, safe), key=f"{key}_named_{number}", disabled=tuple(value) == tuple(order),
                on_click=place.set_value, args=(of, control.key, tuple(order)),
            )  # fmt: skip
    elif isinstance(control, Choice):
        st.segmented_control(
            told(control.label, safe), list(control.options), key=key, on_change=change, width="content",
            format_func=lambda one: told(control.options[one], safe),
        )  # fmt: skip


def _is_long(control: Choice, *, crowded: bool) -> bool:
    """Return whether many names would need several rows of buttons."""
    letters = sum(len(told(name)) for name in control.options.values())
    return len(control.options) > MANY or (len(control.options) > FEW and (crowded or letters > MOST_LETTERS))


def edit(of: Lesson, action: Any) -> None:
    """Apply an edit of the picture: a cell of a table, or a moved item; others are refused with a message."""
    if not isinstance(action, dict):
        return
    try:
        control = of.control(str(action.get("control")))
        value = place.changed(of).values[control.key]
        if isinstance(control, Matrix):
            value = control.edited(value, int(action["row"]), int(action["column"]), action["cell"])
        elif isinstance(control, Order):
            value = control.moved(value, int(action["at"]), int(action["to"]))
        place.set_value(of, control.key, value)
    except ConfigError as error:
        st.toast(str(error))
