"""Items: what is there, how is it rated, and what is like what?"""

import streamlit as st

from pages.items_parts import search_and_item
from pages.ui import empty_state, pickers
from pages.ui.frame import ensure_frame
from pages.ui.text import _

ensure_frame()

st.title(_("Items"))
with pickers.line():
    card = pickers.dataset("items")
if card is None:
    empty_state.state(
        _("No items to look at yet"),
        _("Bring a file of your own, or take a sample with one click; its items can be looked at at once."),
        action="data",
    )
    st.stop()

search_and_item.present(card)
