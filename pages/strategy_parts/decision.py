"""Decision: what the strategy is meant to reach, what it must not break, and what the evidence says."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.strategy_parts import price_tags, versions
from pages.strategy_parts.context import Context
from pages.ui import pending, show
from pages.ui.queries import strategy_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from recsys_core.strategy.decision import Decision, Goal
    from recsys_core.strategy.guardrails import Guardrail

BOXES = {"promote": st.success, "hold": st.info, "reject": st.error}
FLOOR, WORSE = 98, 35
"""Guardrails at first: percent of the NDCG of the raw lists, and of users who may be worse off."""


def view(context: Context) -> None:
    """Show the decision about the strategy."""
    prices = price_tags.prices_of(context)
    if prices is None:
        return
    goal = _goal(prices.metrics)
    guardrails = _guardrails()
    decision = pending.outcome(
        strategy_queries.decision(context.basis, context.strategy, goal, guardrails), _("Weighing the evidence")
    )
    if decision is not None:
        _card(decision)
        versions.section(context, [str(sentence) for sentence in decision.evidence])


def _goal(metrics: tuple[str, ...]) -> "Goal":
    from recsys_core.strategy.decision import Goal
    from recsys_core.strategy.metric_titles import metric_title

    offered = {one: metric_title(one) for one in metrics}
    usual = next((one for one in metrics if one.startswith("diversity")), metrics[0])
    with st.container(horizontal=True):
        metric = show.select(_("Goal"), offered, "strategy_goal", index=metrics.index(usual), width=240)
        directions = {"raise": _("raise"), "lower": _("lower")}
        direction = show.select(_("Direction"), directions, "strategy_direction", width=120)
        least = st.number_input(
            _("Smallest change that counts"), 0.0, None, 0.0, format="%g", key="strategy_least", width=220
        )
    return Goal(metric=metric, direction=direction, least=least)


def _guardrails() -> "tuple[Guardrail, ...]":
    from recsys_core.strategy.guardrails import WORSE as WORSE_OFF
    from recsys_core.strategy.guardrails import Guardrail

    with st.container(horizontal=True):
        floor = st.number_input(
            _("Guardrail: NDCG at least, % of the model"), 0, 100, FLOOR, key="strategy_rail_ndcg", width=300
        )
        worse = st.number_input(
            _("Guardrail: users worse off at most, %"), 0, 100, WORSE, key="strategy_rail_worse", width=300
        )
    return (Guardrail(bound=floor / 100), Guardrail(metric=WORSE_OFF, bound=worse / 100, side="at_most"))


def _card(decision: "Decision") -> None:
    show_box: Any = BOXES[decision.recommendation]
    first, *others = decision.evidence
    show_box(safe(first))
    st.markdown("\n".join(f"- {safe(sentence)}" for sentence in others))
