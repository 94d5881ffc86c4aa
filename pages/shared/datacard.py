"""The data card: what a stored data set amounts to, what is doubtful about it, and what to do next."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import frame, outcome, services, show, state, stored
from pages.shared.text import _, count, percent, safe

if TYPE_CHECKING:
    from recsys_core.data.summaries import DataSummary
    from recsys_core.data.workspace import DatasetCard


def present(card: "DatasetCard") -> None:
    """Show the card of one data set."""
    stored.show_notice()
    st.header(safe(card.name), anchor=False)
    if not state.is_demo():
        stored.actions(card)
    report = services.report(card.fingerprint)
    _numbers(services.summary(card.fingerprint))
    if report is not None:
        outcome.doubts(report)
        outcome.rejected(report, "card")
    answer = services.answers(card.fingerprint)["ratings" if card.has_ratings else "activity"].result()
    show.figure(answer.figure, "card_figure", name=card.name, sentence=answer.sentence, table=answer.table)
    _next()


def _numbers(summary: "DataSummary") -> None:
    numbers = [
        (_("Users"), count(summary.users)),
        (_("Items"), count(summary.items)),
        (_("Interactions"), count(summary.interactions)),
        (_("Known pairs (density)"), percent(summary.density, 2)),
        (_("Median per user"), f"{summary.median_per_user:g}"),
        (_("Users with one only"), count(summary.single_users)),
        (_("Items in the head"), percent(summary.head_share)),
        (_("Interactions they hold"), percent(summary.head_holds)),
    ]
    span = services.span_of(summary)
    if span:
        numbers += [(_("From"), span[0]), (_("To"), span[1]), (_("Tied in time"), count(summary.tied))]
    if summary.links:
        numbers.append((_("Social links"), count(summary.links)))
    show.metrics(numbers, "data_numbers")


def _next() -> None:
    with st.container(horizontal=True, key="data_next"):
        if st.button(_("Explore these data"), key="data_explore", icon=":material/insights:", type="primary"):
            frame.go("explore")
        if frame.has_page("train") and st.button(
            _("Train models on them"), key="data_train", icon=":material/model_training:"
        ):
            frame.go("train")
