"""Home: where do I start?"""

import streamlit as st

from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Recscope"))
