"""Several chosen experiments: their joint comparison, or what differs between them."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.experiments_parts import data_sets, deleted
from pages.ui import pending, state
from pages.ui import show as shown
from pages.ui.queries import experiment_queries
from pages.ui.text import _, n_, paragraph, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.joint_comparison import Contrast, JointComparison


def show(runs: "list[Run]") -> None:
    """Compare experiments with the same data, split and target; for others, show what differs."""
    with st.container(border=True, key="joint"):
        st.header(n_("{n} experiment selected", "{n} experiments selected", len(runs)))
        _actions(runs)
        ready = [run for run in runs if run.finished()]
        if len(ready) < len(runs):
            names = ", ".join(safe(run.name) for run in runs if run not in ready)
            st.warning(_("Not compared, since no model has finished: {names}").format(names=names))
        if len(ready) < 2:
            return
        with shown.errors():
            found = experiment_queries.comparability(ready)
            if not found.allowed:
                _refusal(ready, found.differences)
                if len({run.spec.data for run in ready}) == len(ready):
                    data_sets.ranks(ready)
                return
            _comparison(ready)
            if found.conditions:
                paragraph("**Conditions of this comparison.** The models were not all trained in the same way:")
                _contrasts(ready, found.conditions, "joint_conditions")


def _actions(runs: "list[Run]") -> None:
    with st.container(horizontal=True, key="joint_actions"):
        st.button(_("Clear selection"), key="joint_clear", on_click=lambda: state.put("runs", None))
        if not state.is_demo():
            st.button(_("Delete"), key="joint_delete", icon=":material/delete:", on_click=deleted.delete, args=(runs,))


def _refusal(runs: "Sequence[Run]", differences: "tuple[Contrast, ...]") -> None:
    """Say that there is no common verdict, and what differs."""
    what = ", ".join(one.title for one in differences)
    words = _(
        "No common verdict: these experiments were evaluated differently, so their numbers cannot be compared. "
        "They differ in: {what}."
    )
    st.error(words.format(what=safe(what)), icon=":material/block:")
    _contrasts(runs, differences, "joint_differences")
    paragraph("To compare these models, train them in one experiment, or with the same data, split and target.")


def _contrasts(runs: "Sequence[Run]", contrasts: "tuple[Contrast, ...]", key: str) -> None:
    from recsys_core.experiments.joint_comparison import contrast_table

    shown.table(contrast_table(runs, contrasts), key, name=_("Differences between the experiments"))


def _comparison(runs: "Sequence[Run]") -> None:
    from recsys_core.experiments.leaderboard import metric_title

    metrics = experiment_queries.common_metrics(runs)
    if not metrics:
        st.warning(_("These experiments have no metric in common."))
        return
    metric = shown.select(
        _("Metric"), {name: metric_title(name) for name in metrics}, f"joint_metric_{runs[0].id}", width=320
    )
    found = pending.outcome(experiment_queries.comparison(runs, metric), _("Comparing"))
    if found is not None:
        _verdict(found)
        _board(found)


def _verdict(outcome: "JointComparison") -> None:
    first, *rest = (safe(sentence) for sentence in outcome.comparison.verdict)
    st.subheader(first)
    if rest:
        st.markdown(" ".join(rest))
    for note in outcome.notes:
        st.info(safe(note))


def _board(outcome: "JointComparison") -> None:
    from recsys_core.experiments.joint_comparison import board

    columns = {
        "title": st.column_config.TextColumn(_("Model"), width=260),
        "experiment": st.column_config.TextColumn(_("Experiment"), width=220),
        "tied": st.column_config.TextColumn(
            _("Tied"), help=_("Models that share a letter do not differ significantly (95%, sign-flip test, Holm).")
        ),
        "mean": st.column_config.NumberColumn(_("Mean"), format="%.4f"),
        "interval": st.column_config.TextColumn(_("95% interval")),
        "users": st.column_config.NumberColumn(_("Users"), format="localized"),
    }
    shown.table(board(outcome), "joint_board", name=_("Joint comparison"), column_config=columns)
