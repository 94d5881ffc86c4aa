"""The data sets of the workspace as cards, with the actions rename, download and delete."""

import time
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, show, state
from pages.ui.text import _, count, n_, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard

NEW = "new"
"""Value of the `intake` URL parameter without an upload session: the upload form is open."""
NOTICE = "data_notice"
NOTICE_SECONDS = 8.0
SHOWN = 6


def say(words: str) -> None:
    """Store a notice about a finished action, shown for a few seconds."""
    st.session_state[NOTICE] = (words, time.monotonic())


def show_notice() -> None:
    """Show the notice about the last action."""
    words, said_at = st.session_state.get(NOTICE, ("", 0.0))
    if words and time.monotonic() - said_at < NOTICE_SECONDS:
        st.success(safe(words), icon=":material/check_circle:")


def shelf() -> None:
    """Show a card for each data set of the workspace, and the upload button."""
    cards = services.cards()
    if not state.is_demo() and st.button(
        _("Upload other data"), key="data_new", icon=":material/add:", width="stretch", disabled=not cards
    ):
        state.put("intake", NEW)
        st.rerun()
    if not cards:
        paragraph("No data sets stored yet.")
    for card in cards[:SHOWN]:
        _card(card)
    if len(cards) > SHOWN:
        with st.expander(n_("{n} older data set", "{n} older data sets", len(cards) - SHOWN), key="data_older"):
            for card in cards[SHOWN:]:
                _card(card)


def _card(card: "DatasetCard") -> None:
    chosen = card.fingerprint == state.get("data") and not state.get("intake")
    with st.container(border=True, key=f"card_{card.fingerprint}", gap="small"):
        st.markdown(
            f"**{safe(card.name)}**  \n"
            + _("{users} users × {items} items").format(users=count(card.n_users), items=count(card.n_items))
            + "  \n"
            + n_("{n} interaction", "{n} interactions", card.n_interactions)
        )
        if st.button(
            _("Current") if chosen else _("Open"), key=f"show_{card.fingerprint}", disabled=chosen, width="stretch"
        ):
            state.put("intake", None)
            state.choose("data", card.fingerprint)
            st.rerun()


def actions(card: "DatasetCard") -> None:
    """Show the buttons that rename, download and delete a data set."""
    with st.container(horizontal=True, key="data_actions"):
        _rename(card)
        show.download(
            _("Download (zip of CSV)"),
            lambda: services.archive(card.fingerprint),
            f"{show.file_name(card.name)}.zip",
            "application/zip",
            "data_download",
            type="secondary",
        )
        _delete(card)


def _rename(card: "DatasetCard") -> None:
    with st.popover(_("Rename"), icon=":material/edit:", key="data_rename"):
        wanted = st.text_input(_("Name"), card.name, key=f"data_name_{card.fingerprint}", max_chars=200)
        if not st.button(_("Rename"), type="primary", key="data_rename_confirmed"):
            return
        with show.errors():
            services.workspace().rename(card.fingerprint, wanted)
            say(_("The data set was renamed to '{name}'.").format(name=wanted.strip()))
            st.rerun()


def _delete(card: "DatasetCard") -> None:
    """Delete a data set after confirmation."""
    with st.popover(_("Delete"), icon=":material/delete:", key="data_delete"):
        paragraph(
            "**{name}** is deleted permanently. Results of its experiments stay in the workspace and can "
            "be reported from the command line; the pages need the data set to show them.",
            name=safe(card.name),
        )
        if live := [one for one in services.run_cards() if one.is_live and one.data == card.fingerprint]:
            st.warning(
                _("Experiment '{name}' is queued or running on it; cancel it first.").format(name=safe(live[0].name))
            )
            return
        if not st.button(_("Delete permanently"), type="primary", key="data_delete_confirmed"):
            return
        with show.errors():
            services.workspace().delete(card.fingerprint)
            state.choose("data", None)
            say(_("'{name}' was deleted.").format(name=card.name))
            st.rerun()
