"""Editing a history: add, drop, rate again, reorder, and the state at an earlier day."""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from pages.recommend_parts import editing as edits
from pages.ui import show, user_picker
from pages.ui.text import _, n_, paragraph

if TYPE_CHECKING:
    from pages.recommend_parts.editing import Editing
    from recsys_core.contracts import RatingScale

ENTRY = "edit_entry"
"""Session key of the selected place of the history."""
ADDED = "edit_added"
HALF = 0.5
"""Step of the ratings."""


def show_editor(editing: "Editing") -> None:
    """Show the history, latest first, and the controls that edit it."""
    st.header(editing.user.name)
    st.markdown(n_("{n} item in the history", "{n} items in the history", len(editing.now)))
    edits.buttons(editing, "edit")
    table = editing.at(editing.now).history
    if len(table):
        _table(table)
    else:
        paragraph("The history is empty. Add an item, or open the shop window.")
    add, change, day = st.tabs([_("Add"), _("Change"), _("As of day")])
    with add:
        _add(editing)
    with change:
        _change(editing, dict(zip(table["place"].tolist(), table["title"], strict=True)))
    with day:
        _as_of(editing)


def _add(editing: "Editing") -> None:
    """Show the search for an item to add, its rating, and the button."""
    text = st.text_input(_("Search items by title"), key="edit_search")
    found = user_picker.found_items(editing.dataset, text)
    hint = _("Select from the items found")
    item = show.select(_("Item to add"), found, ADDED, index=None, placeholder=hint)
    scale, rating = editing.dataset.rating_scale, "edit_add_rating"
    if scale is not None:
        _rating(_("Rating of the item"), scale, rating, float(scale.high))

    def add() -> None:  # reads the widgets: what was entered just before the press comes with it
        chosen = st.session_state[ADDED]
        if chosen is not None:
            value = None if scale is None else st.session_state[rating]
            editing.change(lambda now: now.added(int(chosen), value))

    st.button(
        _("Add"),
        key="edit_add_button",
        icon=":material/add:",
        disabled=item is None,
        on_click=add,
    )


def _rating(label: str, scale: "RatingScale", key: str, value: float) -> float:
    low, high = float(scale.low), float(scale.high)
    return st.number_input(label, low, high, min(max(value, low), high), step=HALF, key=key)


def _change(editing: "Editing", titles: dict[int, str]) -> None:
    """Show the selection of an entry of the history, and what can be done with it."""
    if not titles:
        paragraph("The history has no entry to change.")
        return
    if st.session_state.get(ENTRY) not in titles:
        st.session_state[ENTRY] = next(iter(titles))
    names = {place: f"{place}. {title}" for place, title in titles.items()}
    at = int(show.select(_("Entry of the history (1 is the oldest)"), names, ENTRY)) - 1
    last = len(editing.now) - 1

    def drop() -> None:
        editing.change(lambda now: now.dropped(at))

    def move(to: int) -> None:
        editing.change(lambda now: now.moved(at, to))
        st.session_state[ENTRY] = to + 1

    actions = {
        "drop": (_("Drop"), ":material/delete:", drop, True),
        "earlier": (_("Earlier"), ":material/arrow_downward:", lambda: move(at - 1), at > 0),
        "later": (_("Later"), ":material/arrow_upward:", lambda: move(at + 1), at < last),
    }
    with st.container(horizontal=True, gap="small", key="edit_entry_buttons"):
        for name, (label, icon, act, possible) in actions.items():
            st.button(label, key=f"edit_{name}", icon=icon, on_click=act, disabled=not possible)
    _rate(editing, at)


def _rate(editing: "Editing", at: int) -> None:
    """Show the rating of the selected entry; a change of it is an edit."""
    scale, present = editing.dataset.rating_scale, editing.now.values[at]
    if scale is None or math.isnan(present):
        return
    key = f"edit_rating_{at}"
    st.session_state[key] = min(max(float(present), float(scale.low)), float(scale.high))
    st.number_input(
        _("Rating of the entry"),
        float(scale.low),
        float(scale.high),
        step=HALF,
        key=key,
        on_change=lambda: editing.change(lambda now: now.rated(at, float(st.session_state[key]))),
    )


def _as_of(editing: "Editing") -> None:
    """Show the days of the history; a choice drops all interactions after that day."""
    history = editing.user.history
    times = history["timestamp"].dropna() if "timestamp" in history else None
    if times is None or times.empty:
        paragraph("This history has no timestamps.")
        return
    first, last = times.min().date(), times.max().date()

    def cut() -> None:
        day: date | None = st.session_state["edit_day"]
        if day is not None:
            end = datetime.combine(day + timedelta(days=1), time(), UTC)
            editing.change(lambda now: now.until(int(end.timestamp() * 1000) - 1))
        st.session_state["edit_day"] = None

    st.date_input(
        _("As of day"),
        value=None,
        min_value=first,
        max_value=last,
        key="edit_day",
        on_change=cut,
        help=_("Drops all interactions after this day. The history begins on {first} and ends on {last}.").format(
            first=first, last=last
        ),
    )


def _table(table: "object") -> None:
    """Show the history, latest first; selecting a row selects the entry."""
    import pandas as pd

    assert isinstance(table, pd.DataFrame)
    names = {"added": _("added"), "rated": _("rated again"), "": ""}
    shown = table.assign(edit=table["edit"].map(names))

    def select() -> None:
        rows = st.session_state["recommend_history"].selection.rows
        if rows:
            st.session_state[ENTRY] = int(table["place"].iloc[rows[0]])

    show.table(
        shown,
        "recommend_history",
        name=_("History"),
        height=300,
        on_select=select,
        selection_mode="single-row",
        column_order=[name for name in ("title", "rating", "edit", "timestamp", "categories") if name in shown],
        column_config={
            "title": st.column_config.TextColumn(_("Title"), width=170),
            "rating": st.column_config.NumberColumn(_("Rating"), format="%g", width=60),
            "edit": st.column_config.TextColumn(_("Edit"), width=80),
            "timestamp": st.column_config.DateColumn(_("Date")),
            "categories": st.column_config.TextColumn(_("Categories")),
        },
    )
