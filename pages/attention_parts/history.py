"""Whose history a model reads on the page Attention: that of somebody from the data, or one built by hand."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, state, user_picker
from pages.ui.forms import KEPT
from pages.ui.text import _, n_, safe

if TYPE_CHECKING:
    from pages.ui.user_picker import Asked
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run

FROM_DATA, BY_HAND = "data", "hand"
LATEST = 3


def choose(run: "Run", dataset: "Dataset") -> "Asked":
    """Show the choice of a history; the page stops until there is one."""
    with st.container(border=True, key="attention_person"):
        kind = FROM_DATA
        if not state.is_demo():
            kind = st.radio(
                _("Whose history?"),
                [FROM_DATA, BY_HAND],
                horizontal=True,
                key="attention_kind",
                persist_state=KEPT,
                format_func=lambda one: _("Somebody from the data") if one == FROM_DATA else _("One built by hand"),
            )
        return _by_hand(dataset) if kind == BY_HAND else _from_data(run, dataset)


def items_key(dataset: "Dataset") -> str:
    """Return the key of the items chosen by hand: positions, which mean other items in other data."""
    return f"attention_items_{dataset.fingerprint}"


def _values_key(dataset: "Dataset") -> str:
    """Return where the session keeps what a person whose history was taken over gave their items, by position."""
    return f"attention_values_{dataset.fingerprint}"


def _from_data(run: "Run", dataset: "Dataset") -> "Asked":
    person = user_picker.of_data(run, dataset, finder.choose(finder.USER, dataset))
    st.markdown(n_("{n} item in the history.", "{n} items in the history.", len(person.history)))
    if not len(person.history):
        return person
    st.markdown(_("The latest: {titles}").format(titles=safe(", ".join(person.history["title"].head(LATEST)))))
    if not state.is_demo():
        st.button(
            _("Change this history by hand"),
            key="attention_take_over",
            on_click=_take_over,
            args=(dataset, person),
        )
    return person


def _take_over(dataset: "Dataset", person: "Asked") -> None:
    """Begin a history by hand with what the person did; an item that stands there twice is taken where it came last."""
    items = person.query.history[0].tolist()
    st.session_state["attention_kind"] = BY_HAND
    st.session_state[items_key(dataset)] = list(dict.fromkeys(items[::-1]))[::-1]
    st.session_state[_values_key(dataset)] = dict(zip(items, person.query.values.tolist(), strict=True))


def _by_hand(dataset: "Dataset") -> "Asked":
    """Show the search for items and those chosen, in their order; the page stops until there is one."""
    from recsys_core.experiments.held_out_users import described_items
    from recsys_core.serving.recommendations import query_of_items

    st.markdown(_("Choose items in the order in which this person meets them, oldest first. Each × takes one out."))
    text = st.text_input(_("Search an item by title"), key="attention_search")
    key = items_key(dataset)
    kept = list(st.session_state.get(key, []))
    found = user_picker.found_items(dataset, text)
    frame = described_items(dataset, [*kept, *(item for item in found if item not in kept)])
    names = dict(zip(frame["item"].tolist(), frame["title"], strict=True))
    chosen = st.multiselect(
        _("Items, oldest first"),
        list(names),
        format_func=names.get,
        key=key,
        persist_state=KEPT,
        placeholder=_("Choose from the items found"),
    )
    if not chosen:
        st.stop()
    st.button(_("Turn the order around"), key="attention_reverse", on_click=_turn_around, args=(key,))
    history = described_items(dataset, chosen)
    values = history["item"].map(st.session_state.get(_values_key(dataset), {}))
    liked = 1.0
    if dataset.rating_scale is not None:
        liked = dataset.rating_scale.high
        _say_values(int(values.notna().sum()), len(chosen), liked)
    values = values.astype(float).fillna(liked)
    named = " ".join(f"{item}:{value:g}" for item, value in zip(chosen, values, strict=True))
    query = query_of_items(history["item"].to_numpy(), values)
    return user_picker.Asked(_("A history by hand"), query, history, f"by hand {named}", is_new=True)


def _say_values(own: int, count: int, liked: float) -> None:
    """Say what the items count as: an item that was taken over keeps its rating."""
    if own == count:
        st.markdown(_("Each item counts as the person rated it."))
    elif own:
        st.markdown(
            _("Items taken over count as the person rated them, the others as rated {liked}.").format(
                liked=f"{liked:g}"
            )
        )
    else:
        st.markdown(_("Each item counts as rated {liked}, the highest.").format(liked=f"{liked:g}"))


def _turn_around(key: str) -> None:
    st.session_state[key] = list(st.session_state[key])[::-1]
