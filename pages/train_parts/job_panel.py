"""The live panel of an experiment: one row per model and the training curves of one of them, from the run's files."""

import time
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import model_titles, services, show, state
from pages.ui.text import _, fragment, later, n_, paragraph, safe, seconds
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.jobs import JobStatus

STATES = {
    "RUNNING": (later("running"), ":material/progress_activity:"),
    "QUEUED": (later("queued"), ":material/hourglass_empty:"),
    "FAILED": (later("failed"), ":material/error:"),
    "CANCELLED": (later("cancelled"), ":material/cancel:"),
    "DONE": (later("done"), ":material/check_circle:"),
}
"""Name and icon of each job state, in the order of the rows."""
WIDTHS = [3, 5, 3, 2]
STEPS = {"epochs": later("Epoch")}
"""Axis title of the steps of a stage, where the stage defines one."""
REFUSED = "jobs_refused"
"""Session key of failed button actions: experiment and model -> message."""


def panel(run: "Run") -> None:
    """Show the jobs of an experiment, refreshed once a second from the run's files while one can change."""
    activity = _activity(services.job_statuses(run.id))
    fragment(_live_panel, run_every=1.0 if any(activity) else None)(run.id, activity)


def _activity(jobs: "list[JobStatus]") -> tuple[bool, bool]:
    """Return whether a job is queued or running, and whether one can change."""
    return any(job.is_live for job in jobs), any(job.may_change for job in jobs)


def _live_panel(run_id: str, drawn_for: tuple[bool, bool]) -> None:
    jobs = services.job_statuses(run_id)
    if drawn_for != _activity(jobs):
        st.rerun()
    run = services.run(run_id)
    if run is None:
        return
    _overall(run, jobs)
    titles = model_titles.titles(run.spec.models)
    reports = {job.model_id: _progress(run, job) for job in jobs}
    for job in sorted(jobs, key=lambda one: list(STATES).index(str(one.state))):
        _row(run_id, job, titles[job.model_id], reports[job.model_id])
    _curves(run, reports, titles, next((job.model_id for job in jobs if job.state == "RUNNING"), None))


def _progress(run: "Run", job: "JobStatus") -> "pd.DataFrame":
    """Return the progress of a job; that of one which has ended is read once."""
    if job.is_live or job.ended is None:
        return run.progress(job.model_id)
    return _ended_progress(str(run.path), job.model_id, job.ended, run)


@st.cache_resource(max_entries=256, show_spinner=False)
def _ended_progress(path: str, model_id: str, ended: float, _run: "Run") -> "pd.DataFrame":
    return _run.progress(model_id)


def _overall(run: "Run", jobs: "list[JobStatus]") -> None:
    """Show the number of models per state and, while some are live, one bar for all, weighted by their work."""
    st.markdown(f"**{headline(jobs)}**")
    if any(job.is_live for job in jobs) and not state.is_demo():
        share, left = services.work_left(run, jobs)
        st.progress(share, _("about {time} left").format(time=seconds(left)))


def headline(jobs: "list[JobStatus]") -> str:
    """Return the number of models in each job state, in one line."""
    order = ("QUEUED", "RUNNING", "DONE", "FAILED", "CANCELLED")
    numbers = {STATES[name][0]: sum(job.state == name for job in jobs) for name in order}
    parts = [f"{number} {_(words)}" for words, number in numbers.items() if number]
    return n_("{n} model: ", "{n} models: ", len(jobs)) + ", ".join(parts)


def _row(run_id: str, job: "JobStatus", title: str, progress: "pd.DataFrame") -> None:
    """Show one job: name, state, progress, latest value, and the buttons to cancel or resume it."""
    with st.container(border=job.state != "DONE", key=f"job_{job.model_id}"):
        name, bar, numbers, action = st.columns(WIDTHS, vertical_alignment="center")
        words, icon = STATES[str(job.state)]
        name.markdown(f"{icon} **{safe(title)}** · {_(words)}")
        with bar:
            _bar(job)
        with numbers:
            _latest(progress)
        with action:
            _cancel(run_id, job)
            _start_again(run_id, job)
        if job.state == "FAILED":
            st.error(safe(job.reason or _("It failed without an error message.")))
        elif job.state == "QUEUED" and job.reason:
            st.warning(safe(job.reason))
        elif job.state == "CANCELLED" and job.reason:
            st.markdown(safe(job.reason))
        if refused := st.session_state.get(REFUSED, {}).get((run_id, job.model_id)):
            st.error(safe(refused))
        if job.kept:
            words = n_(
                "A checkpoint after {n} epoch is stored; training resumes from it.",
                "A checkpoint after {n} epochs is stored; training resumes from it.",
                job.kept,
            )
            st.markdown(words)


def _bar(job: "JobStatus") -> None:
    from recsys_core.viz.progress import IN_FOLD, stage_text

    taken = job.seconds()
    if job.state == "RUNNING":
        left = job.seconds_left()
        in_fold = IN_FOLD.fullmatch(job.stage)
        words = _("about {time} left in this stage of the training") if in_fold else _("about {time} left")
        text = " · ".join(
            part
            for part in (
                safe(stage_text(job.stage)) or _("preparing"),
                f"{job.step}/{job.total}" if job.total and job.total > 1 else "",
                seconds(taken) if taken is not None else "",
                _("resumed at epoch {n}").format(n=job.resumed + 1) if job.resumed else "",
                words.format(time=seconds(left)) if left is not None else "",
            )
            if part
        )
        st.progress(job.fraction or 0.0, text)
    elif job.state == "QUEUED":
        paragraph("queued for {time}", time=seconds(max(0.0, time.time() - job.queued)))
    elif taken is not None:
        paragraph("took {time}", time=seconds(taken))


def _latest(progress: "pd.DataFrame") -> None:
    """Show the latest reported value with a sparkline; with several folds, of the current fold."""
    names = curve_names(progress)
    if not names:
        return
    from recsys_core.viz.progress import curve_of, latest_fold, quantity_text, sparkline

    name = quantity_text(names[0])
    values = latest_fold(curve_of(progress, names[0]))["value"]
    picture = sparkline(list(values), label=_("{name} so far").format(name=name))
    st.html(f'<div class="spark">{picture}<br>{escape(name)} {values.iloc[-1]:.4g}</div>')


def _cancel(run_id: str, job: "JobStatus") -> None:
    if not job.is_live or state.is_demo():
        return
    st.button(
        _("Cancelling…") if job.cancel_requested else _("Cancel"),
        key=f"cancel_{job.model_id}",
        icon=":material/stop_circle:",
        disabled=job.cancel_requested,
        on_click=_attempt,
        args=(services.engine().cancel, run_id, job.model_id),
    )


def _start_again(run_id: str, job: "JobStatus") -> None:
    """Offer to resume or restart a failed or cancelled job; one refused for its memory would be refused again."""
    if job.state not in ("FAILED", "CANCELLED") or job.cause == "refused" or state.is_demo():
        return
    st.button(
        _("Resume") if job.kept else _("Train again"),
        key=f"again_{job.model_id}",
        icon=":material/restart_alt:",
        on_click=_attempt,
        args=(services.engine().start_again, run_id, job.model_id),
    )


def _attempt(action: "Callable[[str, str], None]", run_id: str, model_id: str) -> None:
    """Run the action of a button; if it fails, keep the message and show it in the model's row."""
    refused = st.session_state.setdefault(REFUSED, {})
    refused.pop((run_id, model_id), None)
    try:
        action(run_id, model_id)
    except RecscopeError as error:
        refused[run_id, model_id] = str(error)


def curve_names(progress: "pd.DataFrame") -> list[str]:
    """Return the names of the reported values, validation metrics first."""
    names = [name for name in progress.columns if name not in ("time", "stage", "step", "total")]
    reported = (name for name in names if progress[name].notna().any())
    return sorted(reported, key=lambda name: ("validation" not in name, "loss" in name, name))


def _curves(run: "Run", reports: "dict[str, pd.DataFrame]", titles: dict[str, str], running: str | None) -> None:
    """Show all training curves of one selected job; by default, the running one."""
    from recsys_core.viz.progress import course, curve_of, quantity_text, training_curve
    from recsys_core.viz.theme import family_color

    reported = {one: titles[one] for one, report in reports.items() if curve_names(report)}
    if not reported:
        return
    first = list(reported).index(running) if running in reported else 0
    chosen = show.select(_("Training curves of"), reported, "curves_of", index=first, width=380)
    names = curve_names(reports[chosen])
    color = family_color(services.model_info(run.model_spec(chosen).key).family)
    for column, name in zip(st.columns(max(2, len(names))), names, strict=False):
        curve = curve_of(reports[chosen], name)
        step, title = _(STEPS.get(curve["stage"].iloc[0], later("Step"))), quantity_text(name)
        with column:
            show.figure(
                training_curve(curve, name=title, step=step, color=color),
                key=f"curve_{name}",
                name=f"{reported[chosen]} {title}",
                sentence=str(course(curve, name=title)),
                table=curve,
            )
