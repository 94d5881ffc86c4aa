"""Home: where do I start?"""

import streamlit as st

from pages.home_parts import get_started, recent_experiments
from pages.ui import damaged_folders, services, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _, paragraph

ensure_frame()

st.title("Recscope")
paragraph(
    "Find out which recommender works best on your data, **how certain that result is**, and how the "
    "models work inside. Every number is computed from the data in front of you."
)
get_started.show()
get_started.demonstration()
damaged_folders.show()

st.header(_("Recent experiments"))
recent_experiments.recent()
if services.run_cards():
    terms.row("home")
services.wake_engine()
