"""The download of a trained model as one file for Python."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import show, state
from pages.ui.queries import experiment_queries
from pages.ui.text import _, later

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

HELP = later(
    "One file with the learned arrays, settings and identifiers of the model, and with the histories of all users. "
    "In Python: load_model(path).recommend(user_ids, k=10); see the README."
)


def button(run: "Run", model_id: str, title: str, key: str) -> None:
    """Show the button that downloads one trained model; disabled for results from a run card."""
    show.download(
        _("Download model"),
        lambda: experiment_queries.model_bytes(run, model_id),
        f"{show.file_name(title)}.recscope-model.zip",
        "application/zip",
        key,
        type="secondary",
        disabled=run.imported is not None,
        help=_(HELP),
    )


def popover(run: "Run", titles: Mapping[str, str], key: str) -> None:
    """Show the choice of a trained model with its download, if there is one; `titles` by id."""
    if state.is_demo() or not titles:
        return
    with st.popover(_("Download model"), icon=":material/deployed_code:", key=f"{key}_popover"):
        model = show.select(_("Model"), titles, f"{key}_model")
        button(run, model, titles[model], f"{key}_button")
