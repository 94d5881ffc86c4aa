"""The empty state of a page: a title, the reason, and one button that resolves it."""

from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from pages.ui import frame
from pages.ui.navigation import has_page
from pages.ui.text import _, later

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard

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
        pressed = st.button(
            label or _(LABELS[action]), type="primary", key=f"empty_go_{action}", disabled=not has_page(action)
        )
    if pressed:
        frame.go(action)
    st.stop()
