"""The four charts of a comparison, each with its finding."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import lazy_sections, services, show
from pages.ui.queries import comparison_queries
from pages.ui.text import _, later, safe

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.comparison_queries import ResultsKey

N_HIGHLIGHTED = 3
"""Number of first models highlighted unless rows of the leaderboard are selected."""
HEIGHT = 560
NO_VALUE = later("The baseline has no value for this metric; choose another baseline or metric.")


def all_four(
    results: "ResultsKey", metric: str, baseline: str, selected: list[str], parts: lazy_sections.Parts
) -> None:
    """Show the charts one below the other, each below its question and finding.

    Args:
        results: The experiment.
        metric: Metric of the comparison.
        baseline: Id of the pinned model.
        selected: Ids of the models to highlight; none: the best ones and the baseline.
        parts: Decides which charts are drawn yet.
    """
    from recsys_core.experiments.leaderboard import metric_title

    board = comparison_queries.board(results, metric, baseline)
    titles = board.set_index("model")["title"]
    chosen = [titles[model] for model in selected] or [*titles.iloc[:N_HIGHLIGHTED], *titles[titles.index == baseline]]
    name = metric_title(metric)
    if drawn := parts.draws("dots", height=HEIGHT):
        with drawn:
            _dots(results, metric, name, baseline)
    if drawn := parts.draws("tradeoff", height=HEIGHT):
        with drawn:
            _tradeoff(board, metric, name)
    if drawn := parts.draws("precision_recall", height=HEIGHT):
        with drawn:
            _precision_recall(results, chosen)
    if drawn := parts.draws("slices", height=HEIGHT):
        with drawn:
            _slices(results, metric, name, baseline)


@contextmanager
def _below(question: str, sentence: str, note: str = "") -> Iterator[None]:
    """Show a question and its finding above the chart, and a note on how to read it below."""
    if question:
        st.subheader(question)
    st.markdown(safe(sentence))
    yield
    if note:
        st.markdown(note)


def _direction(metric: str) -> str:
    from recsys_core.evaluation.metric_info import MetricName

    return MetricName.parse(metric).info.direction


def intervals(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show the chart of the means with their intervals without its question."""
    from recsys_core.experiments.leaderboard import metric_title

    _dots(results, metric, metric_title(metric), baseline, question="")


def _dots(results: "ResultsKey", metric: str, name: str, baseline: str, *, question: str | None = None) -> None:
    from recsys_core.viz import compare, compare_sentences

    board, comparison = (
        comparison_queries.board(results, metric, baseline),
        comparison_queries.comparison(results, metric, baseline),
    )
    sentence, note, line = _(NO_VALUE), "", None
    if comparison.baseline is not None:
        better = comparison.better_than(baseline)
        sentence = str(
            compare_sentences.dots(
                board, metric=name, baseline=baseline, better=better, more_is_no_merit=_direction(metric) == "neither"
            )
        )
        note = _(
            "The dotted line is the baseline. Each interval is the 95% confidence interval of one mean. "
            "Whether two models differ is tested on their paired differences per user, so two models may "
            "differ significantly although their intervals overlap."
        )
        line = float(board.set_index("model")["mean"].loc[baseline])
    with _below(_("How certain are the differences?") if question is None else question, sentence, note):
        show.figure(
            compare.dots_with_intervals(board, metric=name, baseline=line),
            key="figure_dots",
            name=_("Models with intervals"),
            table=board[["title", "mean", "low", "high", "users"]],
        )


def _precision_recall(results: "ResultsKey", chosen: list[str]) -> None:
    from recsys_core.experiments.leaderboard import precision_recall
    from recsys_core.viz import compare, compare_sentences

    question = _("How do precision and recall change with list length?")
    table = precision_recall(comparison_queries.contenders(results), services.store().open(results.run).spec.cutoffs)
    sentence = str(compare_sentences.precision_recall(table, title=chosen[0]))
    with _below(
        question, sentence, _("The first models are highlighted; select rows of the leaderboard to highlight others.")
    ):
        if not table.empty:
            show.figure(
                compare.precision_recall(table, highlighted=chosen),
                key="figure_precision_recall",
                name=_("Precision against recall"),
                table=table,
            )


def _tradeoff(board: "pd.DataFrame", metric: str, name: str) -> None:
    from recsys_core.viz import compare, compare_sentences

    costs = board.assign(seconds=board["fit_seconds"]).dropna(subset=["seconds"])  # lists have none
    better = _direction(metric) != "lower"
    sentence = str(compare_sentences.quality_against_time(costs, metric=name, higher_is_better=better))
    with _below(_("How much training time does quality cost?"), sentence):
        show.figure(
            compare.quality_against_time(costs, metric=name, higher_is_better=better),
            key="figure_tradeoff",
            name=_("Quality against time"),
            table=costs[["title", "seconds", "mean", "low", "high", "recommend_seconds", "peak_memory_bytes"]],
        )


def _slices(results: "ResultsKey", metric: str, name: str, baseline: str) -> None:
    from recsys_core.viz import compare, compare_sentences

    question = _("For which users and items is a model better?")
    table = comparison_queries.slices(results, metric, baseline)
    if table.empty:
        alone = comparison_queries.comparison(results, metric, baseline).baseline is not None
        with _below(question, _("There is no second model to compare with the baseline.") if alone else _(NO_VALUE)):
            return
    title = {model.id: model.title for model in comparison_queries.contenders(results)}[baseline]
    better = _direction(metric) != "lower"
    sentence = str(compare_sentences.slices(table, baseline=title, metric=name, higher_is_better=better))
    note = safe(comparison_queries.slices_explained(results))
    note += " " + str(compare_sentences.MAYBE_ZERO.fill())
    with _below(question, sentence, note):
        show.figure(
            compare.slice_differences(table, metric=name, baseline=title),
            key="figure_slices",
            name=_("Differences by group"),
            table=table,
        )
