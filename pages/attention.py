"""Attention: what did it look at, and does that matter?"""

import streamlit as st

from pages.shared import attention_subject, attention_views
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Attention"))
st.markdown(_("What did the model look at, and does that matter?"))
seen = attention_subject.choose()
attention_views.all_of(seen)
