"""Attention: what did it look at, and does that matter?"""

import streamlit as st

from pages.attention_parts import selection, views
from pages.ui.frame import ensure_frame
from pages.ui.text import _

ensure_frame()

st.title(_("Attention"))
st.markdown(_("What did the model look at, and does that matter?"))
seen = selection.choose()
views.all_of(seen)
