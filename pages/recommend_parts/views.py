"""The parts of the page Recommend: lists with what-if, the cold-start ladder, and the shop window."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import show, state
from pages.ui.text import _

if TYPE_CHECKING:
    from pages.ui.user_picker import SelectedUser

LISTS, LADDER, SHOP = "lists", "ladder", "shop"


def choose(user: "SelectedUser") -> str:
    """Show the choice of a part and return it: for a new user the shop window by default. The URL has the choice."""
    names = {LISTS: _("Lists and what-if"), LADDER: _("Cold-start ladder"), SHOP: _("Shop window")}
    first = SHOP if user.key == "new" else LISTS
    linked = state.get("show")
    if linked not in names:
        linked = first
    if state.is_demo():
        return linked
    key = f"recommend_show_{user.key == 'new'}"
    st.session_state.setdefault(key, linked)
    view = str(show.radio(_("View"), names, key))
    state.put("show", None if view == first else view)
    return view
