"""The empty state of a page: a title, the reason, and the button that resolves it; without data, also a sample."""

from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from pages.ui import frame, services, show, state
from pages.ui.navigation import has_page
from pages.ui.text import _, later

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard

SAMPLE = "small"
LABELS = {"data": later("Upload or open data"), "train": later("Train models")}


def card_or_stop(card: "DatasetCard | None", why: str) -> "DatasetCard":
    """Return the selected data set; without one, the page stops here, with the reason."""
    if card is None:
        stop(_("No data yet"), why, action="data")
    return card


def stop(title: str, why: str, *, action: str, label: str = "") -> NoReturn:
    """Show why the page is empty and a button that opens the page that resolves it; the page stops here.

    Args:
        title: What is missing.
        why: Why, and what to do.
        action: Key of the page that the button opens.
        label: Text of the button; by default, that of the page.
    """
    with st.container(border=True, key=f"empty_{action}"):
        st.subheader(title)
        st.markdown(why)
        with st.container(horizontal=True, key=f"empty_buttons_{action}"):
            pressed = st.button(
                label or _(LABELS[action]), type="primary", key=f"empty_go_{action}", disabled=not has_page(action)
            )
            sampled = action == "data" and st.button(_("Open a sample"), key="empty_sample", icon=":material/dataset:")
    if pressed:
        frame.go(action)
    if sampled:
        with show.errors():
            state.choose("data", services.sample(SAMPLE))
            st.rerun()
    st.stop()
