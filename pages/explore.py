"""Explore: what do these data look like?"""

import streamlit as st

from pages.explore_parts import questions
from pages.ui import empty_state, pickers, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _, count, paragraph

ensure_frame()

st.title(_("Explore"))
with pickers.line():
    card = pickers.dataset("explore")
card = empty_state.card_or_stop(card, _("Upload your own data, or open a sample; its charts then appear here."))

paragraph(
    "{users} users, {items} items, {interactions} interactions.",
    users=count(card.n_users),
    items=count(card.n_items),
    interactions=count(card.n_interactions),
)
terms.row("explore")
questions.ask_all(card)
