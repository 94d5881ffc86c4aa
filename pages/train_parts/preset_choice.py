"""The presets of a model in its form: settings that a tuning found, to choose, rename and delete."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import forms, show
from pages.ui.queries import tuning_queries
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recsys_core.configs import ModelConfig
    from recsys_core.experiments.tuning.presets import Preset

REFUSED = "preset_refused"
"""Session key of the reason why a preset was not renamed or deleted."""


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
        names = {"": _("Choose a preset")} | _labels(list(known.values()))
        chosen = show.select(
            _("Preset"), names, widget, on_change=use, width=330, help=_("Settings that a tuning found, by its name.")
        )
        if chosen:
            _actions(known[chosen], prefix)
    if refused := st.session_state.pop(REFUSED, None):
        st.error(safe(refused))


def _labels(presets: "list[Preset]") -> dict[str, str]:
    """Return the label of each preset by its id; equal ones are numbered, since the browser sends back the label."""
    labels: dict[str, str] = {}
    for preset in presets:
        label = f"{preset.name} · {preset.tuning.metric} {preset.value:.4f}"
        taken = [other for other in labels.values() if other == label or other.startswith(f"{label} (")]
        labels[preset.id] = f"{label} ({len(taken) + 1})" if taken else label
    return labels


def _actions(preset: "Preset", prefix: str) -> None:
    """Show what renames and deletes a preset; both refuse if another user has renamed or deleted it meanwhile."""
    from recsys_core.experiments.annotations import LONGEST_NAME

    with st.popover(_("Rename"), icon=":material/edit:", key=f"{prefix}_preset_rename", type="tertiary"):
        widget = f"{prefix}_preset_name_{preset.id}"
        st.text_input(_("Name"), preset.name, max_chars=LONGEST_NAME, key=widget)
        st.button(
            _("Rename"),
            key=f"{prefix}_preset_renamed",
            type="primary",
            on_click=lambda: _attempt(
                lambda: tuning_queries.preset_store().rename(preset.id, st.session_state[widget], before=preset.name)
            ),
        )
    st.button(
        _("Delete this preset"),
        key=f"{prefix}_preset_delete",
        icon=":material/delete:",
        type="tertiary",
        on_click=lambda: _attempt(lambda: tuning_queries.preset_store().delete(preset.id, before=preset.name)),
    )


def _attempt(action: "Callable[[], object]") -> None:
    """Run the action of a button; if it is refused, keep the reason for the next script run."""
    try:
        action()
    except RecscopeError as error:
        st.session_state[REFUSED] = str(error)
