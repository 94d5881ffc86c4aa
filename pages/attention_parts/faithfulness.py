"""Does attention indicate influence? Leave-one-out score changes beside the attention weights."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import lazy_sections, pending, services
from pages.ui import show as shown
from pages.ui.queries import model_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from pages.attention_parts.selection import Seen
    from recsys_core.explain.attention_effects import Beside
    from recsys_core.serving.background import Ticket

WIDTHS = [2, 5]
STUDIES = ("faithfulness", "heads")
"""Queries over many users."""
STUDIED = "attention_study"
"""Session key of the model that is evaluated over many users."""


def show(seen: "Seen", parts: lazy_sections.Parts) -> None:
    """Show the panel."""
    st.header(_("Does attention indicate influence?"), anchor="faith")
    if drawn := parts.draws("attention_faith", height=480):
        with drawn:
            _this_user(seen)
    if seen.named is None:
        return
    if not _is_studied(seen.named):
        st.button(
            _("Evaluate over many users and per head"),
            key="attention_ask_study",
            icon=":material/science:",
            on_click=lambda: st.session_state.update({STUDIED: seen.named}),
            help=_("This computes thousands of scores, which takes seconds to minutes and runs in the background."),
        )
        return
    _many(seen, seen.named)
    if len(seen.attended.heads) > 1:
        _heads(seen, seen.named)
    if _is_running(seen, seen.named):
        st.button(_("Cancel"), key="attention_stop_study", icon=":material/stop_circle:", on_click=_stop)


def _is_studied(model: model_queries.Named) -> bool:
    """Return whether this model is evaluated over many users; the evaluation of a previous model is cancelled."""
    studied = st.session_state.get(STUDIED)
    if studied is not None and studied != model:
        _stop()
    return studied == model


def _is_running(seen: "Seen", named: model_queries.Named) -> bool:
    """Return whether an evaluation over many users is running."""
    if st.session_state.get(STUDIED) != named:
        return False
    studies = STUDIES if len(seen.attended.heads) > 1 else STUDIES[:1]
    return not all(model_queries.ticket(named, study).is_done for study in studies)


def _stop() -> None:
    """Cancel the evaluation over many users."""
    for study in STUDIES:
        model_queries.give_up(st.session_state[STUDIED], study)
    del st.session_state[STUDIED]


def _many(seen: "Seen", named: model_queries.Named) -> None:
    """Show whether attention correlates with influence over many users."""
    from recsys_core.viz.attention_study import beyond, left_out, orders_picture, verdict

    st.subheader(_("Over many users"), anchor="many")
    words, place, found = _outcome(model_queries.ticket(named, "faithfulness"), _("Computing over many users"))
    if found is None:
        return
    with words:
        st.markdown(f"**{safe(verdict(found))}**")
        st.markdown(safe(beyond(found)))
        if others := left_out(found):
            st.markdown(safe(others))
        paragraph(
            "**How to read it.** 1 means that the items with the most attention are also those with the "
            "most influence on the score; 0 means no relation. The same correlation is shown for recency "
            "and, as a chance level, for shuffled attention."
        )
    with place:
        name = _("{model} attention over many users").format(model=seen.model)
        shown.figure(orders_picture(found), "figure_attention_many", name=name, table=found.per_user)


def _outcome(ticket: "Ticket[Any]", waiting: str) -> "tuple[DeltaGenerator, DeltaGenerator, Any]":
    """Return the places of words and chart, and the result; a progress bar in place of the chart until it is there."""
    words, place = st.columns(WIDTHS, gap="large")
    with place:
        return words, place, pending.outcome(ticket, waiting, patience=0.0)


def _heads(seen: "Seen", named: model_queries.Named) -> None:
    """Show the metric change without each head."""
    from recsys_core.viz.attention_study import heads_matter, heads_picture

    st.subheader(_("What does each head contribute?"), anchor="heads")
    words, place, found = _outcome(model_queries.ticket(named, "heads"), _("Removing one head at a time"))
    if found is None:
        return
    with words:
        st.markdown(safe(heads_matter(found)))
        paragraph(
            "**How to read it.** Each head was switched off once, and the recommendations were evaluated "
            "on the test set. Left of the line, the recommendations are worse without the head. Gray marks "
            "are not significant."
        )
    with place:
        name = f"{seen.model} without each head"
        shown.figure(heads_picture(found), "figure_attention_heads", name=name, table=found.table)


def _this_user(seen: "Seen") -> None:
    """Show attention beside leave-one-out influence for this user."""
    from recsys_core.viz.attention_study import beside_bars, correlation, most

    words, place = st.columns(WIDTHS, gap="large")
    with place:
        found = _beside(seen)
    with words:
        if found is not None and not found.table.empty:
            st.markdown(safe(most(found)))
            st.markdown(f"**{safe(correlation(found))}**")
        paragraph(
            "**How to read it.** Attention to an item need not affect the score. Each item was therefore "
            "left out of the history once and the score recomputed: blue is the attention to an item, "
            "orange its influence, the score change of the first recommendation when the item is left out. "
            "Attention indicates influence only if the long bars of both are in the same rows."
        )
    if found is not None and found.table.empty:
        with place:
            st.info(
                _(
                    "Nothing to compare: without the only item of this history, the model has no score. Select "
                    "a user with more items, or use a longer custom history."
                )
            )
    if found is None or found.table.empty:
        return
    with place:
        shown.figure(
            beside_bars(found),
            "figure_attention_faith",
            name=_("{model} attention and influence").format(model=seen.model),
            alt=str(correlation(found)),
            table=found.table,
        )


def _beside(seen: "Seen") -> "Beside | None":
    """Return both for this user: stored for the example, computed for a trained model."""
    from recsys_core.explain.attention_effects import beside

    if seen.named is None:
        return seen.beside
    ticket = model_queries.ticket(seen.named, "top", seen.about, 1, query=seen.query, k=1)
    top = pending.outcome(ticket, _("Computing recommendations"))
    if top is None:
        return None
    if top.empty:
        st.info(
            _(
                "Nothing to compare: there is no item left to recommend, because this history contains every "
                "item that the model can score. Select another user, or remove items in a custom history."
            )
        )
        return None
    item = int(top["item"].iloc[0])
    ticket = model_queries.ticket(seen.named, "deletion", seen.about, item, query=seen.query, item=item)
    words, patience = _("Leaving out one item at a time"), None
    if _is_running(seen, seen.named):
        words, patience = _("Leaving out one item at a time, as soon as the evaluation over many users is done"), 0.0
    deletion = pending.outcome(ticket, words, patience)
    return None if deletion is None else beside(seen.attended, deletion, _title(seen, item))


def _title(seen: "Seen", item: int) -> str:
    from recsys_core.experiments.held_out_users import described_items

    return str(described_items(services.dataset(seen.data), [item])["title"].iloc[0])
