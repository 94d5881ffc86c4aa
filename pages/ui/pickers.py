"""The context line under a page's title, which is also the picker: data set > experiment > model > user.

The selection is in the URL. In the demo view the line is plain text.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.text import _, count, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.store import RunCard


NOTES = {"data": "context_note_data", "run": "context_note_run"}
"""Session keys of notes about URL parameters that name something missing."""


def line() -> "st.delta_generator.DeltaGenerator":
    """Return the container for the pickers of a page: side by side, or stacked on a narrow screen."""
    return st.container(horizontal=True, gap="small", key="context_line")


def dataset(key: str = "context") -> "DatasetCard | None":
    """Return the selected data set; the newest one if the URL names none; None if there are none."""
    cards = {card.fingerprint: card for card in services.cards()}
    requested = state.get("data")
    if requested and requested not in cards:
        st.session_state[NOTES["data"]] = _(
            "The data set in this URL is no longer in the workspace; another one is shown."
        )
    if requested not in cards:
        state.choose("data", next(iter(cards), None))
    _choice(_("Data set"), "data", list(cards), lambda one: dataset_label(cards[one]), key)
    return cards.get(state.get("data") or "")


def dataset_label(card: "DatasetCard") -> str:
    """Return the name of a data set with its size."""
    return f"{card.name} ({count(card.n_users)} × {count(card.n_items)})"


def experiment(key: str = "context", *, finished: bool = True) -> "Run | None":
    """Return the selected experiment, of the data set in the URL if it names one; the newest by default.

    Args:
        key: Prefix of the widget keys.
        finished: Offer only experiments with a finished model.

    Returns:
        None if there is no such experiment.
    """
    cards = {card.id: card for card in services.run_cards() if card.done or not finished}
    requested = state.get("run")
    if requested in cards:
        state.put("data", cards[requested].data)
    elif requested:
        st.session_state[NOTES["run"]] = _(
            "The experiment in this URL does not exist or has not finished; another one is shown."
        )
    data = state.get("data")
    offered = [one for one in cards if data is None or cards[one].data == data]
    if requested not in offered:
        state.choose("run", next(iter(offered), None))
    _choice(_("Experiment"), "run", offered, lambda one: experiment_label(cards[one]), key)
    return services.run(state.get("run"))


def experiment_label(card: "RunCard") -> str:
    """Return the name of an experiment with its start time."""
    return f"{card.name} · {card.created:%d %b %H:%M}"


def model(models: Sequence[str], title: Callable[[str], str], key: str = "context") -> str | None:
    """Return the id of the selected model; the first by default."""
    if state.get("model") not in models:
        state.choose("model", next(iter(models), None))
    _choice(_("Model"), "model", list(models), title, key)
    return state.get("model")


def _choice(label: str, name: str, options: list[str], title: Callable[[str], str], key: str) -> None:
    """Show the picker of a URL parameter; before it, what the URL names but does not exist."""
    if name in NOTES and (words := st.session_state.get(NOTES[name])):
        st.warning(words)

    def take(value: str) -> None:
        for note in NOTES.values():
            st.session_state.pop(note, None)
        state.choose(name, value)

    if options:
        pick(label, f"{key}_{name}", options, state.get(name) or options[0], title, take)


def pick(
    label: str,
    widget: str,
    options: list[str],
    chosen: str,
    title: Callable[[str], str],
    take: Callable[[str], None],
) -> None:
    """Show a select box whose selection `take` puts into the URL; plain text in the demo view."""
    if state.is_demo():
        st.markdown(f"{label}: **{safe(title(chosen))}**", width="content")
        return
    st.session_state[widget] = chosen
    st.selectbox(
        label,
        options,
        format_func=title,
        key=widget,
        on_change=lambda: take(st.session_state[widget]),
        width=320,
    )
