"""The history on the Attention page: that of a user in the data set, or a custom one."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, state, user_picker
from pages.ui.forms import KEPT
from pages.ui.text import _, paragraph

if TYPE_CHECKING:
    from pages.ui.user_picker import SelectedUser
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run

BY_HAND = "hand"


def choose(run: "Run", dataset: "Dataset") -> "SelectedUser":
    """Show the choice of a history; the page stops until there is one."""
    with st.container(border=True, key="attention_person"):
        kind = user_picker.FROM_DATA
        if not state.is_demo():
            kind = user_picker.kind_of_history(_("History of"), "attention_kind", BY_HAND, persist_state=KEPT)
        return _by_hand(dataset) if kind == BY_HAND else _from_data(run, dataset)


def items_key(dataset: "Dataset") -> str:
    """Return the key of the selected items: positions, which mean other items in other data sets."""
    return f"attention_items_{dataset.fingerprint}"


def _values_key(dataset: "Dataset") -> str:
    """Return the session key of the original user's item values, by position."""
    return f"attention_values_{dataset.fingerprint}"


def _from_data(run: "Run", dataset: "Dataset") -> "SelectedUser":
    user = user_picker.of_data(run, dataset, finder.choose(finder.USER, dataset))
    user_picker.show_history(user)
    if len(user.history) and not state.is_demo():
        st.button(
            _("Edit as a custom history"),
            key="attention_take_over",
            on_click=_take_over,
            args=(dataset, user),
        )
    return user


def _take_over(dataset: "Dataset", user: "SelectedUser") -> None:
    """Start a custom history from the user's; a repeated item is kept at its latest position."""
    items = user.query.history[0].tolist()
    st.session_state["attention_kind"] = BY_HAND
    st.session_state[items_key(dataset)] = list(dict.fromkeys(items[::-1]))[::-1]
    st.session_state[_values_key(dataset)] = dict(zip(items, user.query.values.tolist(), strict=True))


def _by_hand(dataset: "Dataset") -> "SelectedUser":
    """Show the item search and the selected items in order; the page stops until there is one."""
    from recsys_core.experiments.held_out_users import described_items
    from recsys_core.serving.recommendations import query_of_items

    paragraph("Select the items of the history, oldest first. × removes an item.")
    key = items_key(dataset)
    chosen = user_picker.items(dataset, _("Items, oldest first"), "attention_search", key, persist_state=KEPT)
    if not chosen:
        st.stop()
    st.button(_("Reverse the order"), key="attention_reverse", on_click=_turn_around, args=(key,))
    history = described_items(dataset, chosen)
    values = history["item"].map(st.session_state.get(_values_key(dataset), {}))
    assumed = 1.0
    if dataset.rating_scale is not None:
        assumed = dataset.rating_scale.high
        _say_values(int(values.notna().sum()), len(chosen), assumed)
    values = values.astype(float).fillna(assumed)
    named = " ".join(f"{item}:{value:g}" for item, value in zip(chosen, values, strict=True))
    query = query_of_items(history["item"].to_numpy(), values)
    return user_picker.SelectedUser(_("Custom history"), query, history, f"by hand {named}", is_new=True)


def _say_values(own: int, count: int, assumed: float) -> None:
    """Show the item values: items of the original history keep their rating."""
    if own == count:
        paragraph("Each item keeps the user's rating.")
    elif own:
        paragraph(
            "Items of the original history keep the user's rating; added items count as rated {rating}.",
            rating=f"{assumed:g}",
        )
    else:
        paragraph("Each item counts as rated {rating}, the maximum.", rating=f"{assumed:g}")


def _turn_around(key: str) -> None:
    st.session_state[key] = list(st.session_state[key])[::-1]
