"""The empty state of a page: a title, why it is empty, and the one button that changes that."""

import streamlit as st

from pages.ui import frame
from pages.ui.navigation import has_page
from pages.ui.text import _, later

LABELS = {
    "home": later("Go to Home"),
    "data": later("Bring or choose data"),
    "explore": later("Explore the data"),
    "train": later("Choose models and train them"),
    "compare": later("Open the comparison"),
    "recommend": later("See recommendations"),
    "inside": later("Look inside a model"),
}


def state(title: str, why: str, *, action: str, label: str = "") -> None:
    """Show why there is nothing here, and a button that opens the page where that is changed.

    Args:
        title: What is missing.
        why: Why, and what to do.
        action: Key of the page that the button opens.
        label: Text of the button; each page has one of its own.
    """
    with st.container(border=True, key=f"empty_{action}"):
        st.subheader(title)
        st.markdown(why)
        pressed = st.button(
            label or _(LABELS[action]), type="primary", key=f"empty_go_{action}", disabled=not has_page(action)
        )
    if pressed:
        frame.go(action)
