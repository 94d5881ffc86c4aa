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
from pages.ui import pickers, services, show
from pages.ui.queries import comparison_queries, strategy_queries
from pages.ui.text import _

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run

WIDTH = 250


def section(run: "Run") -> None:
    """Show the workbench for the strategies of an experiment."""
    contenders = criteria.personal_first(comparison_queries.results_key(run))
    titles = {one.id: one.title for one in contenders}
    chosen = pickers.model(list(titles), lambda one: titles[one], "strategy", width=WIDTH)
    model = next(one for one in contenders if one.id == chosen)
    dataset = services.dataset(run.spec.data)
    left, right = st.columns([5, 8], gap="large")
    with left:
        strategy = saved.open_linked(run.spec.k)
        saved.bar(strategy, dataset)
        editor.show(strategy, dataset, titles)
        priced = criteria.settings(dataset)
    strategy = draft.current(run.spec.k)
    bases = {one.title: strategy_queries.basis(run, one, contenders, strategy, **priced) for one in contenders}
    own_first = {model.title: bases[model.title]} | bases
    with right, show.errors():
        _views(Context(run, dataset, strategy, bases[model.title], titles, own_first))


def _views(context: Context) -> None:
    """Show one view of the strategy."""
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
    views[chosen or "prices"][1](context)
