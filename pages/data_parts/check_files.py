"""Steps two and three: review the inferred roles, change them with immediate effect on the counts, and store."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.data_parts import cleaning_rules, ingest_report, table_roles, upload_session
from pages.data_parts.steps import CHECK, STORE, header
from pages.ui import state, stored_datasets
from pages.ui.text import _, fragment, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.report import IngestReport
    from recsys_core.serving.upload_tables import Reading
    from recsys_core.serving.uploads import Draft, Intake
    from recsys_core.serving.work_status import WorkStatus

PATIENCE_SECONDS = 0.8
"""Seconds the page waits for an answer before it shows a progress bar."""


def current() -> "Intake | None":
    """Return the upload session in the URL; None, with a message, if it is gone."""
    named = state.get("intake")
    if named is None or named == stored_datasets.NEW:
        return None
    taking = upload_session.find(named)
    if taking is None:
        state.put("intake", stored_datasets.NEW)
        st.warning(_("The files in this URL are no longer available: they were stored, or deleted after a day."))
    return taking


def show(taking: "Intake") -> None:
    """Show the current step of the upload session."""
    status = taking.status()
    if status.is_live:
        header(STORE if status.work == "store" else CHECK)
        fragment(_working, run_every=0.5)(taking)
    elif status.state == "DONE" and status.work == "store":
        _finish(taking, status)
    elif status.state in ("FAILED", "CANCELLED"):
        _not_stored(taking, status)
    else:
        _check(taking)


def _working(taking: "Intake") -> None:
    """Show the progress of the process, from its files, until it has ended."""
    status = taking.status()
    if not status.is_live:
        st.rerun()
    if _cancel_pressed(status, _("Storing") if status.work == "store" else _("Downloading"), "intake_stop"):
        taking.cancel()


def _cancel_pressed(status: "WorkStatus", words: str, key: str) -> bool:
    """Show the progress of a process and the button that cancels it; return whether it was pressed."""
    st.progress(status.fraction or 0.0, f"{words}: {safe(status.stage)}" if status.stage else f"{words} …")
    return st.button(_("Cancel"), key=key, icon=":material/stop_circle:")


def _finish(taking: "Intake", status: "WorkStatus") -> None:
    """Open the stored data set and delete the upload session."""
    name = taking.draft().name
    taking.discard()
    state.put("intake", None)
    state.choose("data", status.fingerprint)
    stored_datasets.say(_("'{name}' is stored.").format(name=name))
    st.rerun()


def _not_stored(taking: "Intake", status: "WorkStatus") -> None:
    """Show why nothing was stored, and offer to try again."""
    header(STORE if status.work == "store" else CHECK)
    (st.error if status.state == "FAILED" else st.info)(safe(status.reason))
    again, away = st.columns(2)
    if status.work == "download" and again.button(_("Download again"), key="intake_again", type="primary"):
        taking.start("download")
        st.rerun()
    if status.work == "store" and again.button(_("Back to Check"), key="intake_back", type="primary"):
        taking.back_to_draft()
        st.rerun()
    if away.button(_("Discard"), key="intake_leave"):
        _leave(taking)


def _leave(taking: "Intake") -> None:
    upload_session.leave(taking)
    state.put("intake", stored_datasets.NEW)
    st.rerun()


def _check(taking: "Intake") -> None:
    header(CHECK)
    draft = taking.draft()
    reading = upload_session.readers().ask(taking, draft)
    try:
        reading.wait(PATIENCE_SECONDS, for_tables=True)
        tables = reading.tables()
    except RecscopeError as error:
        _unreadable(taking, draft, reading, str(error))
        return
    if tables is None and reading.status().is_live:
        fragment(_reading_progress, run_every=0.5)(reading, for_tables=True)
        _other_files(taking)
    elif tables is None:
        _unreadable(taking, draft, reading, reading.status().reason)
    else:
        counts = st.container(key="check_counts")
        table_roles.show(taking, [file.guess for file in tables], {n: file.error for n, file in enumerate(tables)})
        cleaning_rules.show(taking, draft, [file.guess for file in tables if not file.error])
        with counts:
            report, counting = None, False
            if any(file.error for file in tables):
                st.info(_("Rows are counted as soon as every file is readable or ignored."))
            else:
                report, counting = _counts(taking, reading, [file.guess.name for file in tables])
        _store(taking, draft, report, counting=counting)


def _store_pressed(taking: "Intake") -> str:
    """Return the session key of a press on Store that waits for the rows to be counted."""
    return f"store_pressed_{taking.id}"


def _note(name: str) -> None:
    st.session_state[name] = True


def _unreadable(taking: "Intake", draft: "Draft", reading: "Reading", reason: str) -> None:
    """Show why the files cannot be read, and what can be done."""
    st.error(safe(reason))
    with st.container(horizontal=True):
        if st.button(_("Try again"), key="intake_reread"):
            reading.forget()
            st.rerun()
        if draft.changes and st.button(_("Undo all changes"), key="intake_undo"):
            upload_session.undo_changes(taking)
            st.rerun()
    _other_files(taking)


def _other_files(taking: "Intake") -> None:
    if st.button(_("Upload other files"), key="intake_leave", type="primary"):
        _leave(taking)


def _counts(taking: "Intake", reading: "Reading", names: list[str]) -> "tuple[IngestReport | None, bool]":
    """Show the accepted and rejected counts; a long count shows a progress bar until it is done.

    Args:
        taking: The upload session.
        reading: The process that counts.
        names: Names of the files, by number.

    Returns:
        The report, None without one, and whether it is still being computed.
    """
    try:
        if not reading.wait(PATIENCE_SECONDS):
            fragment(_reading_progress, run_every=0.5)(reading)
            return None, True
        report = reading.report()
    except RecscopeError as error:
        st.error(safe(error))
        return None, False
    if report is not None:
        ingest_report.alarms(taking, report, names)
        ingest_report.counts(report)
        return report, False
    status = reading.status()
    (st.info if status.state == "CANCELLED" else st.error)(safe(status.reason))
    if st.button(_("Check again"), key="intake_reread"):
        reading.forget()
        st.rerun()
    return None, False


def _reading_progress(reading: "Reading", *, for_tables: bool = False) -> None:
    """Show the progress of the process, until the page can continue."""
    if reading.wait(0.0, for_tables=for_tables):
        st.rerun()
    words = _("Opening the files") if for_tables else _("Counting rows")
    if _cancel_pressed(reading.status(), words, "reading_cancel"):
        upload_session.readers().cancel(reading)
        st.rerun()


def _store(taking: "Intake", draft: "Draft", report: "IngestReport | None", *, counting: bool) -> None:
    """Show the name and the Store button, and the way back; after an alarm, storing needs a confirmation.

    Store stays enabled during a recount, and then takes effect after it: Streamlit discards a press on a button that
    the script disables while the press is on its way.

    Args:
        taking: The upload session.
        draft: Its settings.
        report: What would be stored, None without a result.
        counting: Whether the rows are being counted.
    """
    sure = f"store_anyway_{taking.id}"
    with st.container(border=True, key="store_bar"):
        name = st.text_input(_("Name of the data set"), draft.name, key=f"name_{taking.id}", max_chars=200)
        with st.container(horizontal=True):
            st.button(
                _("Store"), type="primary", key="intake_store", icon=":material/save:",
                disabled=report is None and not counting,
                on_click=_note, args=(_store_pressed(taking),),
            )  # fmt: skip
            left = st.button(_("Upload other files"), key="intake_leave", type="tertiary")
    if left:
        _leave(taking)
    if counting:
        if st.session_state.get(_store_pressed(taking)):
            st.caption(_("The data set will be stored as soon as its rows are counted."))
        return
    pressed = st.session_state.pop(_store_pressed(taking), False)
    if report is None:
        return
    if pressed and report.alarms:
        st.session_state[sure] = report.rows_rejected
    if report.alarms and st.session_state.get(sure) == report.rows_rejected:
        pressed = ingest_report.store_anyway(report)
    if pressed:
        st.session_state.pop(sure, None)
        upload_session.change_draft(taking, name=name.strip() or draft.name)
        upload_session.store(taking)
        st.rerun()
