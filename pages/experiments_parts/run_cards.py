"""Run cards: download one of an experiment, and open one from another machine."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show, state
from pages.ui.queries import experiment_queries
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

UPLOADER, OPENED = "experiments_card", "experiments_card_opened"


def download(run: "Run") -> None:
    """Show the button that downloads the run card of an experiment, once all its models have ended."""
    ready = bool(run.finished()) and not run.is_live
    show.download(
        _("Run card"),
        lambda: experiment_queries.card_bytes(run),
        f"{show.file_name(run.name)}.runcard.zip",
        "application/zip",
        f"experiments_card_{run.id}",
        type="secondary",
        disabled=not ready,
        help=_(
            "One file that opens on another machine, is verified there and can be re-run: spec, fingerprint of the "
            "data, split, values per user, recommended lists, environment, checksums. It contains user identifiers "
            "and the name of this machine, but neither the data nor the trained models."
        ),
    )


def upload(*, listed: bool = True) -> None:
    """Show the uploader that opens a run card; `listed`: whether there are experiments to select above."""
    if name := st.session_state.pop(OPENED, None):
        words = _("The run card is complete and unchanged. '{name}' was opened; re-run it to compare the results.")
        st.success(words.format(name=safe(name)), icon=":material/verified:")
    if state.is_demo():
        return
    file = st.file_uploader(
        _("Open a run card"),
        "zip",
        key=state.versioned(UPLOADER),
        help=_("A run card is one file with the results of an experiment, exported by Recscope, here or elsewhere."),
    )
    if file is None:
        paragraph(
            "A run card is one file with everything needed to check a result on another machine. Open one here to "
            "verify every byte of it, and to re-run it."
        )
        if listed:
            paragraph("To get the run card of an experiment, select its row above.")
        return
    run_id = pending.outcome(experiment_queries.opened_card(file.file_id, file.getvalue()), _("Verifying the run card"))
    if run_id is None:
        return
    from pages.ui import services

    try:
        st.session_state[OPENED] = services.store().open(run_id).name
    except RecscopeError as error:
        st.error(safe(error))
        return
    state.bump(UPLOADER)
    state.put("runs", run_id)
    st.rerun()
