"""Items: what is there, how is it rated, and what is like what?"""

import streamlit as st

from pages.shared import empty, items_page, pickers
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Items"))
with pickers.line():
    card = pickers.dataset("items")
if card is None:
    empty.state(
        _("No items to look at yet"),
        _("Bring a file of your own, or take a sample with one click; its items can be looked at at once."),
        action="data",
    )
    st.stop()

items_page.present(card)
