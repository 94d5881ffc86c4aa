"""Users: who are they, how do they behave, and who is similar to whom?"""

import streamlit as st

from pages.ui import empty_state, pickers, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _
from pages.users_parts import tabs

ensure_frame()

st.title(_("Users"))
with pickers.line():
    card = pickers.dataset("users")
card = empty_state.card_or_stop(card, _("Upload your own data, or open a sample; its users then appear here."))

terms.show("users", (*terms.PLACES["users"], *(("Trust",) if card.has_social else ())))
tabs.present(card)
