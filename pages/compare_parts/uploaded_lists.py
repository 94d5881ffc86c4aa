"""Lists from elsewhere in the leaderboard: upload, account, removal."""

from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, services, state
from pages.ui.queries import list_upload_queries
from pages.ui.show import errors
from pages.ui.text import _, n_, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

UPLOADER, ADDED = "compare_list", "compare_list_added"
NAME = "compare_list_name"


def section(run: "Run") -> None:
    """Show the uploaded lists of an experiment and the form that adds one; nothing in the demo view."""
    if state.is_demo():
        return
    st.header(_("Lists from elsewhere"))
    if name := st.session_state.pop(ADDED, None):
        st.success(_("'{name}' is judged and in the leaderboard.").format(name=safe(name)))
    with errors():
        for list_id, name, account in list_upload_queries.stored(run):
            with st.container(horizontal=True, vertical_alignment="center", key=f"uploaded_{list_id}"):
                judged = n_("{n} recommendation judged", "{n} recommendations judged", account.judged)
                st.markdown(f"**{safe(name)}**: {judged}", width="content")
                _remove_button(run, list_id)
        for list_id in run.damaged_lists():
            st.warning(_("An uploaded list is damaged and not in the leaderboard. Remove it, and upload it again."))
            _remove_button(run, list_id)
        _form(run)


def _remove_button(run: "Run", list_id: str) -> None:
    st.button(_("Remove"), key=f"remove_{list_id}", icon=":material/delete:", on_click=_remove, args=(run, list_id))


def _form(run: "Run") -> None:
    paragraph(
        "Upload the recommendations of any other system for the test users of this experiment. They are judged like a "
        "model: same users, same candidates, same metrics."
    )
    file = st.file_uploader(
        _("File of lists"),
        key=state.versioned(UPLOADER),
        help=_(
            "Columns user_id, item_id, and rank or score, with or without header; CSV, Parquet, or a TREC run. "
            "Identifiers are those of the data set; items that a user has seen in training do not count. For folds or "
            "time windows, a column fold has the number of each row's test set, from 0."
        ),
    )
    if file is None:
        return
    name = st.text_input(
        _("Name in the leaderboard"), PurePath(file.name).stem[:60], key=f"{NAME}_{file.file_id}", max_chars=60
    )
    asked = (run.id, file.file_id, name)
    if st.button(_("Judge this list"), key="compare_list_judge", type="primary"):
        st.session_state["compare_list_asked"] = asked
    if st.session_state.get("compare_list_asked") != asked:
        return
    ticket = list_upload_queries.judged(run, file.file_id, file.getvalue(), file.name, name)
    if pending.outcome(ticket, _("Judging the list")) is None:
        return
    st.session_state.pop("compare_list_asked")
    st.session_state[ADDED] = name
    state.bump(UPLOADER)
    st.rerun()


def _remove(run: "Run", list_id: str) -> None:
    """Remove a list; callback."""
    with errors():
        list_upload_queries.remove(services.store().open(run.id), list_id)
