"""Criteria of strategies besides accuracy: the exposure of groups of items, and the value of interactions."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.strategy_parts import draft
from pages.ui import services
from pages.ui.queries import comparison_queries, strategy_queries
from pages.ui.text import _, count, paragraph, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pages.ui.queries.comparison_queries import ResultsKey
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.strategy.fields import FieldInfo

NONE = ""
MOST_CANDIDATES = 1000


def personal_first(results: "ResultsKey") -> "list[Contender]":
    """Return the models with scores: personalized ones first, each group by the primary metric of the experiment."""
    metric = services.store().open(results.run).spec.metric

    def place(model: "Contender") -> tuple[bool, float]:
        return not services.model_info(model.key).personal, -(model.metrics.get(metric) or 0.0)

    return sorted(comparison_queries.trained(results), key=place)


def settings(run: "Run", dataset: "Dataset", by_name: "Mapping[str, FieldInfo]") -> dict[str, str]:
    """Show what is priced; return `exposure_of` and `value` of a `Basis`."""
    fields = [field for field in by_name.values() if field.of_items]
    with st.expander(_("Criteria"), key="strategy_criteria"):
        _pool()
        groups = [NONE, *(field.name for field in fields if field.groups and field.values)]
        exposed = st.selectbox(
            _("Exposure of"), groups, min(1, len(groups) - 1), format_func=lambda one: one or _("none"),
            key="strategy_exposure_of",
            help=_("Item field whose values share the exposure: category, provider, brand."),
        )  # fmt: skip
        value = _value(run.spec.target, dataset, [field.name for field in fields if field.numeric])
    return {"exposure_of": exposed or NONE, "value": value}


def _pool() -> None:
    """Show how many candidates per user the strategy being edited reads."""
    strategy = draft.current(1)

    def keep() -> None:
        draft.keep(strategy.model_copy(update={"pool": int(st.session_state["strategy_pool"])}))

    st.session_state["strategy_pool"] = strategy.pool
    st.number_input(
        _("Candidates per user"), strategy.k, MOST_CANDIDATES, key="strategy_pool", on_change=keep, step=10,
        help=_("The best items of the model that the cards choose from."),
    )  # fmt: skip


def counted_events(events: "Mapping[str, int]", target: tuple[str, ...]) -> dict[str, int]:
    """Return the events that test interactions can have, with their number in the data.

    Args:
        events: Event -> number of interactions.
        target: Events that the experiment predicts; empty for all. Others are no test interactions.
    """
    return {event: interactions for event, interactions in events.items() if not target or event in target}


def _value(target: tuple[str, ...], dataset: "Dataset", numbers: list[str]) -> str:
    """Show what an interaction is worth; return it as JSON, or nothing."""
    help_text = _("Sum of what the test interactions with the listed items are worth; no forecast of revenue.")
    if not st.toggle(_("Value of a list"), key="strategy_value_on", help=help_text):
        return NONE
    from recsys_core.strategy.value import ValueModel

    weights = {}
    if target:
        paragraph(
            "Test interactions have the events that the experiment predicts: {events}. Others, such as refunds, do not "
            "count.",
            events=safe(", ".join(target)),
        )
    for event, interactions in counted_events(strategy_queries.events(dataset.fingerprint), target).items():
        label = _("Worth of {event} ({n})").format(event=safe(event), n=count(interactions))
        weights[event] = st.number_input(label, value=1.0, step=0.1, format="%g", key=f"strategy_worth_{event}")
    usual = next((name for name in numbers if "price" in name.lower()), NONE)
    options = [NONE, *numbers]
    price = st.selectbox(
        _("Times the price in"), options, options.index(usual), format_func=lambda one: one or _("none"),
        key="strategy_price",
    )  # fmt: skip
    margin = st.selectbox(
        _("Times the margin in"), options, format_func=lambda one: one or _("none"), key="strategy_margin",
        help=_("A field with the share of the price that is margin; without a price, a field with amounts."),
    )  # fmt: skip
    return ValueModel(weights=weights, price=price or None, margin=margin or None).model_dump_json()
