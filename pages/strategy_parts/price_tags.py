"""Price tags: what the strategy and each of its cards changes, with intervals."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.strategy_parts.context import Context
from pages.ui import pending, show
from pages.ui.queries import strategy_queries
from pages.ui.text import _, count, paragraph, safe

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.strategy.prices import Prices


def view(context: Context) -> None:
    """Show the price tags of the strategy."""
    prices = prices_of(context)
    if prices is None:
        return
    from recsys_core.strategy.metric_titles import metric_title
    from recsys_core.viz import strategy as pictures

    st.markdown(safe(pictures.affected_sentence(prices)))
    with st.container(horizontal=True):
        metric = show.select(
            _("Metric"), {one: metric_title(one) for one in prices.metrics}, "strategy_metric", width=260
        )
        names = {
            "in_order": _("In order: after the cards before it"),
            "left_out": _("Left out: the strategy without it"),
            "alone": _("Alone: this card only"),
        }
        how = show.select(_("Effect of each card"), names, "strategy_price_view", width=320)
    shown = pictures.price_tags(prices, metric, how)
    sentence = str(pictures.price_sentence(prices, metric))
    show.figure(shown, "strategy_prices", name=_("Price tags"), sentence=sentence, table=prices.table)
    _rank_changes(context, prices)
    _unpriced(context)
    _whole(prices)
    paragraph(
        "Accuracy is measured on the relevant held-out items of {n} users; the other metrics are those of the lists of "
        "all {of} test users. Nothing is known of how users react to lists that they were never shown. Intervals are "
        "not corrected for the number of tags.",
        n=count(prices.affected["users"].iloc[0]),
        of=count(prices.of("whole")["users"].max()),
    )


def prices_of(context: Context) -> "Prices | None":
    """Return the price tags, or None while they are computed or if there are none; the reason is shown."""
    ticket = strategy_queries.pricing(context.basis)
    if pending.outcome(ticket, _("Ranking candidates")) is None:
        return None
    return pending.outcome(strategy_queries.prices(context.basis, context.strategy), _("Pricing the cards"))


def _rank_changes(context: Context, prices: "Prices") -> None:
    """Show how far boosted and buried items move."""
    from recsys_core.viz import strategy as pictures

    changes = strategy_queries.rank_changes(context.basis, context.strategy)
    if not changes.wait(pending.PATIENCE_SECONDS):
        return
    lines = [pictures.rank_change_sentence(prices, place, change) for place, change in changes.result().items()]
    st.markdown("\n".join(f"- {safe(line)}" for line in lines))


def _unpriced(context: Context) -> None:
    """Say which test interactions the value of a list cannot count, and which have a negative amount."""
    gap = strategy_queries.unpriced(context.basis)
    if gap is not None and gap.interactions:
        paragraph(
            "The value leaves out {n} of {of} test interactions: the amount of {items} items is unknown.",
            n=count(gap.interactions),
            of=count(gap.of),
            items=count(gap.items),
        )
    if gap is not None and gap.negative:
        paragraph(
            "The amount of {items} items is negative: {n} of {of} test interactions count with the opposite sign.",
            items=count(gap.negative_items),
            n=count(gap.negative),
            of=count(gap.of),
        )


def _whole(prices: "Prices") -> None:
    """Show all metrics of the whole strategy as a table."""
    rows = prices.of("whole")
    rows = rows[~rows["metric"].str.startswith("exposure@")]
    show.table(whole_table(rows), "strategy_whole", name=_("All metrics of the strategy"))


def whole_table(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return tags of the strategy as a table for reading."""
    from recsys_core.viz.strategy import differences_table

    return differences_table(rows, before=_("Model alone"), after=_("Strategy"))
