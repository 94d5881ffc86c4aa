"""Truth mode: offline metric, off-policy estimate and true value side by side, on the bundled shop."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.strategy_parts.policy_choice import how_shown
from pages.ui import pending, services, show, state
from pages.ui.queries import off_policy_queries
from pages.ui.text import _, count, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.truth_mode import RunTruth

MODELS = ("popular", "item_knn", "ease")
VISITORS = (500, 2000, 8000)


def section(run: "Run | None", strategies: "Mapping[str, tuple[Any, Any]]", strategies_key: Hashable) -> None:
    """Draw truth mode for an experiment on the shop; else say what to do."""
    paragraph(
        "In the bundled shop, the true reward of any list is known. So one sees what an offline metric tells about it, "
        "and what an off-policy estimate tells."
    )
    if run is None or not off_policy_queries.is_shop(run.spec.data):
        _offer()
        return
    if not run.finished():
        paragraph("No model of this experiment has finished yet.")
        return
    settings = _settings()
    found = pending.outcome(
        off_policy_queries.truth(run, strategies, strategies_key, settings), _("Simulating visitors")
    )
    if found is not None:
        _result(found)


def _offer() -> None:
    paragraph("It needs models that were trained on the sample *Home goods shop*.")
    if state.is_demo():
        return
    if st.button(_("Train three models on the shop"), type="primary", key="ope_truth_train"):
        with show.errors():
            fingerprint = services.sample("shop")
            run_id = services.submit_models(fingerprint, MODELS)
            state.choose("data", fingerprint)
            state.choose("run", run_id)
            st.rerun()


def _settings() -> tuple[str, float, str, int, int]:
    """Return how lists are shown, its strength, the reward, the number of visitors, and the seed."""
    from recsys_core.viz.off_policy import REWARD_NAMES

    with st.container(horizontal=True, key="ope_truth_line"):
        rewards = {name: _(words) for name, words in REWARD_NAMES.items()}
        reward = show.select(_("Reward"), rewards, "ope_truth_reward", index=1, width=200)
        visitors = show.select(
            _("Visitors of the log"), {one: count(one) for one in VISITORS}, "ope_truth_visitors", index=1, width=200
        )
        seed = st.number_input(_("Seed of the log"), 0, 9999, 1, key="ope_truth_seed", width=160)
    return (*how_shown("ope_truth"), reward, visitors, int(seed))


def _result(measured: "RunTruth") -> None:
    from recsys_core.evaluation.off_policy.estimators import TITLES
    from recsys_core.viz.off_policy import named_policies, offline_figure, truth_figure

    for sentence in measured.sentences:
        st.markdown(safe(sentence))
    estimator = show.radio(
        _("Estimator"), {name: _(words) for name, words in TITLES.items()}, "ope_truth_estimator", index=len(TITLES) - 1
    )
    table = named_policies(measured.table)
    show.figure(
        truth_figure(measured.table, estimator),
        "ope_truth_figure",
        name=_("Estimates and true values"),
        alt=_("Off-policy estimates with 95% intervals, and true values, by policy"),
        table=table,
    )
    if len(measured.table["offline"].dropna()) > 1:
        from recsys_core.experiments.leaderboard import metric_title

        st.subheader(_("Offline metric and true value"))
        show.figure(
            offline_figure(measured.table, metric_title(measured.metric)),
            "ope_truth_offline",
            name=_("Offline metric and true value"),
            table=table,
        )
    paragraph(
        "{visitors} simulated visitors with {impressions} impressions; {users} users have a list of every model.",
        visitors=count(measured.result.visitors),
        impressions=count(measured.result.impressions),
        users=count(measured.result.users),
    )
