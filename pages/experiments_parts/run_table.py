"""The table of all experiments: search, filters, and the choice of rows, which is in the URL."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import frame, services, state
from pages.ui.queries import experiment_queries
from pages.ui.show import errors
from pages.ui.text import _, n_, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.experiment_cards import RunCard

TABLE = "experiments_table"
ROW_PIXELS = 35
MOST_ROWS = 11
"""Rows that are visible without scrolling in the table."""


def empty() -> None:
    """Show what this page is for, with a button that makes the first experiment."""
    with st.container(border=True, key="experiments_empty"):
        st.subheader(_("No experiments yet"))
        paragraph(
            "Every training is listed here with its data, split, models and result, so that you can compare, repeat "
            "and share it. Start with a sample: four models, a few seconds."
        )
        with st.container(horizontal=True):
            if st.button(_("Train models on a sample"), key="experiments_sample", type="primary"):
                with errors():
                    services.start_sample_comparison()
                    frame.go("train")
            if st.button(_("Upload my data"), key="experiments_data"):
                frame.go("data")


def _filtered() -> "list[RunCard]":
    """Show search and filters; return the experiments that match."""
    names, tags = experiment_queries.data_names(), experiment_queries.tags()
    with st.container(horizontal=True, vertical_alignment="bottom", key="experiments_filters"):
        text = st.text_input(
            _("Search"),
            key="experiments_search",
            icon=":material/search:",
            placeholder=_("name, data set, model, tag, note"),
            width=300,
        )
        data = []
        if len(names) > 1:
            data = st.multiselect(
                _("Data sets"), list(names), format_func=lambda one: names.get(one, ""), key="experiments_of", width=260
            )
        wanted = st.multiselect(_("Tags"), tags, key="experiments_tags", width=220) if tags else []
        archived = False
        if any(card.archived for card in services.run_cards()):
            archived = st.toggle(_("Show archived"), key="experiments_archived")
    return experiment_queries.matching(text, wanted, data, archived=archived)


def show() -> None:
    """Show the experiments that match; the selected rows go into the URL."""
    cards = _filtered()
    if not cards:
        st.info(_("No experiment matches. Remove a word or a filter."))
        return
    ids = [card.id for card in cards]
    before = _ids()

    def choose() -> None:
        rows = st.session_state[widget].selection.rows
        hidden = [one for one in before if one not in ids]
        state.put("runs", ",".join([*hidden, *(ids[row] for row in rows)]))

    widget = f"{TABLE}_{hash(tuple(ids))}"
    st.dataframe(
        experiment_queries.table(cards),
        key=widget,
        hide_index=True,
        height=ROW_PIXELS * (min(MOST_ROWS, len(cards)) + 1) + 3,
        on_select=choose,
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [ids.index(one) for one in before if one in ids], "columns": [], "cells": []}
        },
        column_config=_columns(),
        alt=_("All experiments"),
    )
    st.caption(n_("{n} experiment", "{n} experiments", len(cards)))


def _columns() -> dict[str, Any]:
    """Return the columns; those up to the version fit into a window of 1280 pixels."""
    return {
        "name": st.column_config.TextColumn(_("Name"), width=150, help=_("★: favorites are listed first.")),
        "data": st.column_config.TextColumn(_("Data set"), width=80),
        "split": st.column_config.TextColumn(_("Split"), width=100),
        "models": st.column_config.TextColumn(_("Models"), width=100, help=_("Without the baselines.")),
        "metric": st.column_config.TextColumn(_("Metric"), width=75, help=_("The primary metric of the experiment.")),
        "value": st.column_config.NumberColumn(
            _("Value"), format="%.3f", width=60, help=_("Primary metric of the first model on the leaderboard.")
        ),
        "interval": st.column_config.TextColumn(
            _("95% interval"), width=90, help=_("Results of earlier versions did not store it; re-run them.")
        ),
        "state": st.column_config.TextColumn(_("State"), width=60),
        "created": st.column_config.DatetimeColumn(_("When"), format="YYYY-MM-DD HH:mm", width=85),
        "versions": st.column_config.TextColumn(
            _("Recscope"), width=65, help=_("Version of Recscope that trained the models.")
        ),
        "best": st.column_config.TextColumn(_("First model"), width=120),
        "tags": st.column_config.ListColumn(_("Tags"), width=150),
    }


def _ids() -> list[str]:
    return [one for one in (state.get("runs") or "").split(",") if one]


def chosen() -> "list[Run]":
    """Return the experiments chosen in the table or named by the URL; what cannot be opened is reported."""
    found = []
    for run_id in dict.fromkeys(_ids()):
        try:
            found.append(services.store().open(run_id))
        except RecscopeError as error:
            st.warning(safe(error))
    return found


def choose(*ids: str) -> None:
    """Choose experiments, as if their rows had been selected."""
    state.put("runs", ",".join(ids) or None)
