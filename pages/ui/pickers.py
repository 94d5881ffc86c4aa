"""The context line under a page's title, which is also the picker: data set > experiment > model > user.

The selection is in the URL. In the demo view the line is plain text.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import dead_link, services, state
from pages.ui.text import _, count, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.store import RunCard


WIDTH = 320
"""Pixels of a select box."""
NOTES = {"run": "context_note_run", "model": "context_note_model"}
"""Session keys of notes about URL parameters that name something else than what is shown."""


def line() -> "st.delta_generator.DeltaGenerator":
    """Return the container for the pickers of a page: side by side, or stacked on a narrow screen."""
    return st.container(horizontal=True, gap="small", key="context_line")


def dataset(key: str = "context", *, width: int = WIDTH) -> "DatasetCard | None":
    """Return the selected data set; the newest one if the URL names none; None if there are none.

    The page stops if the URL names one that does not exist.
    """
    cards = {card.fingerprint: card for card in services.cards()}
    requested = state.get("data")
    if requested and requested not in cards:
        title = _("Data set '{name}' is not in this workspace").format(name=safe(requested))
        dead_link.offer("data", title, {one: dataset_label(cards[one]) for one in cards})
    if requested not in cards:
        state.choose("data", next(iter(cards), None))
    _choice(_("Data set"), "data", list(cards), lambda one: dataset_label(cards[one]), key, width)
    return cards.get(state.get("data") or "")


def dataset_label(card: "DatasetCard") -> str:
    """Return the name of a data set with its size."""
    return f"{card.name} ({count(card.n_users)} × {count(card.n_items)})"


def follow_experiment() -> None:
    """Select the data set of the experiment or tuning in the URL, so that a link may name one of these alone."""
    run = services.run(state.get("run"))
    if run is not None and services.card(run.spec.data) is not None:
        state.put("data", run.spec.data)
    elif state.get("data") is None and state.get("tuning") is not None:
        from pages.ui.queries import tuning_queries

        tuning = tuning_queries.tuning(state.get("tuning"))
        if tuning is not None and services.card(tuning.spec.experiment.data) is not None:
            state.put("data", tuning.spec.experiment.data)


def experiment(key: str = "context", *, finished: bool = True, width: int = WIDTH) -> "Run | None":
    """Return the selected experiment, of the data set in the URL if it names one; the newest by default.

    Args:
        key: Prefix of the widget keys.
        finished: Offer only experiments with a finished model.
        width: Pixels of the select box.

    Returns:
        None if there is no such experiment. The page stops if the URL names one that does not exist.
    """
    every = {card.id: card for card in services.run_cards()}
    cards = {one: card for one, card in every.items() if card.done or not finished}
    requested, data = state.get("run"), state.get("data")
    if requested in cards:
        data = cards[requested].data
        state.put("data", data)
    offered = [one for one in cards if data is None or cards[one].data == data]
    if requested and requested not in every:
        title = _("Experiment '{name}' is not in this workspace").format(name=safe(requested))
        dead_link.offer("run", title, {one: experiment_label(cards[one]) for one in offered})
    elif requested and requested not in cards and offered:
        st.session_state[NOTES["run"]] = _(
            "Experiment '{name}' has no finished model yet; another one is shown."
        ).format(name=safe(every[requested].name))
    if requested not in offered:
        state.choose("run", next(iter(offered), None))
    _choice(_("Experiment"), "run", offered, lambda one: experiment_label(cards[one]), key, width)
    return services.run(state.get("run"))


def experiment_label(card: "RunCard") -> str:
    """Return the name of an experiment with its start time."""
    return f"{card.name} · {card.created:%d %b %H:%M}"


def model(
    models: Sequence[str], title: Callable[[str], str], key: str = "context", *, width: int = WIDTH
) -> str | None:
    """Return the id of the selected model; the first by default."""
    requested = state.get("model")
    if requested not in models:
        if requested and models and state.came_by_link():
            st.session_state[NOTES["model"]] = _(
                "Model '{name}' cannot be shown here: it is unknown or unfinished; another one is shown."
            ).format(name=safe(requested))
        state.choose("model", next(iter(models), None))
    _choice(_("Model"), "model", list(models), title, key, width)
    return state.get("model")


def _choice(
    label: str, name: str, options: list[str], title: Callable[[str], str], key: str, width: int = WIDTH
) -> None:
    """Show the picker of a URL parameter; before it, a note that the URL names something else."""
    if name in NOTES and (words := st.session_state.get(NOTES[name])):
        st.warning(words)

    def take(value: str) -> None:
        for note in NOTES.values():
            st.session_state.pop(note, None)
        state.choose(name, value)

    if options:
        pick(label, f"{key}_{name}", options, state.get(name) or options[0], title, take, width)


def pick(
    label: str,
    widget: str,
    options: list[str],
    chosen: str,
    title: Callable[[str], str],
    take: Callable[[str], None],
    width: int = WIDTH,
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
        width=width,
    )
