"""The workbench: left the cards of the strategy being edited, right what they change."""

from typing import TYPE_CHECKING

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
from pages.ui import lists_only, pending, pickers, services, show
from pages.ui.queries import comparison_queries, strategy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

WIDTH = 250


def section(run: "Run") -> None:
    """Show the workbench for the strategies of an experiment."""
    from recsys_core.strategy.campaigns import as_running

    lists_only.note(comparison_queries.results_key(run))
    contenders = criteria.personal_first(comparison_queries.results_key(run))
    titles = {one.id: one.title for one in contenders}
    chosen = pickers.model(list(titles), lambda one: titles[one], "strategy", width=WIDTH)
    model = next(one for one in contenders if one.id == chosen)
    dataset = services.dataset(run.spec.data)
    fields = pending.outcome(strategy_queries.fields(dataset.fingerprint), _("Reading the fields of the data"))
    if fields is None:
        return
    left, right = st.columns([5, 8], gap="large")
    with left, show.errors():
        strategy = saved.open_linked(run.spec.k)
        saved.bar(strategy, dataset)
        editor.show(strategy, dataset, titles, fields)
        priced = criteria.settings(run, dataset, fields)
    strategy = as_running(draft.current(run.spec.k))
    bases = {one.title: strategy_queries.basis(run, one, contenders, strategy, **priced) for one in contenders}
    own_first = {model.title: bases[model.title]} | bases
    with right, show.errors():
        _views(Context(run, dataset, strategy, bases[model.title], titles, own_first))


def _views(context: Context) -> None:
    """Show one view of the strategy."""
    from recsys_core.experiments.priced_part import priced_part
    from recsys_core.strategy.campaigns import has_campaigns

    views = {
        "prices": (_("Prices"), price_tags.view),
        "frontier": (_("Frontier"), frontier.view),
        "groups": (_("Groups"), groups.view),
        "exposure": (_("Exposure"), exposure.view),
        "list": (_("Lists"), user_list.view),
        "decision": (_("Decision"), decision.view),
    }
    chosen = st.segmented_control(
        _("View"), list(views), default="prices", format_func=lambda one: views[one][0], key="strategy_view",
        label_visibility="collapsed", required=True,
    )  # fmt: skip
    editor.findings(context)
    if has_campaigns(draft.current(context.run.spec.k)):
        paragraph("Campaigns are priced as if they were running.")
    for sentence in priced_part(context.run.spec):
        st.caption(safe(sentence))
    views[chosen or "prices"][1](context)
