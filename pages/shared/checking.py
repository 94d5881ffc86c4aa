"""Steps two and three: look at what was guessed, change it, see at once what that does to the counts; then store."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import intaking, outcome, rules, state, stored, tables
from pages.shared.steps import CHECK, STORE, header
from pages.shared.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.engine.intake import Draft, Intake, IntakeStatus

PATIENCE_SECONDS = 0.8
"""The page waits so long for an answer before it shows a bar instead."""


def current() -> "Intake | None":
    """Return the files being taken in that the address names; None, and a word, if they are gone."""
    named = state.get("intake")
    if named is None or named == stored.NEW:
        return None
    taking = intaking.find(named)
    if taking is None:
        state.put("intake", stored.NEW)
        st.warning(_("The files in this address are not here any more: they were stored, or left for a day."))
    return taking


def show(taking: "Intake") -> None:
    """Show the step at which these files are."""
    status = taking.status()
    if status.is_live:
        header(STORE if status.work == "store" else CHECK)
        st.fragment(_working, run_every=0.5)(taking)
    elif status.state == "DONE" and status.work == "store":
        _finish(taking, status)
    elif status.state in ("FAILED", "CANCELLED"):
        _ended_badly(taking, status)
    else:
        _check(taking)


def _working(taking: "Intake") -> None:
    """Show how far the process is, from its files, until it has ended."""
    status = taking.status()
    if not status.is_live:
        st.rerun()
    words = _("Storing") if status.work == "store" else _("Downloading")
    st.progress(status.fraction or 0.0, f"{words}: {safe(status.stage)}" if status.stage else f"{words} …")
    if st.button(_("Stop"), key="intake_stop", icon=":material/stop_circle:"):
        taking.cancel()


def _finish(taking: "Intake", status: "IntakeStatus") -> None:
    """Open the data set that was stored; the files are not needed any more."""
    name = taking.draft().name
    taking.discard()
    state.put("intake", None)
    state.choose("data", status.fingerprint)
    stored.say(_("'{name}' is stored.").format(name=name))
    st.rerun()


def _ended_badly(taking: "Intake", status: "IntakeStatus") -> None:
    """Say why nothing was stored, and offer another attempt."""
    header(STORE if status.work == "store" else CHECK)
    (st.error if status.state == "FAILED" else st.info)(safe(status.reason))
    again, away = st.columns(2)
    if status.work == "download" and again.button(_("Download again"), key="intake_again", type="primary"):
        taking.start("download")
        st.rerun()
    if status.work == "store" and again.button(_("Back to the check"), key="intake_back", type="primary"):
        taking.back_to_draft()
        st.rerun()
    if away.button(_("Leave it"), key="intake_leave"):
        _leave(taking)


def _leave(taking: "Intake") -> None:
    taking.discard()
    state.put("intake", stored.NEW)
    st.rerun()


def _check(taking: "Intake") -> None:
    header(CHECK)
    draft = taking.draft()
    try:
        found = intaking.inspect(taking, draft, PATIENCE_SECONDS)
        if found is None:
            _wait(_("Opening the files"))
            return
        guesses = intaking.guesses(found, draft)
    except RecscopeError as error:
        st.error(safe(error))
        if st.button(_("Choose other files"), key="intake_leave", type="primary"):
            _leave(taking)
        return
    counts = st.container(key="check_counts")
    tables.show(taking, guesses)
    rules.show(taking, draft, guesses)
    with counts:
        _counts(taking, draft)
    _store(taking, draft)


def _counts(taking: "Intake", draft: "Draft") -> None:
    """Show what would be accepted and rejected; a long count shows a bar and comes back when it is done."""
    try:
        ticket = intaking.count_rows(taking, draft)
        if not ticket.wait(PATIENCE_SECONDS):
            st.fragment(_counting, run_every=0.5)(taking, draft)
            return
        outcome.counts(ticket.result())
    except RecscopeError as error:
        st.error(safe(error))


def _counting(taking: "Intake", draft: "Draft") -> None:
    ticket = intaking.count_rows(taking, draft)
    if ticket.is_done:
        st.rerun()
    st.progress(ticket.fraction or 0.0, _("Counting rows: {stage}").format(stage=safe(ticket.progress.stage)))


def _wait(words: str) -> None:
    """Show that something is under way, and look again soon."""

    def look() -> None:
        if "waited" in st.session_state.pop("wait_mark", ""):
            st.rerun()
        st.session_state["wait_mark"] = "waited"
        st.progress(0.0, f"{words} …")

    st.fragment(look, run_every=0.5)()


def _store(taking: "Intake", draft: "Draft") -> None:
    """Show the name and the button of the last step, and the way out."""
    with st.container(border=True, key="store_bar"):
        name = st.text_input(_("Name of the data set"), draft.name, key=f"name_{taking.id}", max_chars=200)
        with st.container(horizontal=True):
            pressed = st.button(_("Store"), type="primary", key="intake_store", icon=":material/save:")
            left = st.button(_("Choose other files"), key="intake_leave", type="tertiary")
    if left:
        _leave(taking)
    if pressed:
        intaking.change_draft(taking, name=name.strip() or draft.name)
        taking.start("store")
        st.rerun()
