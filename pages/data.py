"""Data: can I trust what I brought?"""

import streamlit as st

from pages.shared import checking, choosing, damaged, datacard, services, state, stored
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Data"))
taking = checking.current()
card = None if state.get("intake") else services.current_card()

shelf, desk = st.columns([1, 3], gap="medium")
with shelf:
    stored.shelf()
with desk:
    damaged.show("data set")
    if taking is not None:
        checking.show(taking)
    elif card is not None:
        datacard.present(card)
    else:
        choosing.show()
