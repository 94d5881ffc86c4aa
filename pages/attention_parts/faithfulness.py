"""Does attention tell what matters? What happens to the score when things are taken away, beside the attention."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import lazy_sections, pending, services
from pages.ui import show as shown
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from pages.attention_parts.trace import Seen
    from recsys_core.explain.attention_effects import Beside

WIDTHS = [2, 5]
STUDIES = ("faithfulness", "heads")
"""What is asked about many people."""
STUDIED = "attention_study"
"""Name in the session of the model that is asked about many people."""


def show(seen: "Seen", parts: lazy_sections.Parts) -> None:
    """Show the panel."""
    st.header(_("Does attention tell what matters?"), anchor="faith")
    if parts.draws("attention_faith", height=480):
        _person(seen)
    if seen.named is None:
        return
    if not _is_studied(seen.named):
        st.button(
            _("Ask about many people, and without each head"),
            key="attention_ask_study",
            icon=":material/science:",
            on_click=lambda: st.session_state.update({STUDIED: seen.named}),
            help=_(
                "The model is asked thousands of times; that takes some seconds to minutes and goes on beside the page."
            ),
        )
        return
    _many(seen)
    if len(seen.found.heads) > 1:
        _heads(seen)
    if _is_under_way(seen):
        st.button(_("Stop asking"), key="attention_stop_study", icon=":material/stop_circle:", on_click=_stop)


def _is_studied(model: model_queries.Named) -> bool:
    """Return whether many people are asked about for this model; for another one before it, that is given up."""
    asked = st.session_state.get(STUDIED)
    if asked is not None and asked != model:
        _stop()
    return asked == model


def _is_under_way(seen: "Seen") -> bool:
    """Return whether many people are asked about just now."""
    if st.session_state.get(STUDIED) != seen.named:
        return False
    studies = STUDIES if len(seen.found.heads) > 1 else STUDIES[:1]
    return not all(model_queries.ticket(seen.named, study).is_done for study in studies)


def _stop() -> None:
    """Give up what is asked about many people."""
    for study in STUDIES:
        model_queries.give_up(st.session_state[STUDIED], study)
    del st.session_state[STUDIED]


def _many(seen: "Seen") -> None:
    """Show whether attention tracks influence over many people."""
    from recsys_core.viz.attention_study import beyond, left_out, orders_picture, verdict

    st.subheader(_("And over many people?"), anchor="many")
    words, place = st.columns(WIDTHS, gap="large")
    with place:
        ticket = model_queries.ticket(seen.named, "faithfulness")
        found = pending.outcome(ticket, _("Asking about many people"), patience=0.0)
    if found is None:
        return
    with words:
        st.markdown(f"**{safe(comparison_queries.said(verdict(found)))}**")
        st.markdown(safe(comparison_queries.said(beyond(found))))
        if others := left_out(found):
            st.markdown(safe(comparison_queries.said(others)))
        st.markdown(
            _(
                "**How to read it.** 1 means that the items looked at most are those that the score hangs on most; "
                "0 means that the one says nothing about the other. The same is measured for the order in time, and "
                "for attention that was shuffled, which is chance."
            )
        )
    with place:
        name = f"{seen.model} attention over many people"
        shown.figure(orders_picture(found), "figure_attention_many", name=name, table=found.per_user)


def _heads(seen: "Seen") -> None:
    """Show what the lists lose without each head."""
    from recsys_core.viz.attention_study import heads_matter, heads_picture

    st.subheader(_("What is each head good for?"), anchor="heads")
    words, place = st.columns(WIDTHS, gap="large")
    with place:
        ticket = model_queries.ticket(seen.named, "heads")
        found = pending.outcome(ticket, _("Taking out one head after the other"), patience=0.0)
    if found is None:
        return
    with words:
        st.markdown(safe(comparison_queries.said(heads_matter(found))))
        st.markdown(
            _(
                "**How to read it.** Each head was switched off once, and the lists judged again on the test part. "
                "Left of the line the lists are worse without it. Grey marks may as well be chance."
            )
        )
    with place:
        name = f"{seen.model} without each head"
        shown.figure(heads_picture(found), "figure_attention_heads", name=name, table=found.table)


def _person(seen: "Seen") -> None:
    """Show attention beside the effect of taking each item away, for this person."""
    from recsys_core.viz.attention_effects import beside_bars, correlation, most

    words, place = st.columns(WIDTHS, gap="large")
    with place:
        found = _beside(seen)
    with words:
        if found is not None and not found.table.empty:
            st.markdown(safe(comparison_queries.said(most(found))))
            st.markdown(f"**{safe(comparison_queries.said(correlation(found)))}**")
        st.markdown(
            _(
                "**How to read it.** A model that looks at an item need not use it. So each item was taken out of the "
                "history and the model asked again: blue is how much it looks at an item, orange what the score of its "
                "first recommendation loses without that item. Only if the long bars stand in the same rows, attention "
                "tells what matters."
            )
        )
    if found is not None and found.table.empty:
        with place:
            st.info(
                _(
                    "Nothing to compare: without the only item that it reads, the model has no score. Choose somebody "
                    "with more items, or build a longer history by hand."
                )
            )
    if found is None or found.table.empty:
        return
    with place:
        shown.figure(
            beside_bars(found),
            "figure_attention_faith",
            name=f"{seen.model} attention and influence",
            alt=str(correlation(found)),
            table=found.table,
        )


def _beside(seen: "Seen") -> "Beside | None":
    """Return both for this person: of the example what is stored, of a trained model what it answers."""
    from recsys_core.explain.attention_effects import beside

    if seen.named is None:
        return seen.beside
    ticket = model_queries.ticket(seen.named, "top", seen.about, 1, query=seen.query, k=1)
    top = pending.outcome(ticket, _("Asking what the model recommends"))
    if top is None:
        return None
    if top.empty:
        st.info(
            _(
                "Nothing to compare: the model has nothing to recommend here, since the person has had every item that "
                "it could score. Choose somebody else, or take items out of the history by hand."
            )
        )
        return None
    item = int(top["item"].iloc[0])
    ticket = model_queries.ticket(seen.named, "deletion", seen.about, item, query=seen.query, item=item)
    words, patience = _("Taking out one item after the other"), None
    if _is_under_way(seen):
        words, patience = _("Taking out one item after the other, once the question about many people is answered"), 0.0
    deletion = pending.outcome(ticket, words, patience)
    return None if deletion is None else beside(seen.found, deletion, _title(seen, item))


def _title(seen: "Seen", item: int) -> str:
    from recsys_core.experiments.held_out_users import described_items

    return str(described_items(services.dataset(seen.data), [item])["title"].iloc[0])
