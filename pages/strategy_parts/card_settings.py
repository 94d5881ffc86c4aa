"""Settings of one card: a form made from its fields, with an editor for conditions, items and days."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic import ValidationError

from pages.strategy_parts import conditions
from pages.ui import forms, user_picker
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.strategy.cards import Card

Fields = conditions.Fields
CONDITION, EACH = "condition", "each"


def new(kind: "type[Card]", fields: Fields, models: dict[str, str], dataset: "Dataset") -> "Card":
    """Return a card to begin with: required settings are taken from the data.

    Args:
        kind: Class of the card.
        fields: Fields of the data.
        models: Id -> title of the finished models.
        dataset: The data set.
    """
    fitting: dict[str, Callable[[], Any]] = {
        "when": lambda: conditions.default(fields),
        "field": lambda: _group_fields(fields)[0],
        "item": lambda: dataset.item_vocabulary.ids[0],
        "models": lambda: [{"model": one} for one in list(models)[:2]],
        "least": lambda: 1,
        "most": lambda: 1,
    }
    own = kind.model_fields
    values = {name: make() for name, make in fitting.items() if name in own and own[name].is_required()}
    if "each" in own and "when" in own and "when" not in values:  # one of the two is needed
        values["when"] = conditions.default(fields)
    return kind.model_validate(values)


def edit(card: "Card", fields: Fields, models: dict[str, str], dataset: "Dataset", key: str) -> "Card":
    """Show the settings of a card; return it with the current ones, or unchanged if they do not fit together.

    Args:
        card: What is edited.
        fields: Fields of the data.
        models: Id -> title of the finished models.
        dataset: The data set.
        key: Prefix of the widget keys.
    """
    from recsys_core.configs import field_specs

    special: dict[str, Callable[[], dict[str, Any]]] = {
        "when": lambda: _group(card, fields, key),
        "field": lambda: {"field": _field(card, fields, key)},
        "models": lambda: _models(card, models, key),
        "pattern": lambda: _pattern(card, models, key),
        "item": lambda: _item(card, dataset, key),
        "start": lambda: {"start": _day(_("First day"), card, "start", key)},
        "end": lambda: {"end": _day(_("Last day"), card, "end", key)},
    }
    values = card.model_dump()
    for spec in field_specs(type(card)):
        if spec.name in ("kind", "on", EACH):
            continue
        values |= special[spec.name]() if spec.name in special else {spec.name: _plain(card, spec, key)}
    try:
        return type(card).model_validate(values)
    except ValidationError as error:
        st.warning(safe(error.errors()[0]["msg"].removeprefix("Value error, ")))
        return card


def _plain(card: "Card", spec: Any, key: str) -> Any:
    value = getattr(card, spec.name)
    if not spec.optional:
        return forms.single(spec, f"{key}_{spec.name}", value)
    if not st.toggle(forms.label(spec), value is not None, key=f"{key}_{spec.name}_set", help=_(spec.help)):
        return None
    return forms.single(spec, f"{key}_{spec.name}", value)


def _group(card: "Card", fields: Fields, key: str) -> dict[str, Any]:
    """Show the condition of a card; where it may concern each value of a field instead, that choice before it."""
    optional = EACH in type(card).model_fields
    by_each = optional and bool(getattr(card, EACH))
    if optional:
        names = {CONDITION: _("Items that meet a condition"), EACH: _("Each value of a field")}
        chosen = st.radio(
            _("Concerns"), list(names), int(by_each), format_func=lambda one: names[one], key=f"{key}_group"
        )
        if chosen == EACH:
            own = card.each if by_each else ""  # type: ignore[attr-defined]
            return {"when": None, EACH: _one_of_fields(own, fields, f"{key}_each")}
    condition = getattr(card, "when", None) or conditions.default(fields)
    found: dict[str, Any] = {"when": conditions.edit(condition, fields, f"{key}_when")}
    return found | ({EACH: ""} if optional else {})


def _group_fields(fields: Fields) -> list[str]:
    """Return the item fields: those whose values form groups first, text before numbers."""
    own = [field for field in fields.values() if field.of_items and field.name != "id"]
    return [field.name for field in sorted(own, key=lambda field: (not field.groups, field.numeric))]


def _field(card: "Card", fields: Fields, key: str) -> str:
    return _one_of_fields(card.field, fields, f"{key}_field")  # type: ignore[attr-defined]


def _one_of_fields(own: str, fields: Fields, key: str) -> str:
    """Show the choice of an item field; a present one that the data lack stays until another one is chosen."""
    offered = _group_fields(fields)
    options = offered if own in offered or not own else [own, *offered]
    return str(
        st.selectbox(
            _("Field"), options, options.index(own) if own else 0, key=key,
            format_func=lambda one: conditions.shown_name(one, fields),
        )
    )  # fmt: skip


def _models(card: "Card", models: dict[str, str], key: str) -> dict[str, Any]:
    known = {part.model: part.weight for part in card.models}  # type: ignore[attr-defined]
    names = {one: _("{model} (not in this experiment)").format(model=one) for one in known} | models
    chosen = st.multiselect(
        _("Models"), list(names), list(known), format_func=lambda one: names[one], key=f"{key}_models"
    )
    weighted = card.method == "weighted"  # type: ignore[attr-defined]
    parts = []
    for one in chosen:
        weight = known.get(one, 1.0)
        if weighted:
            label = _("Weight of {model}").format(model=safe(names[one]))
            weight = st.number_input(label, 0.0, 1e6, weight, 0.1, format="%g", key=f"{key}_weight_{one}")
        parts.append({"model": one, "weight": weight})
    return {"models": parts}


def _pattern(card: "Card", models: dict[str, str], key: str) -> dict[str, Any]:
    if card.method != "slots":  # type: ignore[attr-defined]
        return {"pattern": card.pattern}  # type: ignore[attr-defined]
    used = [part.model for part in card.models]  # type: ignore[attr-defined]
    own = [one for one in card.pattern if one in used] or used  # type: ignore[attr-defined]
    places = int(st.number_input(_("Places in the pattern"), 1, 20, max(1, len(own)), key=f"{key}_places"))
    chosen = [
        st.selectbox(
            _("Place {n}").format(n=place + 1), used, used.index(own[place]) if place < len(own) else 0,
            format_func=lambda one: models.get(one, one), key=f"{key}_pattern_{place}",
        )
        for place in range(places)
    ]  # fmt: skip
    return {"pattern": [one for one in chosen if one is not None]}


def _item(card: "Card", dataset: "Dataset", key: str) -> dict[str, Any]:
    from recsys_core.experiments.held_out_users import described_items

    text = st.text_input(_("Search items by title"), key=f"{key}_search")
    own: str = card.item  # type: ignore[attr-defined]
    position = int(dataset.item_vocabulary.positions([own])[0])
    found = [item for item in user_picker.found_items(dataset, text) if item != position]
    titles = described_items(dataset, [*([position] if position >= 0 else []), *found])
    ids = dataset.item_vocabulary.ids
    names = {ids[item]: title for item, title in zip(titles["item"], titles["title"], strict=True)}
    if position < 0:
        names = {own: _("{item} (not in these data)").format(item=own)} | names
    chosen = st.selectbox(_("Item"), list(names), 0, format_func=lambda one: names[one], key=f"{key}_item_{text}")
    return {"item": own if chosen is None else chosen}


def _day(label: str, card: "Card", name: str, key: str) -> Any:
    """Show an optional day."""
    value = getattr(card, name)
    if not st.toggle(label, value is not None, key=f"{key}_{name}_set"):
        return None
    return st.date_input(label, value or datetime.now(UTC).date(), key=f"{key}_{name}", label_visibility="collapsed")
