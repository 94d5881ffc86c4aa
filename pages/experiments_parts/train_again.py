"""Train again with one change: choose a setting, give it another value, and train."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import forms, frame, services, show, state
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.spec import ExperimentSpec


def popover(run: "Run") -> None:
    """Show the button that opens the form."""
    with st.popover(
        _("Train again with one change"), icon=":material/tune:", key=f"again_{run.id}", on_change="rerun"
    ) as place:
        if place.open or state.is_whole():
            _form(run)


def _form(run: "Run") -> None:
    from recsys_core.experiments.change import changed, name_with, possible_changes

    paragraph("Everything else stays as it was. Select both experiments in the table to test their difference.")
    changes = possible_changes(run.spec)
    key = show.select(_("What to change"), {key: one.title for key, one in changes.items()}, f"again_what_{run.id}")
    change = changes[key]
    if change.key == "model":
        titles = {one: services.model_title(one) for one in change.field.choices}
        value = show.select(_("Model"), titles, f"again_model_{run.id}")
    else:
        value = forms.single(change.field, f"again_value_{run.id}_{key}", change.value)
    if change.field.help:
        st.caption(_(change.field.help))
    try:
        spec = changed(run.spec, key, value)
    except RecscopeError as error:
        st.error(safe(error))
        return
    name = st.text_input(
        _("Name"), name_with(run.name, change, value), key=f"again_name_{run.id}_{key}_{value}", max_chars=200
    )
    same = spec.id == run.spec.model_copy(update={"repetition": 0}).id
    if same:
        paragraph("Choose another value: this one is the current one.")
    if st.button(_("Train"), type="primary", key=f"again_train_{run.id}", disabled=same, icon=":material/play_arrow:"):
        _start(run, spec, name)


def _start(run: "Run", spec: "ExperimentSpec", name: str) -> None:
    from recsys_core.experiments.rerun import require_data

    with show.errors():
        require_data(services.workspace(), run)
        run_id = services.engine().submit(spec, data_name=run.data_name, name=name.strip() or None)
        state.choose("data", run.spec.data)
        state.choose("run", run_id)
        frame.go("train")
