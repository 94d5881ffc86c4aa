"""Forms made from the settings of a model: main settings first, then the rest, each with its help and its bounds."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared.text import _

if TYPE_CHECKING:
    from recsys_core.configs import FieldSpec, ModelConfig

KEPT = "session"
"""What a person has set outlives a look at another page, and the time while the form is hidden."""
STEPS = 20
"""A number with a range worth trying is changed in about so many steps."""


def settings(config_type: "type[ModelConfig]", key: str) -> dict[str, Any]:
    """Show the form of a model's settings and return their values by name.

    Args:
        config_type: Class of the settings.
        key: Prefix of the widgets' keys.
    """
    from recsys_core.configs import field_specs

    specs = field_specs(config_type)
    if not specs:
        st.markdown(_("This model has no settings."))
    values = {spec.name: _field(spec, key) for spec in specs if not spec.advanced}
    advanced = [spec for spec in specs if spec.advanced]
    if advanced:
        st.markdown("**" + _("More settings") + "**")
        values |= {spec.name: _field(spec, key) for spec in advanced}
    return values


def changed(config_type: "type[ModelConfig]", values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that differ from their defaults."""
    from recsys_core.configs import field_specs

    return {spec.name: values[spec.name] for spec in field_specs(config_type) if values[spec.name] != spec.default}


def label(spec: "FieldSpec") -> str:
    """Return the name of a setting as people read it, with its symbol in the formula."""
    words = spec.name.replace("_", " ").capitalize()
    return f"{words} ${spec.symbol}$" if spec.symbol else words


def _field(spec: "FieldSpec", key: str) -> Any:
    """Show the widget that fits the kind of a setting; a setting that may be empty has a switch before it."""
    widget = f"{key}_{spec.name}"
    if spec.optional and not _is_set(spec, widget):
        return None
    show = {"int": _whole, "float": _decimal, "bool": _switch, "choice": _choice, "text": _text}[spec.kind]
    return show(spec, widget)


def _is_set(spec: "FieldSpec", widget: str) -> bool:
    return st.toggle(
        _("Set {name}").format(name=label(spec).lower()),
        value=spec.default is not None,
        key=f"{widget}_set",
        persist_state=KEPT,
        help=spec.help,
    )


def _whole(spec: "FieldSpec", widget: str) -> int:
    return st.number_input(
        label(spec),
        min_value=_bound(spec.minimum, math.ceil, spec.exclusive_minimum),
        max_value=_bound(spec.maximum, math.floor, False),
        value=int(_start(spec)),
        step=1,
        key=widget,
        persist_state=KEPT,
        help=_help(spec),
    )


def _decimal(spec: "FieldSpec", widget: str) -> float:
    low = spec.minimum
    if low is not None and spec.exclusive_minimum:
        low = math.nextafter(low, math.inf)
    return st.number_input(
        label(spec),
        min_value=low,
        max_value=spec.maximum,
        value=float(_start(spec)),
        step=_step(spec),
        format="%g",
        key=widget,
        persist_state=KEPT,
        help=_help(spec),
    )


def _switch(spec: "FieldSpec", widget: str) -> bool:
    return st.toggle(label(spec), value=bool(spec.default), key=widget, help=_help(spec), persist_state=KEPT)


def _choice(spec: "FieldSpec", widget: str) -> Any:
    start = spec.choices.index(spec.default) if spec.default in spec.choices else 0
    return st.selectbox(
        label(spec),
        spec.choices,
        index=start,
        format_func=lambda choice: str(choice).replace("_", " "),
        key=widget,
        persist_state=KEPT,
        help=_help(spec),
    )


def _text(spec: "FieldSpec", widget: str) -> str:
    return st.text_input(label(spec), value=str(spec.default or ""), key=widget, help=_help(spec), persist_state=KEPT)


def _start(spec: "FieldSpec") -> float:
    """Return the default; for a setting that is empty by default, the lowest value worth trying."""
    known = (spec.default, spec.low, spec.minimum)
    return next((float(value) for value in known if value is not None), 0.0)


def _step(spec: "FieldSpec") -> float:
    """Return the step of a decimal number: a power of ten that fits its range (log scale: that fits its default)."""
    if spec.scale == "log" or spec.low is None or spec.high is None:
        size = abs(_start(spec)) / 10 or 0.01
    else:
        size = (spec.high - spec.low) / STEPS
    return 10.0 ** math.floor(math.log10(size)) if size > 0 else 0.01


def _bound(value: float | None, whole: Any, exclusive: bool) -> int | None:
    return None if value is None else int(whole(value)) + int(exclusive)


def _help(spec: "FieldSpec") -> str:
    """Return the docstring of a setting, followed by what is allowed and what is worth trying."""
    parts = [spec.help]
    if spec.low is not None and spec.high is not None:
        parts.append(_("Worth trying: {low:g} to {high:g}.").format(low=spec.low, high=spec.high))
    if spec.minimum is not None and spec.maximum is not None:
        parts.append(_("Allowed: {low:g} to {high:g}.").format(low=spec.minimum, high=spec.maximum))
    return " ".join(part for part in parts if part)
