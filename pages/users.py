"""Users: who are they, what do they do, and who is like whom?"""

import streamlit as st

from pages.shared import empty, pickers, users_page
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Users"))
with pickers.line():
    card = pickers.dataset("users")
if card is None:
    empty.state(
        _("No users to look at yet"),
        _("Bring a file of your own, or take a sample with one click; its users can be looked at at once."),
        action="data",
    )
    st.stop()

users_page.present(card)
