"""How many items the lists of two models have in common."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import show
from pages.ui.queries import comparison_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey


def section(results: "ResultsKey", k: int) -> None:
    """Show the mean overlap of each pair of models."""
    from recsys_core.viz import microscope as views

    table = comparison_queries.overlaps(results, k)
    st.markdown(safe(views.overlap(table, k=k)))
    share = {title: st.column_config.NumberColumn(title, format="percent") for title in table.columns}
    show.table(
        table.round(3).rename_axis("title").reset_index(),
        "overlap_table",
        name=_("Overlap between models"),
        column_config={"title": st.column_config.TextColumn(_("Model"), pinned=True, width=230), **share},
    )
    st.caption(
        _(
            "Share of the items in the list of the row's model that the column's model recommends to the same user as "
            "well, averaged over users with a list."
        )
    )
