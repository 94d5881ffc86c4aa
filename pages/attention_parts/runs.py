"""Experiments with attention models, and the messages where none is finished."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import empty_state, frame, pickers, services, state
from pages.ui.navigation import has_page
from pages.ui.text import _, fragment, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.jobs import JobStatus
    from recsys_core.experiments.store import RunCard

PICKER = "attention"
"""Key prefix of the pickers of this page."""
PASSED_OVER = "attention_passed_over"
"""Session key of the skipped experiment and the one shown in its place."""
LOOK_AGAIN_SECONDS = 2.0


def has_attention(key: str) -> bool:
    """Return whether an algorithm exposes its attention weights."""
    from recsys_core.contracts import Ability

    return Ability.TRACES_ATTENTION in services.model_info(key).abilities


def has_any() -> bool:
    """Return whether there is a finished model with attention, in any data set."""
    return any(_with_attention(card, "DONE") for card in services.run_cards())


def _with_attention(card: "RunCard", *states: str) -> list[str]:
    """Return the ids of an experiment's attention models in one of these job states."""
    key_of = {model: model.rpartition("-")[0] for model in card.states}  # the id of a model is its key and a hash
    return [model for model, job in card.states.items() if job in states and has_attention(key_of[model])]


def choose(data: "DatasetCard") -> "Run | None":
    """Show the choice of an experiment; those with a finished attention model come first.

    One without is shown only if it is selected here.
    """
    requested, picked_here = state.get("run"), st.session_state.get(f"{PICKER}_run")
    cards = {card.id: card for card in services.run_cards()}
    wanted = cards[requested].data if requested in cards else data.fingerprint
    able = [one for one, card in cards.items() if card.data == wanted and _with_attention(card, "DONE")]
    is_known = requested is None or requested in cards
    if able and is_known and requested not in able and (requested is None or requested != picked_here):
        state.choose("run", able[0])
        st.session_state[PASSED_OVER] = (cards[requested].name, able[0]) if requested in cards else None
    return pickers.experiment(PICKER)


def say_passed_over(run: "Run | None") -> None:
    """Show that another experiment is shown than the requested one."""
    passed = st.session_state.get(PASSED_OVER)
    if passed and run is not None and passed[1] == run.id:
        st.info(
            _("'{name}' has no finished model with attention; the newest experiment with one is shown.").format(
                name=safe(passed[0])
            )
        )


def nothing(data: "DatasetCard", run: "Run | None") -> None:
    """Show why there is no attention model to display, and what to do.

    Args:
        data: The data set.
        run: The selected experiment, None if the data set has none with a finished model.
    """
    cards = [card for card in services.run_cards() if card.data == data.fingerprint]
    able = next((card for card in cards if _with_attention(card, "DONE")), None)
    if able is not None and run is not None:
        _elsewhere(run, able)
    elif live := list(_jobs(cards, "RUNNING", "QUEUED")):
        _in_progress(live)
    elif failed := list(_jobs(cards, "FAILED")):
        _failed(failed)
    else:
        empty_state.stop(
            _("No model with attention on this data set yet"),
            _("Only some models have attention weights: train {models}. Until then, open the finished example.").format(
                models=safe(_names_of_those_with_attention())
            ),
            action="train",
        )


def _jobs(cards: "list[RunCard]", *states: str) -> "Iterator[tuple[RunCard, JobStatus]]":
    """Yield the attention-model jobs in one of these states, with their experiments; newest first."""
    for card in cards:
        models = _with_attention(card, *states)
        for job in services.job_statuses(card.id) if models else []:
            if job.model_id in models:
                yield card, job


def _names_of_those_with_attention() -> str:
    from recsys_core.models.registry import usable_models

    return _(" or ").join(services.model_title(key) for key in usable_models() if has_attention(key))


def _elsewhere(run: "Run", able: "RunCard") -> None:
    """Show that another experiment has one, and offer to open it."""
    with st.container(border=True, key="attention_elsewhere"):
        st.subheader(_("No model with attention in this experiment"))
        paragraph(
            "'{name}' has no finished model with attention; '{other}' has one.",
            name=safe(run.name),
            other=safe(able.name),
        )
        st.button(
            _("Open the other experiment"),
            type="primary",
            key="attention_other_run",
            on_click=lambda: state.choose("run", able.id),
        )


def _in_progress(live: "list[tuple[RunCard, JobStatus]]") -> None:
    """Show the queued or running model; the page reruns when one has ended."""
    card, job = live[0]
    words = (
        _("{model} of experiment '{name}' is queued. ")
        if job.state == "QUEUED"
        else _("{model} of experiment '{name}' is running. ")
    ) + _("Its attention appears here as soon as it is done; until then, open the finished example.")
    _job_box("attention_under_way", _("A model with attention is queued or running"), words, card, job)
    fragment(_watch, run_every=LOOK_AGAIN_SECONDS)(card.data, len(live))


def _watch(data: str, live: int) -> None:
    cards = [card for card in services.run_cards() if card.data == data]
    if len(list(_jobs(cards, "RUNNING", "QUEUED"))) != live:
        st.rerun()


def _failed(failed: "list[tuple[RunCard, JobStatus]]") -> None:
    """Show which model failed, and why."""
    words = _("{model} of experiment '{name}' failed: {reason} Train it again, possibly with other settings.")
    _job_box("attention_failed", _("The model with attention failed"), words, *failed[0])


def _job_box(key: str, title: str, words: str, card: "RunCard", job: "JobStatus") -> None:
    """Show the state of a model, and the button that opens the Train page on its experiment."""
    model, reason = services.model_title(job.key), job.reason or _("no error message.")
    with st.container(border=True, key=key):
        st.subheader(title)
        st.markdown(words.format(model=safe(model), name=safe(card.name), reason=safe(reason)))
        label = _("Open it on the Train page")
        if st.button(label, type="primary", key="empty_go_train", disabled=not has_page("train")):
            state.choose("run", card.id)
            frame.go("train")
