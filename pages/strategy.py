"""Strategy: what are users shown, and what does each rule cost?"""

import streamlit as st

from pages.strategy_parts import (
    criteria,
    decision,
    draft,
    editor,
    exposure,
    frontier,
    groups,
    price_tags,
    saved,
    user_list,
)
from pages.strategy_parts.context import Context
from pages.ui import empty_state, pickers, services, show, verdict
from pages.ui.frame import ensure_frame
from pages.ui.queries import comparison_queries, strategy_queries
from pages.ui.text import _, paragraph

WIDTH = 250
"""Pixels of the pickers, which share a line."""

ensure_frame()

st.title(_("Strategy"))
paragraph("A strategy turns the list of a model into what users are shown, card by card. Each card has its price.")
line = pickers.line()
with line:
    data = pickers.dataset("strategy", width=WIDTH)
    run = pickers.experiment("strategy", width=WIDTH) if data is not None else None
empty_state.card_or_stop(data, _("A strategy needs data and a trained model. Upload your own data, or open a sample."))
if run is None:
    empty_state.stop(
        _("No trained model on this data set yet"),
        _("Train at least one model; a strategy then reorders its lists, without any further training."),
        action="train",
    )
verdict.unfinished(run)
results = comparison_queries.results_key(run)
contenders = criteria.personal_first(results)
titles = {one.id: one.title for one in contenders}
with line:
    chosen = pickers.model(list(titles), lambda one: titles[one], "strategy", width=WIDTH)
model = next(one for one in contenders if one.id == chosen)
strategy = saved.open_linked(run.spec.k)
dataset = services.dataset(run.spec.data)

left, right = st.columns([5, 8], gap="large")
with left:
    saved.bar(strategy, dataset)
    editor.show(strategy, dataset, titles)
    priced = criteria.settings(dataset)
strategy = draft.current(run.spec.k)
basis_of = {one.title: strategy_queries.basis(run, one, contenders, strategy, **priced) for one in (model, *contenders)}
context = Context(run, dataset, strategy, basis_of[model.title], titles, basis_of)
VIEWS = {
    "prices": (_("Prices"), price_tags.view),
    "frontier": (_("Frontier"), frontier.view),
    "groups": (_("Groups"), groups.view),
    "exposure": (_("Exposure"), exposure.view),
    "list": (_("Lists"), user_list.view),
    "decision": (_("Decision"), decision.view),
}
with right, show.errors():
    view = st.segmented_control(
        _("View"), list(VIEWS), default="prices", format_func=lambda one: VIEWS[one][0], key="strategy_view",
        label_visibility="collapsed", required=True,
    )  # fmt: skip
    editor.findings(context)
    VIEWS[view or "prices"][1](context)
