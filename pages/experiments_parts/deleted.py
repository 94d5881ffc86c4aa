"""Deleted experiments: the notice with Undo after a deletion, and the list from which they can be restored."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, show, state
from pages.ui.queries import experiment_queries
from pages.ui.text import _, n_, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

UNDO, FAILED = "experiments_undo", "experiments_undo_failed"
"""Session keys: the experiments deleted last, as pairs of key and name; why they could not be restored."""
SHOWN = 20


def delete(runs: "list[Run]") -> None:
    """Delete experiments, which can be undone; callback of a button."""
    from recsys_core.experiments.deleted_runs import discard

    gone = []
    try:
        for run in runs:
            name = run.name
            gone.append((discard(services.store(), run.id).key, name))
            if state.get("run") == run.id:
                state.choose("run", None)
    except RecscopeError as error:
        st.session_state[FAILED] = str(error)
    if gone:
        st.session_state[UNDO] = gone
        kept = [run.id for run in runs[len(gone) :]]
        state.put("runs", ",".join(kept) or None)


def notice() -> None:
    """Show what was deleted last, with a button that restores it."""
    if words := st.session_state.pop(FAILED, None):
        st.error(safe(words))
    gone = st.session_state.get(UNDO)
    if not gone or state.is_demo():
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="experiments_deleted_notice"):
        names = ", ".join(name for _key, name in gone)
        st.markdown(":material/delete: " + _("Deleted: {names}").format(names=safe(names)), width="stretch")
        st.button(_("Undo"), key="experiments_undo_button", icon=":material/undo:", on_click=_restore, args=([*gone],))


def _restore(gone: list[tuple[str, str]]) -> None:
    from recsys_core.experiments.deleted_runs import restore

    st.session_state.pop(UNDO, None)
    back = []
    try:
        for key, _name in gone:
            back.append(restore(services.store(), key))
    except RecscopeError as error:
        st.session_state[FAILED] = str(error)
    state.put("runs", ",".join(back) or None)


def section() -> None:
    """Show the deleted experiments, each with a button that restores it."""
    found = experiment_queries.deleted()
    if not found or state.is_demo():
        return
    from recsys_core.experiments.deleted_runs import KEPT_DAYS, remove

    with st.expander(n_("{n} deleted experiment", "{n} deleted experiments", len(found)), key="experiments_deleted"):
        st.markdown(_("Deleted experiments are kept for {days} days.").format(days=KEPT_DAYS))
        for one in found[:SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center", key=f"deleted_{one.key}"):
                st.markdown(f"**{safe(one.name)}** · {one.deleted:%Y-%m-%d %H:%M}", width="stretch")
                st.button(_("Restore"), key=f"restore_{one.key}", on_click=_restore, args=([(one.key, one.name)],))
        with st.popover(_("Delete permanently"), icon=":material/delete_forever:", key="experiments_empty_deleted"):
            st.markdown(_("All deleted experiments are removed from the disk. This cannot be undone."))
            if st.button(_("Delete all permanently"), key="experiments_empty_confirmed", type="primary"):
                with show.errors():
                    remove(services.store(), [one.key for one in found])
                    st.session_state.pop(UNDO, None)
                    st.rerun()
