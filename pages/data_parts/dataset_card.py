"""The data card: key figures of a stored data set, its quality warnings, and the next steps."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.data_parts import ingest_report
from pages.ui import frame, pending, services, show, state, stored_datasets, terms
from pages.ui.navigation import has_page
from pages.ui.text import _, count, fragment, percent, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.data.summaries import DataSummary
    from recsys_core.serving.background import Ticket
    from recsys_core.viz.questions import Answer


def present(card: "DatasetCard") -> None:
    """Show the card of one data set."""
    stored_datasets.show_notice()
    st.header(safe(card.name), anchor=False)
    if not state.is_demo():
        stored_datasets.actions(card)
    question = "ratings" if card.has_ratings else "activity"
    tickets = (services.summary(card.fingerprint), services.answer(question, card.fingerprint))
    with show.errors():
        if pending.all_of(tickets):
            _fill(card, tickets[0].result(), tickets[1].result())
        else:
            fragment(_counting, run_every=0.5)(tickets)
    _next()


def _counting(tickets: "tuple[Ticket[Any], ...]") -> None:
    if all(ticket.is_done for ticket in tickets):
        st.rerun()
    st.progress(0.0, _("Counting …"))


def _fill(card: "DatasetCard", summary: "DataSummary", answer: "Answer") -> None:
    _numbers(summary)
    terms.row("data")
    report = services.report(card.fingerprint)
    if report is not None:
        ingest_report.doubts(report)
        ingest_report.rejected(report, "card")
    show.figure(answer.figure, "card_figure", name=card.name, sentence=answer.sentence, table=answer.table)


def _numbers(summary: "DataSummary") -> None:
    numbers = [
        (_("Users"), count(summary.users)),
        (_("Items"), count(summary.items)),
        (_("Interactions"), count(summary.interactions)),
        (_("Density"), percent(summary.density, 2)),
        (_("Median per user"), f"{summary.median_per_user:g}"),
        (_("Single-interaction users"), count(summary.single_users)),
        (_("Items in the head"), percent(summary.head_share)),
        (_("Head interactions"), percent(summary.head_holds)),
    ]
    span = _span_of(summary)
    if span:
        numbers += [
            (_("First day"), span[0]),
            (_("Last day"), span[1]),
            (_("Duplicate timestamps"), count(summary.tied)),
        ]
    if summary.links:
        numbers.append((_("Social links"), count(summary.links)))
    show.metrics(numbers, "data_numbers")


def _next() -> None:
    with st.container(horizontal=True, key="data_next"):
        if st.button(_("Explore this data set"), key="data_explore", icon=":material/insights:", type="primary"):
            frame.go("explore")
        if has_page("train") and st.button(_("Train models"), key="data_train", icon=":material/model_training:"):
            frame.go("train")


def _span_of(summary: "DataSummary") -> tuple[str, str] | None:
    """Return the first and last day of the data, None without timestamps."""
    if summary.first is None or summary.last is None:
        return None
    first, last = (datetime.fromtimestamp(one / 1000, UTC) for one in (summary.first, summary.last))
    return f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
