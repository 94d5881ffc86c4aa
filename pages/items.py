"""Items: what is in the catalog, how is it rated, and which items are similar?"""

import streamlit as st

from pages.items_parts import item_profile
from pages.ui import empty_state, pickers, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _

ensure_frame()

st.title(_("Items"))
with pickers.line():
    card = pickers.dataset("items")
card = empty_state.card_or_stop(card, _("Upload your own data, or open a sample; its items then appear here."))

terms.row("items")
item_profile.present(card)
