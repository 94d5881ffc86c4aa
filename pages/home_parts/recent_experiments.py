"""The list of recent experiments: job states, best model with interval, date; open, delete."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import frame, services, show, state
from pages.ui.text import _, fragment, n_, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.store import RunCard

SHOWN = 10
COLORS = {"RUNNING": "blue", "QUEUED": "gray", "DONE": "green", "FAILED": "red", "CANCELLED": "orange"}
PATIENCE_SECONDS = 0.3
"""Seconds the list waits for an interval; a longer computation appears on the next visit."""


def recent() -> None:
    """Show the latest experiments, refreshed every 2 s while one is running or its interval is being computed."""
    cards = services.run_cards()
    if not cards:
        paragraph("No experiments yet. *See a comparison now* creates the first one in a few seconds.")
        return
    changing = _is_changing(cards)
    fragment(_list, run_every=2.0 if changing else None)(changing)


def _is_changing(cards: "list[RunCard]") -> bool:
    """Return whether a job is queued or running, or the interval of a shown experiment is being computed."""
    return any(card.is_live or (card.best and not services.best(card).is_done) for card in cards[:SHOWN])


def _list(was_changing: bool) -> None:
    cards = services.run_cards()
    if was_changing and not _is_changing(cards):
        st.rerun()
    for card in cards[:SHOWN]:
        _row(card)
    if len(cards) > SHOWN:
        words = n_("All {n} experiment", "All {n} experiments", len(cards))
        if st.button(words, key="home_experiments", icon=":material/science:"):
            frame.go("experiments")


def _row(card: "RunCard") -> None:
    with st.container(border=True, key=f"run_{card.id}"):
        what, best, actions = st.columns([5, 4, 3], vertical_alignment="center")
        what.markdown(
            f"**{safe(card.name)}**  \n{_badges(card)}  \n{safe(card.data_name)} · {card.created:%Y-%m-%d %H:%M}"
        )
        best.markdown(_best(card))
        with actions.container(horizontal=True, horizontal_alignment="right"):
            if st.button(_("Open"), key=f"open_{card.id}", icon=":material/open_in_new:"):
                _open(card)
            if not state.is_demo():
                _delete(card)


def _badges(card: "RunCard") -> str:
    from recsys_core.experiments.titles import STATES

    states = list(card.states.values())
    counts = [(states.count(name), _(words), COLORS[name]) for name, words in STATES.items()]
    return " ".join(f":{color}-badge[{words.format(n=number)}]" for number, words, color in counts if number)


def _best(card: "RunCard") -> str:
    """Return the best model with its metric and interval, or why there is none."""
    if card.best is None:
        return _("No model has finished.")
    ticket = services.best(card)
    if not ticket.wait(PATIENCE_SECONDS):
        return _("First: {model}").format(model=safe(services.model_title(card.best.rpartition("-")[0])))
    try:
        return in_words(ticket.result())
    except RecscopeError as error:
        return safe(error)


def in_words(best: services.BestModel) -> str:
    """Return the first model of an experiment with its metric, interval and ties; the best if no model is tied."""
    words = (
        _("First, with unequal tuning: **{model}**  \n{metric} {mean} ({interval})")
        if not best.same_budget
        else _("Leads: **{model}**  \n{metric} {mean} ({interval})")
        if best.tied
        else _("Best: **{model}**  \n{metric} {mean} ({interval})")
    ).format(model=safe(best.title), metric=best.metric, mean=best.mean, interval=best.interval)
    ties = n_("No significant difference from {n} model.", "No significant difference from {n} models.", best.tied)
    return f"{words}  \n{ties}" if best.tied else words


def _open(card: "RunCard") -> None:
    state.choose("data", card.data)
    state.choose("run", card.id)
    frame.go("compare" if card.done else "train")


def _delete(card: "RunCard") -> None:
    """Delete an experiment after confirmation; it can be restored."""
    from recsys_core.experiments.deleted_runs import KEPT_DAYS, discard

    with st.popover(_("Delete"), icon=":material/delete:", key=f"delete_{card.id}", type="tertiary"):
        paragraph(
            "**{name}** and all its results are deleted. The data set is kept. You can restore the experiment on the "
            "Experiments page for {days} days.",
            name=safe(card.name),
            days=KEPT_DAYS,
        )
        if not st.button(_("Delete"), key=f"delete_confirmed_{card.id}", type="primary"):
            return
        with show.errors():
            discard(services.store(), card.id)
            if state.get("run") == card.id:
                state.choose("run", None)
            st.rerun()
