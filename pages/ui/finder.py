"""Finding one user or item: a search, the list of results, and a map to click on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services, show, state
from pages.ui.text import _, later, safe

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from recsys_core.data.dataset import Dataset
    from recsys_core.data.vocabulary import Vocabulary

OFFERED = 50
"""Number of entries offered at a time; the search finds the others."""


@dataclass(frozen=True)
class Kind:
    """What is searched: users or items.

    Args:
        name: "user" or "item": the URL parameter, and the prefix of the widget keys.
        search: Label of the search.
        pick: Label of the list.
        nothing: Message if nothing is found, with `{text}`.
        gone: Message if the URL names an id that is not in the data set, with `{text}`.
    """

    name: str
    search: str
    pick: str
    nothing: str
    gone: str

    def key(self, widget: str) -> str:
        """Return the key of a widget."""
        return f"{self.name}s_{widget}"

    def vocabulary(self, dataset: "Dataset") -> "Vocabulary":
        """Return the identifiers."""
        return dataset.user_vocabulary if self.name == "user" else dataset.item_vocabulary


USER = Kind(
    "user",
    later("Search users by ID"),
    later("User"),
    later("No user ID contains '{text}'."),
    later("User '{text}' is not in this data set; another one is shown."),
)
ITEM = Kind(
    "item",
    later("Search items by title or ID"),
    later("Item"),
    later("No item title or ID contains '{text}'."),
    later("Item '{text}' is not in this data set; another one is shown."),
)


def choose(kind: Kind, dataset: "Dataset") -> str:
    """Show the search and its results; return the selected identifier, which is also in the URL.

    The demo view shows neither; it uses the identifier in the URL, else the default one.
    """
    drop_unknown(kind, dataset)
    if state.is_demo():
        chosen = state.get(kind.name) or next(iter(_matches(kind, dataset, "")))
        state.put(kind.name, chosen)
        return chosen
    return pick(kind, dataset, kind.key("search"), kind.key("pick"))


def pick(kind: Kind, dataset: "Dataset", search_key: str, widget: str, **options: Any) -> str:
    """Show the search and its results, with `options` of both widgets; return the selected identifier."""
    text = st.text_input(_(kind.search), key=search_key, **options)
    found = _matches(kind, dataset, text)
    if not found:
        st.warning(_(kind.nothing).format(text=safe(text)))
        st.stop()
    requested = state.get(kind.name)
    st.session_state[widget] = requested if requested in found else next(iter(found))
    show.select(
        _(kind.pick),
        found,
        widget,
        on_change=lambda: take(kind, st.session_state[widget], keep_search=True),
        **options,
    )
    state.put(kind.name, st.session_state[widget])
    return str(st.session_state[widget])


def take(kind: Kind, identifier: str, *, keep_search: bool = False) -> None:
    """Select an identifier; the search text is cleared so that it does not hide the selection."""
    state.put(kind.name, identifier)
    st.session_state.pop(kind.key("gone"), None)
    if not keep_search:
        st.session_state[kind.key("search")] = ""


def on_map(kind: Kind, dataset: "Dataset", figure: "go.Figure", *, name: str, table: "pd.DataFrame") -> None:
    """Show a map whose dots select; the figure holds positions in `customdata`."""
    widget = kind.key("map")

    def clicked() -> None:
        points = st.session_state[widget].selection.points
        if points:
            position = points[0]["customdata"]
            position = position[0] if isinstance(position, list) else position
            take(kind, kind.vocabulary(dataset).ids[int(position)])

    show.figure(figure, widget, name=name, table=table, on_select=clicked, selection_mode="points")


def drop_unknown(kind: Kind, dataset: "Dataset") -> None:
    """Show that the URL names an unknown identifier, until another one is selected."""
    requested, note = state.get(kind.name), kind.key("gone")
    if requested and requested not in kind.vocabulary(dataset):
        st.session_state[note] = requested
        state.put(kind.name, None)
    if gone := st.session_state.get(note):
        st.warning(_(kind.gone).format(text=safe(gone)))


def _matches(kind: Kind, dataset: "Dataset", text: str) -> dict[str, str]:
    """Return identifier -> display name, most active first; without a search, the one in the URL or the default leads.

    By default, a user with a readable history is shown, and the most popular item.
    """
    rows = search(dataset, kind, text)
    names = rows["title"] if "title" in rows else rows["user_id"]
    found = dict(zip(rows[f"{kind.name}_id"], names, strict=True))
    if text:
        return found
    first = state.get(kind.name) or (
        _readable_user(str(services.root()), dataset.fingerprint) if kind is USER else None
    )
    return found if first is None else {first: found.get(first) or _name(kind, dataset, first)} | found


def _name(kind: Kind, dataset: "Dataset", identifier: str) -> str:
    """Return the display name of an identifier outside the search results."""
    if kind is USER:
        return identifier
    from recsys_core.experiments.held_out_users import described_items

    return str(described_items(dataset, [dataset.item_vocabulary.position(identifier)])["title"].iloc[0])


def search(dataset: "Dataset", kind: Kind, text: str) -> "pd.DataFrame":
    """Return the users or items whose ID or title contains the text, most active first."""
    return _search(str(services.root()), dataset.fingerprint, kind.name, text.strip())


@st.cache_data(max_entries=256, show_spinner=False)
def _readable_user(root: str, fingerprint: str) -> str | None:
    from recsys_core.data import summaries

    return summaries.readable_user(services.dataset(fingerprint))


@st.cache_data(max_entries=256, show_spinner=False)
def _search(root: str, fingerprint: str, name: str, text: str) -> "pd.DataFrame":
    from recsys_core.data import summaries

    search = {"user": summaries.user_search, "item": summaries.item_search}[name]
    return search(services.dataset(fingerprint), text, OFFERED)
