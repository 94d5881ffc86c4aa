"""Editor of a condition: field, operator, and a value or another field."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from pages.ui.text import _

if TYPE_CHECKING:
    from recsys_core.strategy.conditions import Condition
    from recsys_core.strategy.fields import FieldInfo

Fields = Mapping[str, "FieldInfo"]
MOST_CONDITIONS = 4
ORDERED = ("<", "<=", ">", ">=")
LISTS, MISSING, TEXT_ONLY = ("in", "not in"), ("is missing", "is not missing"), ("contains", "has")


def default(fields: "Fields") -> "Condition":
    """Return a condition to begin with: the most frequent value of the first text field, else an unpopular item."""
    from recsys_core.strategy.conditions import Condition

    for field in fields.values():
        if field.of_items and field.groups and field.values:
            return Condition(field=field.name, op="has" if field.many else "=", value=field.values[0])
    return Condition(field="popularity", op="<", value=fields["popularity"].median)


def edit(condition: "Condition", fields: "Fields", key: str) -> "dict[str, Any]":
    """Show the editor of a condition and of those that must hold as well; return its fields.

    Args:
        condition: What is edited.
        fields: Fields of the data.
        key: Prefix of the widget keys.
    """
    parts = [_single(condition, fields, f"{key}_0")]
    for number, one in enumerate(condition.also, start=1):
        st.markdown(_("and"))
        part = _single(one, fields, f"{key}_{number}")
        if not st.button(_("Remove this condition"), key=f"{key}_{number}_remove", type="tertiary"):
            parts.append(part)
    if len(parts) < MOST_CONDITIONS and st.button(
        _("Add a condition"), key=f"{key}_add", type="tertiary", icon=":material/add:"
    ):
        parts.append(default(fields).model_dump(exclude={"also"}))
    first, *others = parts
    return first | {"also": tuple(others)}


def _single(condition: "Condition", fields: "Fields", key: str) -> dict[str, Any]:
    own = condition.field.removeprefix("item.")
    names = [*([] if own in fields else [own]), *fields]
    field = st.selectbox(
        _("Field"), names, names.index(own), key=f"{key}_field", format_func=lambda one: shown_name(one, fields)
    )
    if field not in fields:  # stays unchanged until another field is chosen
        return condition.model_dump(exclude={"also"})
    info, name = fields[field], condition.field if field == own else field
    operators = _operators(info)
    op = st.selectbox(
        _("Operator"), operators, operators.index(condition.op) if condition.op in operators else 0,
        key=f"{key}_op_{field}", format_func=_operator_name,
    )  # fmt: skip
    if op in MISSING:
        return {"field": name, "op": op}
    others = [name for name, other in fields.items() if name != field and other.numeric == info.numeric]
    another = _("Another field")
    use_other = (
        op not in (*LISTS, "contains")
        and bool(others)
        and st.toggle(another, condition.other is not None, key=f"{key}_by_field_{field}")
    )
    if use_other:
        theirs = (condition.other or "").removeprefix("item.")
        at = others.index(theirs) if theirs in others else 0
        chosen = st.selectbox(another, others, at, key=f"{key}_other_{field}")
        return {"field": name, "op": op, "other": condition.other if chosen == theirs else chosen}
    value = condition.value if own == field else None
    return {"field": name, "op": op, "value": _value(info, op, value, f"{key}_value_{field}_{op in LISTS}")}


def shown_name(field: str, fields: Fields) -> str:
    """Return the name of a field; one that the data lack is marked."""
    return field if field in fields else _("{field} (not in these data)").format(field=field)


def _operators(field: "FieldInfo") -> list[str]:
    from recsys_core.strategy.conditions import Operator

    every = list(get_args(Operator))
    if field.numeric:
        return [op for op in every if op not in TEXT_ONLY]
    return [op for op in every if op not in ORDERED]


def _operator_name(op: str) -> str:
    names = {
        "contains": _("contains the text"), "has": _("has the entry"), "in": _("is one of"),
        "not in": _("is none of"), "is missing": _("is missing"), "is not missing": _("is not missing"),
    }  # fmt: skip
    return names.get(op, op)


def _value(field: "FieldInfo", op: str, value: Any, key: str) -> Any:
    """Show the widget of a value and return it: a number, a text, or several of them."""
    label = _("Value")
    if field.numeric:
        if op in LISTS:
            given = [repr(one) for one in value] if isinstance(value, tuple) else []
            chosen = st.multiselect(label, given, given, key=key, accept_new_options=True)
            return tuple(number for one in chosen if (number := _number(one)) is not None) or (0.0,)
        number = float(value) if isinstance(value, int | float) else field.median
        return float(st.number_input(label, value=number, format="%g", key=key))
    offered = list(field.values)
    if op in LISTS:
        given = [str(one) for one in value] if isinstance(value, tuple) else offered[:1]
        chosen = st.multiselect(label, [*dict.fromkeys([*given, *offered])], given, key=key, accept_new_options=True)
        return tuple(chosen) or tuple(offered[:1]) or ("",)
    if op == "contains":
        return st.text_input(label, value if isinstance(value, str) else "", key=key)
    start = value if isinstance(value, str) else next(iter(offered), "")
    options = [*dict.fromkeys([start, *offered])]
    return st.selectbox(label, options, 0, key=key, accept_new_options=True) or start


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
