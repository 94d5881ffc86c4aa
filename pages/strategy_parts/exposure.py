"""Exposure: which groups of items are shown, by the model alone and by the strategy."""

import streamlit as st

from pages.strategy_parts import price_tags
from pages.strategy_parts.context import Context
from pages.ui import show
from pages.ui.text import _, paragraph, safe


def view(context: Context) -> None:
    """Show the shares of exposure of the groups of the selected field."""
    if not context.basis.exposure_of:
        paragraph("Select a field of the items under *Criteria* to see the exposure of its values.")
        return
    prices = price_tags.prices_of(context)
    if prices is None:
        return
    from recsys_core.viz import strategy as pictures

    rows = pictures.exposure_rows(prices)
    st.markdown(
        safe(
            _(
                "Exposure weights each place by 1 / log2(1 + place), summed over the lists of all test users. "
                "Field: {field}."
            ).format(field=context.basis.exposure_of)
        )
    )  # fmt: skip
    show.figure(
        pictures.exposure_shares(prices), "strategy_exposure", name=_("Shares of exposure"),
        table=price_tags.whole_table(rows),
    )  # fmt: skip
