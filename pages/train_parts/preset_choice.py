"""The choice of a preset in the form of a model: settings that a tuning found."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import forms, show
from pages.ui.queries import tuning_queries
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.configs import ModelConfig
    from recsys_core.experiments.tuning.presets import Preset

REFUSED = "preset_refused"
"""Session key of the reason why a preset was not deleted."""


def choose(key: str, config_type: "type[ModelConfig]", prefix: str) -> None:
    """Show the presets of a model, and fill its form with the chosen one; nothing without presets.

    Args:
        key: The model.
        config_type: Class of its settings.
        prefix: Prefix of the widget keys of the form.
    """
    known = {preset.id: preset for preset in tuning_queries.presets(key)}
    if not known:
        return
    widget = f"{prefix}_preset"
    if st.session_state.get(widget) not in known:
        st.session_state.pop(widget, None)

    def use() -> None:
        if (preset := known.get(st.session_state[widget])) is not None:
            forms.fill(config_type, prefix, preset.model.config)

    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{prefix}_presets"):
        names = {"": _("Choose a preset")} | {one.id: _label(one) for one in known.values()}
        chosen = show.select(
            _("Preset"), names, widget, on_change=use, width=330, help=_("Settings that a tuning found, by its name.")
        )
        if chosen:
            st.button(
                _("Delete this preset"),
                key=f"{prefix}_preset_delete",
                icon=":material/delete:",
                type="tertiary",
                on_click=_delete,
                args=(chosen,),
            )
    if refused := st.session_state.pop(REFUSED, None):
        st.error(safe(refused))


def _label(preset: "Preset") -> str:
    return f"{preset.name} · {preset.tuning.metric} {preset.value:.4f}"


def _delete(preset_id: str) -> None:
    try:
        tuning_queries.preset_store().delete(preset_id)
    except RecscopeError as error:
        st.session_state[REFUSED] = str(error)
