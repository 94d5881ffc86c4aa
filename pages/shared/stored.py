"""The data sets of the workspace as cards, and what can be done with one: rename, download, delete."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import services, show, state
from pages.shared.text import _, count, n_, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.workspace import DatasetCard

NEW = "new"
"""Stands in the address instead of the name of files being taken in: the person wants to bring some."""
NOTICE = "data_notice"


def show_notice() -> None:
    """Show once what was just done."""
    if words := st.session_state.pop(NOTICE, None):
        st.success(safe(words), icon=":material/check_circle:")


def shelf() -> None:
    """Show a card for each data set of the workspace, and the button that brings another."""
    cards = services.cards()
    if not state.is_demo() and st.button(
        _("Bring other data"), key="data_new", icon=":material/add:", width="stretch", disabled=not cards
    ):
        state.put("intake", NEW)
        st.rerun()
    if not cards:
        st.markdown(_("No data sets stored yet."))
    for card in cards:
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
            _("Shown") if chosen else _("Show"), key=f"show_{card.fingerprint}", disabled=chosen, width="stretch"
        ):
            state.put("intake", None)
            state.choose("data", card.fingerprint)
            st.rerun()


def actions(card: "DatasetCard") -> None:
    """Show the buttons that rename, download and delete a data set."""
    with st.container(horizontal=True, key="data_actions"):
        if st.button(_("Rename"), key="data_rename", icon=":material/edit:"):
            _rename(card.fingerprint, card.name)
        show.download(
            _("Download (zip of CSV)"),
            lambda: services.archive(card.fingerprint),
            f"{show.file_name(card.name)}.zip",
            "application/zip",
            "data_download",
            type="secondary",
        )
        if st.button(_("Delete"), key="data_delete", icon=":material/delete:"):
            _delete(card.fingerprint, card.name)


def _rename(fingerprint: str, name: str) -> None:
    @st.dialog(_("Rename this data set"))
    def ask() -> None:
        wanted = st.text_input(_("Name"), name, key="data_new_name", max_chars=200)
        if st.button(_("Rename"), type="primary", key="data_rename_confirmed"):
            try:
                services.workspace().rename(fingerprint, wanted)
            except RecscopeError as error:
                st.error(safe(error))
                return
            st.session_state[NOTICE] = _("The data set is called '{name}'.").format(name=wanted.strip())
            st.rerun()

    ask()


def _delete(fingerprint: str, name: str) -> None:
    @st.dialog(_("Delete this data set?"))
    def ask() -> None:
        st.markdown(
            _("**{name}** is removed for good. Experiments that were made with it keep their numbers.").format(
                name=safe(name)
            )
        )
        if st.button(_("Delete for good"), type="primary", key="data_delete_confirmed"):
            try:
                services.workspace().delete(fingerprint)
            except RecscopeError as error:
                st.error(safe(error))
                return
            state.choose("data", None)
            st.session_state[NOTICE] = _("'{name}' was deleted.").format(name=name)
            st.rerun()

    ask()
