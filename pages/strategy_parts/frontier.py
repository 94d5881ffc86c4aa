"""Frontier: what other values of one card's weight would give, for one or several models."""

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.strategy_parts import draft
from pages.strategy_parts.context import Context
from pages.ui import pending, show, state
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, percent, safe

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from recsys_core.strategy.frontier import Frontier

FLOOR, TAKEN = 98, "strategy_frontier_taken"
"""Percent of the NDCG of the raw lists that the guardrail asks for at first; session key of the point taken last."""


def view(context: Context) -> None:
    """Show the frontier of one card."""
    from recsys_core.strategy import card_text
    from recsys_core.strategy.frontier import GRIDS

    cards = {
        place: f"{place + 1}. {card_text.title(type(card))}"
        for place, card in enumerate(context.strategy.cards)
        if card.kind in GRIDS and card.on
    }
    if not cards:
        paragraph("Add a card with a weight, such as diversity (MMR), to see what its other values would give.")
        return
    with st.container(horizontal=True):
        place = show.select(_("Card"), cards, "strategy_frontier_card", width=260)
        titles = st.multiselect(
            _("Models"), list(context.basis_of), list(context.basis_of)[:1], key="strategy_frontier_models", width=320
        )
        floor = st.number_input(
            _("Guardrail: least NDCG, % of the model"), 0, 100, FLOOR, key="strategy_floor", width=200
        )
    bases = {title: context.basis_of[title] for title in titles}
    if place is None or not bases:
        return
    for title, basis in bases.items():
        if (
            pending.outcome(strategy_queries.pricing(basis), _("Ranking candidates of {model}").format(model=title))
            is None
        ):
            return
    result = pending.outcome(
        strategy_queries.frontier(bases, context.strategy, place, floor / 100), _("Computing the frontier")
    )
    if result is not None:
        _chart(context, place, result, floor)


def _chart(context: Context, place: int, result: "Frontier", floor: int) -> None:
    from recsys_core.viz import strategy as pictures

    st.markdown(safe(pictures.frontier_sentence(result, floor / 100)))
    chosen = _figure(pictures.frontier_chart(result, floor / 100), result)
    paragraph(
        "Filled points are Pareto-optimal: no other point has more NDCG and more diversity. Click one to take it."
    )
    at = _clicked(chosen)
    if at is not None and at in result.points.index:
        _take(context, place, result.points.to_dict("records")[at])


def _take(context: Context, place: int, point: "Mapping[Hashable, Any]") -> None:
    """Take the setting of a clicked point, once per click; the lists of the model alone have none."""
    taken = (point["model"], place, point["setting"])
    if math.isnan(point["setting"]) or st.session_state.get(TAKEN) == taken:
        return
    st.session_state[TAKEN] = taken
    strategy = type(context.strategy).model_validate_json(point["strategy"])
    state.bump("strategy_card")  # the settings of the card show the new value
    draft.edit(draft.current(context.run.spec.k), place, strategy.cards[place])
    draft.select(place)
    st.toast(
        _("Taken: {setting}, which keeps {share} of the NDCG of the lists of {model}.").format(
            setting=f"{point['setting']:g}", share=percent(point["kept"]), model=safe(point["model"])
        )
    )
    st.rerun()


def _figure(chart: Any, result: "Frontier") -> Any:
    """Show the chart with its points for selection; return the selection."""
    table = result.points.drop(columns="strategy")
    show.figure(
        chart, "strategy_frontier", name=_("Accuracy and diversity"), table=table, on_select="rerun",
        selection_mode="points",
    )  # fmt: skip
    return st.session_state.get("strategy_frontier")


def _clicked(chosen: Any) -> int | None:
    """Return the row of the selected point, None without one."""
    points = chosen.selection.points if chosen else []
    data = points[0].get("customdata") if points else None
    return int(data[0]) if data else None
