"""Who wins, who loses: the effect of strategies on groups of users."""

import streamlit as st

from pages.strategy_parts.context import Context
from pages.ui import pending, show
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, safe


def view(context: Context) -> None:
    """Show the differences to the raw lists by group of users."""
    own = _("This strategy")
    others = strategy_queries.priced_strategies()
    added = st.multiselect(_("Compare with saved strategies"), list(others), key="strategy_groups_with", width=420)
    strategies = {name: others[name] for name in added}
    while own in strategies:  # a saved strategy may have this name
        own += "*"
    strategies = {own: context.strategy} | strategies
    pricing = pending.outcome(strategy_queries.pricing(context.basis), _("Ranking candidates"))
    if pricing is None:
        return
    own_fields = list(pricing.candidates.facts.user_table.columns)
    attributes = st.multiselect(_("Groups by user field"), own_fields, key="strategy_groups_by", width=420)
    ticket = strategy_queries.slices(context.basis, strategies, tuple(attributes))
    table = pending.outcome(ticket, _("Comparing groups of users"))
    if table is None:
        return
    from recsys_core.viz import strategy as pictures

    for name in strategies:
        rows = table[table["strategy"] == name].reset_index(drop=True)
        if len(strategies) > 1:
            st.subheader(safe(name))
        st.markdown(safe(pictures.groups_sentence(rows)))
        show.figure(
            pictures.group_differences(rows), f"strategy_groups_{name}",
            name=_("Effect by group: {name}").format(name=name), table=rows,
        )  # fmt: skip
    paragraph(
        "Intervals are those of single differences; the verdict of each group is corrected for all groups (Holm)."
    )
