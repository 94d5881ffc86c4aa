"""Re-run and diff: start a repetition, and show how its results differ from those of the experiment."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import model_titles, pending, services, show
from pages.ui.queries import experiment_queries
from pages.ui.text import _, fragment, paragraph, percent, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.rerun import ModelDifference, RunDifference

FAILED = "experiments_rerun_failed"
BOXES = {
    "same": (st.success, ":material/check_circle:"),
    "expected": (st.info, ":material/info:"),
    "unknown": (st.warning, ":material/help:"),
    "different": (st.error, ":material/difference:"),
}
WATCH_SECONDS = 1.0


def button(run: "Run") -> None:
    """Show the button that starts a repetition."""

    def start() -> None:
        try:
            experiment_queries.start_rerun(run)
        except RecscopeError as error:
            st.session_state[FAILED] = str(error)

    st.button(
        _("Re-run and diff"),
        key=f"rerun_{run.id}",
        icon=":material/replay:",
        on_click=start,
        disabled=run.is_live or not run.finished(),
        help=_(
            "Trains all models again with the same settings and compares every number. Deterministic models must give "
            "a difference of 0."
        ),
    )


def section(run: "Run") -> None:
    """Show the difference to the latest repetition, or its progress."""
    if words := st.session_state.pop(FAILED, None):
        st.error(safe(words))
    others = experiment_queries.repetitions(run)
    if not others:
        return
    st.subheader(_("Re-run and difference"))
    by_id = {other.id: other for other in reversed(others)}
    names = {one: f"{other.created:%Y-%m-%d %H:%M}{_imported(other)}" for one, other in by_id.items()}
    chosen = show.select(_("Other run"), names, f"rerun_other_{run.id}", width=320) if len(others) > 1 else others[0].id
    other = by_id[chosen]
    if other.is_live:
        fragment(_progress, run_every=WATCH_SECONDS)(other.id)
    elif other.finished():
        found = pending.outcome(experiment_queries.difference(run, other), _("Computing the difference"))
        if found is not None:
            _difference(run, found)
    else:
        st.warning(_("No model of the re-run has finished."))


def _imported(run: "Run") -> str:
    return " · " + _("opened from a run card") if run.imported else ""


def _progress(run_id: str) -> None:
    jobs = services.job_statuses(run_id)
    if not any(job.is_live for job in jobs):
        st.rerun()
    share = services.share_done(jobs)
    st.progress(share, _("Training again: {share}").format(share=percent(share, 0)))
    if st.button(_("Cancel"), key=f"rerun_cancel_{run_id}", icon=":material/stop_circle:"):
        services.cancel_run(run_id)


def _difference(run: "Run", outcome: "RunDifference") -> None:
    from recsys_core.experiments.difference_sentences import sentence, severity

    titles = model_titles.titles(run.spec.models)
    if outcome.identical:
        words = _("Difference 0: all metrics, the values of all users and all lists of all {n} models are identical.")
        st.success(words.format(n=len(outcome.models)), icon=BOXES["same"][1])
    for model in () if outcome.identical else outcome.models:
        box, icon = BOXES[severity(model)]
        box(safe(sentence(model, titles, run.spec.metric)), icon=icon)
    for missing in outcome.missing:
        st.warning(_("{model} has finished in only one of the runs.").format(model=safe(titles[missing])))
    with st.expander(_("All differences"), key=f"difference_all_{outcome.first}_{outcome.second}"):
        models = {model.model_id: titles[model.model_id] for model in outcome.models}
        chosen = show.select(_("Model"), models, f"difference_model_{outcome.first}_{outcome.second}")
        _model(next(model for model in outcome.models if model.model_id == chosen))
        _environment(outcome)


def _model(model: "ModelDifference") -> None:
    if model.lists_differ:
        words = _("{n} of {all} lists differ in an item or its rank.")
        st.markdown(words.format(n=model.lists_differ, all=model.lists))
    columns = {
        "metric": st.column_config.TextColumn(_("Metric")),
        "first": st.column_config.NumberColumn(_("This run"), format="%.6g"),
        "second": st.column_config.NumberColumn(_("Other run"), format="%.6g"),
        "difference": st.column_config.NumberColumn(_("Difference"), format="%.3g"),
        "band": st.column_config.NumberColumn(
            _("Band"),
            format="%.3g",
            help=_("95% of differences between re-runs with other random numbers are smaller; 0 if deterministic."),
        ),
        "users": st.column_config.NumberColumn(_("Users that differ")),
        "largest": st.column_config.NumberColumn(_("Largest difference of a user"), format="%.3g"),
    }
    show.table(model.metrics, f"difference_{model.model_id}", name=_("Difference per metric"), column_config=columns)
    if len(model.users):
        st.markdown("**" + _("Users that differ") + "**")
        show.table(model.users, f"difference_users_{model.model_id}", name=_("Difference per user"))


def _environment(outcome: "RunDifference") -> None:
    if outcome.environment.empty:
        paragraph("Versions and machine are the same.")
        return
    st.markdown("**" + _("Differences in versions and machine") + "**")
    names = {"what": _("What"), "first": _("This run"), "second": _("Other run")}
    show.table(outcome.environment.rename(columns=names), "difference_environment", name=_("Versions and machine"))
