"""Attention: which items does the model attend to, and do they influence its scores?"""

import streamlit as st

from pages.attention_parts import selection, views
from pages.ui import terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _, paragraph

ensure_frame()

st.title(_("Attention"))
paragraph("Which items does the model attend to, and do they influence its scores?")
seen = selection.choose()
terms.row("attention")
views.all_of(seen)
