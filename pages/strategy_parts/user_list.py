"""One user's list before and after the strategy, with the way of every item through the cards."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.strategy_parts.context import Context
from pages.ui import pending, show, state
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    import pandas as pd


MOST_USERS = 200
"""Test users that are offered at once."""


def view(context: Context) -> None:
    """Show the list of one test user."""
    pricing = pending.outcome(strategy_queries.pricing(context.basis), _("Ranking candidates"))
    if pricing is None:
        return
    ids = pricing.candidates.user_ids
    if not ids:
        paragraph("The split has no test user.")
        return
    row = _row(context, ids)
    if row is None:
        return
    from recsys_core.strategy.trail import trail_table

    outcome = pending.outcome(strategy_queries.outcome(context.basis, context.strategy), _("Applying the cards"))
    if outcome is None:
        return
    table = trail_table(outcome, row, pricing.candidates, context.dataset)
    _history(context, int(pricing.candidates.users[row]))
    _list(table)
    for shortfall in outcome.shortfalls:
        st.warning(safe(shortfall))


def _row(context: Context, ids: list[str]) -> int | None:
    """Show the choice of a test user; return the row, None without a match."""
    chosen = state.get("user")
    with st.container(horizontal=True):
        text = st.text_input(_("Search test users by ID"), key="strategy_user_search", width=220)
        found = [one for one in ids if text in one][:MOST_USERS]
        if chosen in ids and text in str(chosen):
            found = [str(chosen), *(one for one in found if one != chosen)]
        if found:
            user = st.selectbox(_("Test user"), found, 0, key=f"strategy_user_{context.run.id}_{text}", width=220)
    if not found:
        paragraph("No test user has this text in the ID.")
        return None
    state.put("user", user)
    return ids.index(user)


def _history(context: Context, user: int) -> None:
    from recsys_core.experiments.held_out_users import history_of

    latest = history_of(context.dataset, user)["title"].drop_duplicates().head(5)
    paragraph("Latest items of this user in the data: {titles}.", titles=safe(", ".join(map(str, latest))))


def _list(table: "pd.DataFrame") -> None:
    """Show the final list, then the items that the strategy took out."""
    from recsys_core.viz.strategy_list import list_html

    inside, outside = table[table["place"] > 0], table[table["place"] == 0]
    st.html(list_html(inside, _("List of the strategy")))
    show.csv_download(_("List (CSV)"), lambda: table, "strategy-list", "strategy_list_csv")
    if len(outside):
        st.markdown("**" + _("No longer in the list") + "**")
        st.html(list_html(outside, _("Items that left the list")))
