"""Users: who are they, what do they do, and who is like whom?"""

import streamlit as st

from pages.ui import empty_state, pickers
from pages.ui.frame import ensure_frame
from pages.ui.text import _
from pages.users_parts import tabs

ensure_frame()

st.title(_("Users"))
with pickers.line():
    card = pickers.dataset("users")
if card is None:
    empty_state.state(
        _("No users to look at yet"),
        _("Bring a file of your own, or take a sample with one click; its users can be looked at at once."),
        action="data",
    )
    st.stop()

tabs.present(card)
