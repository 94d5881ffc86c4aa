"""The leaderboard: one row per model, bars in the cells, values or differences to a pinned baseline."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.compare_parts import microscope
from pages.ui import show, state, terms
from pages.ui.queries import comparison_queries
from pages.ui.text import _, count, later, safe

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.comparison_queries import ResultsKey

VALUES, DIFFERENCES = "values", "differences"
N_METRICS = 3
"""Metric columns at first: they fit 1280 pixels."""
COSTS = {
    "fit_seconds": later("Training time, s"),
    "recommend_seconds": later("Recommendation time, s"),
    "memory": later("Memory, MiB"),
    "users": later("Users"),
}
BETTER = later(
    "{first} is significantly better than {second}: {metric} {one} against {other}, a difference of {by} "
    "({interval}, simultaneous 95% interval; {users} users)."
)
HIGHER = later(
    "{first} is significantly higher than {second}: {metric} {one} against {other}, a difference of {by} "
    "({interval}, simultaneous 95% interval; {users} users)."
)
ALIKE = later(
    "{first} and {second} do not differ significantly: {metric} {one} against {other}, a difference of {by} "
    "({interval}, simultaneous 95% interval; {users} users)."
)


def choices(results: "ResultsKey", first: str) -> tuple[str, str]:
    """Show the pickers of metric, starting with the primary one, and baseline; return metric and the baseline's id."""
    from recsys_core.experiments.leaderboard import metric_title

    models = comparison_queries.contenders(results)
    titles = {model.id: model.title for model in models}
    popular = next((model.id for model in models if model.key == "popular"), models[0].id)
    if state.is_demo():
        return first, popular
    metrics = {name: metric_title(name) for name in comparison_queries.metrics(results)}
    metric = show.select(_("Metric"), metrics, _kept("compare_metric", list(metrics), first), width=150)
    baseline = show.select(_("Baseline"), titles, _kept("compare_baseline", list(titles), popular), width=190)
    st.session_state["compared_by"] = {"compare_metric": metric, "compare_baseline": baseline}
    return metric, baseline


def _kept(widget: str, options: list[str], first: str) -> str:
    """Restore a widget's selection from before another page was opened; return its key."""
    chosen = st.session_state.get(widget, st.session_state.get("compared_by", {}).get(widget))
    st.session_state[widget] = chosen if chosen in options else first if first in options else options[0]
    return widget


def table(results: "ResultsKey", metric: str, baseline: str, k: int) -> list[str]:
    """Show the leaderboard; return the ids of the selected rows."""
    from recsys_core.experiments.leaderboard import metric_title
    from recsys_core.viz import compare_sentences
    from recsys_core.viz.components import BOARD
    from recsys_core.viz.leaderboard_rows import leaderboard_rows

    mode, columns, costs = _shown(results, k)
    models = comparison_queries.contenders(results)
    board = comparison_queries.board(results, metric, baseline)
    rows = leaderboard_rows(
        board,
        metric,
        [name for name in columns if name != metric],
        baseline=baseline,
        differences=mode == DIFFERENCES,
        costs={name: _(COSTS[name]) for name in costs},
        caption=_("Leaderboard"),
    )

    def clicked() -> None:
        """Put the clicked number under the microscope."""
        cell = st.session_state["leaderboard"].cell
        if cell and cell["model"] in set(board["model"]):
            microscope.aim(cell["model"], cell["metric"])

    component = st.components.v2.component("recscope_leaderboard", html=BOARD.html, css=BOARD.css, js=BOARD.js)
    state_of = component(key="leaderboard", data=rows, on_rows_change=lambda: None, on_cell_change=clicked)
    letters = safe(compare_sentences.LETTERS.fill())
    select = _(
        "Select rows to highlight models in the charts below. Click a number to see its definition and its users."
    )
    st.markdown(f"{letters} {select}")
    terms.of_metrics("leaderboard", [metric, *columns], ("Baseline", "Relevant"))
    if without := [model.title for model in models if model.id not in set(board["model"])]:
        st.markdown(safe(compare_sentences.without_value(without, metric=metric_title(metric))))
    return [one for one in state_of.rows or () if one in set(board["model"])]


def without_history(results: "ResultsKey", metric: str) -> None:
    """Show the metrics on the users without training history, if there are any."""
    from recsys_core.evaluation.sentences import interval_text
    from recsys_core.experiments.leaderboard import metric_title
    from recsys_core.viz import compare_sentences

    table = comparison_queries.without_history(results, metric)
    if table.empty:
        return
    st.subheader(_("Users without training history"))
    st.markdown(safe(compare_sentences.WITHOUT_HISTORY.fill()))
    shown = table.assign(interval=[interval_text(*ends) for ends in zip(table["low"], table["high"], strict=True)])
    show.table(
        shown,
        "without_history",
        name=_("Users without training history"),
        column_order=["title", "mean", "interval", "users", "listed"],
        column_config={
            "title": st.column_config.TextColumn(_("Model"), width=230),
            "mean": st.column_config.NumberColumn(metric_title(metric), format="%.3f"),
            "interval": st.column_config.TextColumn(_("95% interval")),
            "users": st.column_config.NumberColumn(_("Users"), format="localized"),
            "listed": st.column_config.NumberColumn(
                _("Users with recommendations"),
                format="percent",
                help=_("Share of these users for whom the model recommends at least one item."),
            ),
        },
    )


def beside(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show pairs of models that differ only in their settings, with the difference between them."""
    pairs = comparison_queries.pairs_of_one_algorithm(results, metric, baseline)
    if pairs.empty:
        return
    st.subheader(_("Configurations of the same model"))
    board = comparison_queries.board(results, metric, baseline).set_index("model")
    users = len(comparison_queries.comparison(results, metric, baseline).users)
    st.markdown("\n".join(f"- {safe(_difference(pair, board, metric, users))}" for pair in pairs.to_dict("records")))


def _difference(pair: dict[Hashable, Any], board: "pd.DataFrame", metric: str, users: int) -> str:
    """Return the difference between two configurations of one algorithm as a sentence."""
    from recsys_core.evaluation.metric_info import MetricName
    from recsys_core.evaluation.sentences import interval_text, rounded
    from recsys_core.experiments.leaderboard import metric_title

    direction = MetricName.parse(metric).info.direction
    words = ALIKE if not pair["different"] else HIGHER if direction == "neither" else BETTER
    by, low, high = pair["difference"], pair["low"], pair["high"]
    if by < 0:  # lower is better: the better model has the smaller value
        by, low, high = -by, -high, -low
    one, other = (rounded(board.loc[pair[side], "mean"], low, high) for side in ("first", "second"))
    return _(words).format(
        first=board.loc[pair["first"], "title"], second=board.loc[pair["second"], "title"], metric=metric_title(metric),
        one=one, other=other, by=rounded(by, low, high), interval=interval_text(low, high),
        users=count(users),
    )  # fmt: skip


def _shown(results: "ResultsKey", k: int) -> tuple[str, list[str], list[str]]:
    """Show the display options; return values or differences, the metrics, and the columns of costs."""
    from recsys_core.experiments.leaderboard import leading_metrics, metric_names, metric_title

    models = comparison_queries.contenders(results)
    first, costs = leading_metrics(models, k)[:N_METRICS], list(COSTS)[:1]
    if state.is_demo():
        return VALUES, first, costs
    with st.container(horizontal=True, vertical_alignment="bottom", key="leaderboard_choices"):
        modes = {VALUES: _("values"), DIFFERENCES: _("differences to the baseline")}
        mode = show.radio(_("Display"), modes, "leaderboard_mode")
        with st.popover(_("Columns"), icon=":material/view_column:"):
            columns = st.multiselect(
                _("Metric columns"),
                metric_names(models),
                default=first,
                format_func=metric_title,
                key="leaderboard_columns",
            )
            costs = st.multiselect(
                _("Further columns"),
                list(COSTS),
                default=costs,
                format_func=lambda name: _(COSTS[name]),
                key="leaderboard_costs",
            )
    return mode, columns, costs
