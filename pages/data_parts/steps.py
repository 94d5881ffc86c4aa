"""The three steps of an upload, always visible."""

import streamlit as st

from pages.ui.text import _, later

CHOOSE, CHECK, STORE = range(3)
STEPS = (later("Select"), later("Check"), later("Store"))


def header(current: int) -> None:
    """Show the steps in one line: finished ones ticked, the current one in bold."""
    icons = (":material/check_circle:", ":material/radio_button_checked:", ":material/radio_button_unchecked:")
    words = [
        f"{icons[(place > current) + (place >= current)]} "
        + (f"**{number}. {_(step)}**" if place == current else f"{number}. {_(step)}")
        for number, (place, step) in enumerate(enumerate(STEPS), start=1)
    ]
    with st.container(key="data_steps"):
        st.markdown("  ›  ".join(words))
