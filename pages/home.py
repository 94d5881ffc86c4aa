"""Home: where do I start?"""

import streamlit as st

from pages.shared import damaged, doors, runs, services
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title("Recscope")
st.markdown(
    _(
        "Find out which recommender works best on your data, **how sure that is**, and what happens inside. "
        "Every number here is computed from the data in front of you."
    )
)
doors.show()
doors.demonstration()
damaged.show()

st.header(_("Recent experiments"))
runs.recent()
services.wake_engine()
