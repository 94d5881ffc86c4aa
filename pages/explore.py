"""Explore: what does this data look like?"""

import streamlit as st

from pages.explore_parts import questions
from pages.ui import empty_state, pickers
from pages.ui.frame import ensure_frame
from pages.ui.text import _, count

ensure_frame()

st.title(_("Explore"))
with pickers.line():
    card = pickers.dataset("explore")
if card is None:
    empty_state.state(
        _("No data to look at yet"),
        _("Bring a file of your own, or take a sample with one click; the pictures follow at once."),
        action="data",
    )
    st.stop()

st.markdown(
    _(
        "{users} users, {items} items, {interactions} interactions: each question with its answer and its picture."
    ).format(users=count(card.n_users), items=count(card.n_items), interactions=count(card.n_interactions))
)
questions.ask_all(card)
