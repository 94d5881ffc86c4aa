"""Forms generated from the settings of a model, and the formula that the settings give.

Main settings come first, then the advanced ones, with help and bounds.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pages.ui import on_the_way
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.configs import FieldSpec, ModelConfig
    from recsys_core.contracts import ModelInfo
    from recsys_core.data import Dataset

KEPT: Literal["session"] = "session"
"""Widget values persist while other pages are open."""
SETTINGS = "settings"
"""Session key of changed settings: prefix of the widget keys -> setting -> value."""
FURTHER = "further_settings"
"""Session key of added configurations: prefix of the first form -> prefixes of the others, in order."""
FILLED = "filled_form"
"""Session key of the settings of the form that `fill` set last."""
STEPS = 20
"""A number with a typical range is changed in about this number of steps."""


def settings(config_type: "type[ModelConfig]", key: str) -> None:
    """Show the form of a model's settings; changes are stored at once, and `changed` returns them.

    The values are stored separately from the widgets, because Streamlit forgets widgets that are not drawn.

    Args:
        config_type: Class of the settings.
        key: Prefix of the widget keys.
    """
    from recsys_core.configs import field_specs

    specs = field_specs(config_type)
    if not specs:
        paragraph("This model has no settings.")
    for spec in specs:
        if not spec.advanced:
            _field(spec, key)
    advanced = [spec for spec in specs if spec.advanced]
    if advanced:
        st.markdown("**" + _("Advanced settings") + "**")
        for spec in advanced:
            _field(spec, key)


def changed(config_type: "type[ModelConfig]", key: str) -> dict[str, Any]:
    """Return the settings that differ from their defaults, in the order of the form."""
    from recsys_core.configs import field_specs

    kept = st.session_state.get(SETTINGS, {}).get(key, {})
    specs = {spec.name: spec for spec in field_specs(config_type)}
    return {name: kept[name] for name, spec in specs.items() if name in kept and kept[name] != spec.default}


def fill(config_type: "type[ModelConfig]", key: str, values: dict[str, Any]) -> None:
    """Set all settings of a form; for callbacks, since widgets that are already drawn keep their values.

    Args:
        config_type: Class of the settings.
        key: Prefix of the widget keys.
        values: Settings; missing ones have their defaults.
    """
    from recsys_core.configs import field_specs

    specs = field_specs(config_type)
    changes = {(key, spec.name): (_kept(spec, key), values.get(spec.name, spec.default)) for spec in specs}
    on_the_way.remember(FILLED, changes)
    names = [spec.name for spec in specs]
    st.session_state.setdefault(SETTINGS, {})[key] = {name: values[name] for name in names if name in values}
    for name in names:
        _redraw(key, name)


def fill_again() -> None:
    """Set the settings again that `fill` has just set, if the browser's next event overwrote them."""

    def current(place: tuple[str, str], unchanged: Any) -> Any:
        key, name = place
        return st.session_state.get(SETTINGS, {}).get(key, {}).get(name, unchanged)

    for (key, name), value in on_the_way.overwritten(FILLED, current).items():
        _keep(key, name, value)
        _redraw(key, name)


def prefixes(key: str) -> list[str]:
    """Return the prefixes of all forms of one model, the first form first.

    An added form starts with the current settings of the form before it.

    Args:
        key: Prefix of the first form.
    """
    found = [key, *_further(key)]
    kept = st.session_state.setdefault(SETTINGS, {})
    for before, prefix in pairwise(found):
        kept.setdefault(prefix, dict(kept.get(before, {})))
    return found


def add(key: str) -> str:
    """Add a form to those of a model; return its prefix."""
    taken = _further(key)
    added = next(name for number in range(2, len(taken) + 3) if (name := f"{key}_{number}") not in taken)
    st.session_state.setdefault(FURTHER, {})[key] = [*taken, added]
    return added


def remove(key: str, prefix: str) -> None:
    """Delete an added form and its values: a later form may reuse its prefix."""
    st.session_state.setdefault(FURTHER, {})[key] = [one for one in _further(key) if one != prefix]
    st.session_state.get(SETTINGS, {}).pop(prefix, None)
    for widget in [name for name in st.session_state if str(name).startswith(f"{prefix}_")]:
        del st.session_state[widget]


def _further(key: str) -> list[str]:
    return list(st.session_state.get(FURTHER, {}).get(key, []))


def _keep(key: str, name: str, value: Any) -> None:
    st.session_state.setdefault(SETTINGS, {}).setdefault(key, {})[name] = value


def _redraw(key: str, name: str) -> None:
    """Have the widgets of a setting show its value."""
    for widget in (f"{key}_{name}", f"{key}_{name}_set"):
        st.session_state.pop(widget, None)


def _kept(spec: "FieldSpec", key: str) -> Any:
    """Return the current value of a setting; None for an empty one."""
    return st.session_state.get(SETTINGS, {}).get(key, {}).get(spec.name, spec.default)


def label(spec: "FieldSpec") -> str:
    """Return the label of a setting with its symbol in the formula."""
    return f"{_(spec.label)} ${spec.symbol}$" if spec.symbol else _(spec.label)


def _lowered(words: str) -> str:
    """Return a label as it reads within a sentence: its first letter small, symbols and abbreviations unchanged."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def _field(spec: "FieldSpec", key: str) -> None:
    """Show the widget for the type of a setting; an optional setting has a switch before it."""
    value = _kept(spec, key)
    if spec.optional:
        _switch_of_optional(spec, key, value is not None)
        if value is None:
            return
    widget = f"{key}_{spec.name}"
    st.session_state.setdefault(widget, _fitting(spec, value))
    show = {"int": _whole, "float": _decimal, "bool": _switch, "choice": _choice, "text": _text}[spec.kind]

    def keep() -> None:
        _keep(key, spec.name, st.session_state[widget])

    show(spec, {"label": label(spec), "key": widget, "on_change": keep, "help": _help(spec)})


def _switch_of_optional(spec: "FieldSpec", key: str, is_set: bool) -> None:
    widget = f"{key}_{spec.name}_set"
    st.session_state.setdefault(widget, is_set)

    def keep() -> None:
        _keep(key, spec.name, _fitting(spec, None) if st.session_state[widget] else None)

    st.toggle(_("Set {name}").format(name=_lowered(label(spec))), key=widget, on_change=keep, help=_(spec.help))


def _fitting(spec: "FieldSpec", value: Any) -> Any:
    """Return a value in the type of its widget; for an empty setting, a start value."""
    if spec.kind in ("int", "float"):
        number = _start(spec) if value is None else value
        return int(number) if spec.kind == "int" else float(number)
    if spec.kind == "bool":
        return bool(value)
    if spec.kind == "choice":
        return value if value in spec.choices else spec.choices[0]
    return str(value or "")


def _whole(spec: "FieldSpec", options: dict[str, Any]) -> None:
    low, high = _bound(spec.minimum, math.ceil, spec.exclusive_minimum), _bound(spec.maximum, math.floor, False)
    st.number_input(min_value=low, max_value=high, step=1, **options)


def _decimal(spec: "FieldSpec", options: dict[str, Any]) -> None:
    low = spec.minimum
    if low is not None and spec.exclusive_minimum:
        low = math.nextafter(low, math.inf)
    st.number_input(min_value=low, max_value=spec.maximum, step=_step(spec), format="%g", **options)


def _switch(_spec: "FieldSpec", options: dict[str, Any]) -> None:
    st.toggle(**options)


def _choice(spec: "FieldSpec", options: dict[str, Any]) -> None:
    from recsys_core.configs import choice_name

    st.selectbox(options=spec.choices, format_func=lambda choice: _(choice_name(choice)), **options)


def _text(_spec: "FieldSpec", options: dict[str, Any]) -> None:
    st.text_input(**options)


def _start(spec: "FieldSpec") -> float:
    """Return the default; for a setting without one, the lower end of its typical range."""
    known = (spec.default, spec.low, spec.minimum)
    return next((float(value) for value in known if value is not None), 0.0)


def _step(spec: "FieldSpec") -> float:
    """Return the step of a decimal number: a power of ten that fits the range; on a log scale, the default."""
    if spec.scale == "log" or spec.low is None or spec.high is None:
        size = abs(_start(spec)) / 10 or 0.01
    else:
        size = (spec.high - spec.low) / STEPS
    return 10.0 ** math.floor(math.log10(size)) if size > 0 else 0.01


def _bound(value: float | None, whole: Any, exclusive: bool) -> int | None:
    return None if value is None else int(whole(value)) + int(exclusive)


def _help(spec: "FieldSpec") -> str:
    """Return the help of a setting, followed by its typical and allowed ranges."""
    parts = [_(spec.help)]
    if spec.low is not None and spec.high is not None:
        parts.append(_("Typical range: {low:g} to {high:g}.").format(low=spec.low, high=spec.high))
    if spec.minimum is not None and spec.maximum is not None:
        parts.append(_("Allowed: {low:g} to {high:g}.").format(low=spec.minimum, high=spec.maximum))
    return " ".join(part for part in parts if part)


def formula(key: str, values: dict[str, Any], dataset: "Dataset") -> None:
    """Show the formula of a model with these settings and data; nothing for inconsistent settings.

    Args:
        key: Name in the registry.
        values: Settings; missing ones have their defaults.
        dataset: Training data.
    """
    from recsys_core.models.registry import model_class

    found = model_class(key)
    try:
        config = found.config_type.parse(values)
    except ConfigError:  # the card shows the error
        return
    score = found.formula_of(config, rated=dataset.has_ratings, weighted=dataset.has_weights)
    source = _("Source: {source}").format(source=safe(found.source_of(config)))
    if not score:  # a program of another system
        st.markdown(source)
        return
    st.markdown(  # breaks lines where st.latex would scroll sideways
        f"$\\displaystyle {score}$\n\n{source}\n\n{weights_sentence(found.info)}"
    )


def weights_sentence(info: "ModelInfo") -> str:
    """Return a sentence on how a model uses event weights."""
    if not info.uses_weights:
        return _("Event weights: ignored by this model.")
    return _("Event weights: {use}").format(use=_(info.weights))


def single(spec: "FieldSpec", key: str, value: Any) -> Any:
    """Show the widget of one setting outside the form of its model, and return its value.

    Args:
        spec: Description of the setting.
        key: Key of the widget.
        value: Value at first; None for an empty one.
    """
    st.session_state.setdefault(key, _fitting(spec, value))
    show = {"int": _whole, "float": _decimal, "bool": _switch, "choice": _choice, "text": _text}[spec.kind]
    show(spec, {"label": label(spec), "key": key, "help": _help(spec)})
    return st.session_state[key]
