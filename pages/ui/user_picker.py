"""Who is asked for: a user of the data, or somebody made up by rating a few items."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, services, state
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.contracts import QueryBatch
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run

FROM_DATA, MADE_UP = "data", "made_up"
OFFERED = 50
"""So many users or items are offered at a time; the search finds the others."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A person with their history.

    Args:
        name: What the page calls them, safe for Markdown.
        query: What models are asked.
        history: What people read of it, latest first.
        key: Names the person in caches and keys.
        is_new: Whether no model was trained with them.
    """

    name: str
    query: "QueryBatch"
    history: "pd.DataFrame"
    key: str
    is_new: bool


def choose(run: "Run") -> Asked:
    """Show the choice of a person; the page stops until there is one."""
    dataset = services.dataset(run.spec.data)
    kind = st.radio(
        _("For whom?"),
        [FROM_DATA, MADE_UP],
        horizontal=True,
        format_func=lambda one: _("Somebody from the data") if one == FROM_DATA else _("Somebody made up"),
        key="recommend_kind",
    )
    return _made_up(dataset) if kind == MADE_UP else _from_data(run, dataset)


def _from_data(run: "Run", dataset: "Dataset") -> Asked:
    finder.drop_unknown(finder.USER, dataset)
    with st.container(horizontal=True, key="recommend_user_line"):
        text = st.text_input(_("Search a user by identifier"), key="recommend_search", width=260)
        offered = found_users(dataset, text, state.get("user"))
        if not offered:
            st.warning(_("No user's identifier holds '{text}'.").format(text=safe(text)))
            st.stop()
        asked = state.get("user")
        st.session_state["recommend_user"] = asked if asked in offered else offered[0]
        st.selectbox(
            _("User"),
            offered,
            key="recommend_user",
            on_change=lambda: finder.take(finder.USER, st.session_state["recommend_user"], keep_search=True),
            width=260,
        )
    user_id = st.session_state["recommend_user"]
    state.put("user", user_id)
    return of_data(run, dataset, user_id)


def found_users(dataset: "Dataset", text: str, asked: str | None) -> list[str]:
    """Return identifiers that hold the text, busiest first; the one in the address leads if nothing is searched for."""
    found = list(_search(str(services.root()), dataset.fingerprint, "user", text)["user_id"])
    if not text and asked and asked in dataset.user_vocabulary:
        return [asked, *(one for one in found if one != asked)]
    return found


def found_items(dataset: "Dataset", text: str) -> dict[int, str]:
    """Return position -> title of the items whose title or identifier holds the text, most popular first."""
    found = _search(str(services.root()), dataset.fingerprint, "item", text)
    return dict(zip(found["item"].tolist(), found["title"], strict=True))


@st.cache_data(max_entries=256, show_spinner=False)
def _search(root: str, fingerprint: str, table: str, text: str) -> "pd.DataFrame":
    """Return the users or items whose identifier or title holds the text."""
    from recsys_core.data import summaries

    search = {"user": summaries.user_search, "item": summaries.item_search}[table]
    return search(services.dataset(fingerprint), text.strip(), OFFERED)


def of_data(run: "Run", dataset: "Dataset", user_id: str) -> Asked:
    """Return a user of the data with all they did; the page stops if there is no such user."""
    from recsys_core.experiments.held_out_users import is_known
    from recsys_core.serving.recommendations import query_of

    try:
        user = dataset.user_vocabulary.position(user_id)
        known = is_known(run, user)
    except RecscopeError as error:
        st.warning(safe(error))
        st.stop()
    history = _history(str(services.root()), dataset.fingerprint, user)
    name = _("User {user}").format(user=safe(user_id))
    return Asked(name, query_of(user, history, known=known), history, f"user {user_id}", not known)


@st.cache_data(max_entries=256, show_spinner=False)
def _history(root: str, fingerprint: str, user: int) -> "pd.DataFrame":
    from recsys_core.experiments.held_out_users import history_of

    return history_of(services.dataset(fingerprint), user)


def _made_up(dataset: "Dataset") -> Asked:
    from recsys_core.experiments.held_out_users import described_items
    from recsys_core.serving.recommendations import query_of_items

    _forget_other_data(dataset)
    with st.container(border=True, key="made_up"):
        st.markdown(_("Choose a few items that this person liked, and say how much."))
        chosen = _items(dataset)
        if not chosen:
            st.stop()
        frame = described_items(dataset, chosen)
        if dataset.rating_scale is not None:
            frame = _ratings(dataset, frame)
    strengths = frame["rating"] if "rating" in frame else frame["item"] * 0.0 + 1.0
    query = query_of_items(frame["item"].to_numpy(), strengths)
    key = "made up " + " ".join(f"{item}:{value:g}" for item, value in zip(frame["item"], strengths, strict=True))
    return Asked(_("Somebody made up"), query, frame, key, is_new=True)


def _forget_other_data(dataset: "Dataset") -> None:
    """Begin anew where the items chosen so far are of other data: the same positions mean other items here."""
    if st.session_state.get("made_up_data", dataset.fingerprint) != dataset.fingerprint:
        st.session_state["made_up_items"] = []
    st.session_state["made_up_data"] = dataset.fingerprint


def _items(dataset: "Dataset") -> list[int]:
    """Show the search for items and what was chosen so far; return their positions."""
    from recsys_core.experiments.held_out_users import described_items

    text = st.text_input(_("Search an item by title"), key="made_up_search")
    kept = list(st.session_state.get("made_up_items", []))
    found = _search(str(services.root()), dataset.fingerprint, "item", text)
    titles = described_items(dataset, [*kept, *(item for item in found["item"] if item not in kept)])
    names = dict(zip(titles["item"], titles["title"], strict=True))
    return st.multiselect(
        _("Items"),
        list(names),
        format_func=names.get,
        key="made_up_items",
        placeholder=_("Choose from the items found"),
    )


def _ratings(dataset: "Dataset", frame: "pd.DataFrame") -> "pd.DataFrame":
    scale = dataset.rating_scale
    return st.data_editor(
        frame.assign(rating=float(scale.high)),
        key="made_up_ratings",
        hide_index=True,
        column_order=["title", "rating"],
        disabled=["title"],
        column_config={
            "title": st.column_config.TextColumn(_("Title")),
            "rating": st.column_config.NumberColumn(
                _("Rating"), min_value=float(scale.low), max_value=float(scale.high), step=0.5, required=True
            ),
        },
    )
