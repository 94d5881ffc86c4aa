"""Whose recommendations are shown: a user of the data set, or a custom history."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, services, state
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.contracts import QueryBatch, RatingScale
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run

FROM_DATA, CUSTOM = "data", "made_up"


@dataclass(frozen=True, eq=False)
class SelectedUser:
    """A user with their history.

    Args:
        name: Display name, safe for Markdown.
        query: Input of the models.
        history: The history as a table, latest first.
        key: Identifies the user in caches and keys.
        is_new: Whether the user is unknown to the trained models.
    """

    name: str
    query: "QueryBatch"
    history: "pd.DataFrame"
    key: str
    is_new: bool


def choose(run: "Run") -> SelectedUser:
    """Show the choice of a user; the page stops until one is selected."""
    dataset = services.dataset(run.spec.data)
    kind = st.radio(
        _("Recommend for"),
        [FROM_DATA, CUSTOM],
        horizontal=True,
        format_func=lambda one: (
            _("User from the data set") if one == FROM_DATA else _("Custom history (cold-start user)")
        ),
        key="recommend_kind",
    )
    return _custom_history(dataset) if kind == CUSTOM else _from_data(run, dataset)


def _from_data(run: "Run", dataset: "Dataset") -> SelectedUser:
    finder.drop_unknown(finder.USER, dataset)
    with st.container(horizontal=True, key="recommend_user_line"):
        text = st.text_input(_("Search users by ID"), key="recommend_search", width=260)
        offered = found_users(dataset, text, state.get("user"))
        if not offered:
            st.warning(_("No user ID contains '{text}'.").format(text=safe(text)))
            st.stop()
        requested = state.get("user")
        st.session_state["recommend_user"] = requested if requested in offered else offered[0]
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


def found_users(dataset: "Dataset", text: str, requested: str | None) -> list[str]:
    """Return the user IDs that contain the text, most active first; without a search, the one in the URL leads."""
    found = list(finder.search(dataset, finder.USER, text)["user_id"])
    if not text and requested and requested in dataset.user_vocabulary:
        return [requested, *(one for one in found if one != requested)]
    return found


def found_items(dataset: "Dataset", text: str) -> dict[int, str]:
    """Return position -> title of the items whose title or ID contains the text, most popular first."""
    found = finder.search(dataset, finder.ITEM, text)
    return dict(zip(found["item"].tolist(), found["title"], strict=True))


def of_data(run: "Run", dataset: "Dataset", user_id: str) -> SelectedUser:
    """Return a user of the data set with their full history; the page stops if there is no such user."""
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
    return SelectedUser(name, query_of(user, history, known=known), history, f"user {user_id}", not known)


@st.cache_data(max_entries=256, show_spinner=False)
def _history(root: str, fingerprint: str, user: int) -> "pd.DataFrame":
    from recsys_core.experiments.held_out_users import history_of

    return history_of(services.dataset(fingerprint), user)


def _custom_history(dataset: "Dataset") -> SelectedUser:
    from recsys_core.experiments.held_out_users import described_items
    from recsys_core.serving.recommendations import query_of_items

    _forget_other_data(dataset)
    with st.container(border=True, key="made_up"):
        paragraph("Select a few items as the history of this user; if the data set has ratings, rate them.")
        chosen = _items(dataset)
        if not chosen:
            st.stop()
        frame = described_items(dataset, chosen)
        if dataset.rating_scale is not None:
            frame = _ratings(dataset.rating_scale, frame)
    strengths = frame["rating"] if "rating" in frame else frame["item"] * 0.0 + 1.0
    query = query_of_items(frame["item"].to_numpy(), strengths)
    key = "made up " + " ".join(f"{item}:{value:g}" for item, value in zip(frame["item"], strengths, strict=True))
    return SelectedUser(_("Custom history"), query, frame, key, is_new=True)


def _forget_other_data(dataset: "Dataset") -> None:
    """Clear the selected items if they belong to another data set: positions mean other items there."""
    if st.session_state.get("made_up_data", dataset.fingerprint) != dataset.fingerprint:
        st.session_state["made_up_items"] = []
    st.session_state["made_up_data"] = dataset.fingerprint


def _items(dataset: "Dataset") -> list[int]:
    """Show the item search and the selected items; return their positions."""
    from recsys_core.experiments.held_out_users import described_items

    text = st.text_input(_("Search items by title"), key="made_up_search")
    kept = list(st.session_state.get("made_up_items", []))
    found = found_items(dataset, text)
    titles = described_items(dataset, [*kept, *(item for item in found if item not in kept)])
    names = dict(zip(titles["item"], titles["title"], strict=True))
    return st.multiselect(
        _("Items"),
        list(names),
        format_func=lambda one: names.get(one, ""),
        key="made_up_items",
        placeholder=_("Select from the items found"),
    )


def _ratings(scale: "RatingScale", frame: "pd.DataFrame") -> "pd.DataFrame":
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
