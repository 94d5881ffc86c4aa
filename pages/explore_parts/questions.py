"""The questions about a data set, each with its finding, chart and downloads."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import lazy_sections, pending, services, show
from pages.ui.text import _, fragment, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.serving.background import Ticket
    from recsys_core.viz.questions import Answer, Question

FIRST = "tail"


def ask_all(card: "DatasetCard") -> None:
    """Start all questions in the background, and show each answer when it is there."""
    waiting = not pending.all_of(services.answers(card.fingerprint).values())
    fragment(_show, run_every=0.7 if waiting else None)(card.fingerprint, waiting)


def _show(fingerprint: str, was_waiting: bool) -> None:
    tickets = services.answers(fingerprint)
    if was_waiting and all(ticket.is_done for ticket in tickets.values()):
        st.rerun()
    questions = services.questions()
    parts = lazy_sections.Parts()
    for name, ticket in tickets.items():
        with st.container(key=f"question_{name}"):
            st.header(_(questions[name].title), anchor=name)
            if ticket.is_done:
                _answer(name, questions[name], ticket, parts)
            else:
                st.progress(0.0, _("Counting …"))
    parts.watch()


def _answer(name: str, question: "Question", ticket: "Ticket[Answer]", parts: lazy_sections.Parts) -> None:
    answer = pending.outcome(ticket, "")
    if answer is None:
        return
    st.markdown(safe(answer.sentence))
    if answer.figure is None:
        return
    if drawn := parts.draws(name, height=answer.figure.layout.height, at_once=name == FIRST):
        with drawn:
            show.figure(answer.figure, f"explore_{name}", name=question.title, alt=answer.sentence, table=answer.table)
    st.markdown(_(question.reading))
