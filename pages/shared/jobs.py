"""The live panel of an experiment: a row a model, and the curves of one of them, all read from the run's folder."""

import time
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import services, show, state
from pages.shared.text import _, later, n_, safe, seconds

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.experiments.jobs import JobStatus
    from recsys_core.experiments.store import Run

STATES = {
    "QUEUED": (later("waiting"), ":material/hourglass_empty:"),
    "RUNNING": (later("training"), ":material/progress_activity:"),
    "DONE": (later("done"), ":material/check_circle:"),
    "FAILED": (later("failed"), ":material/error:"),
    "CANCELLED": (later("cancelled"), ":material/cancel:"),
}
WIDTHS = [3, 5, 3, 2]


def panel(run: "Run") -> None:
    """Show the jobs of an experiment; while one of them is live, once a second, from the files of the run."""
    live = run.is_live
    st.fragment(_live_panel, run_every=1.0 if live else None)(run.id, live)


def _live_panel(run_id: str, was_live: bool) -> None:
    jobs = services.job_statuses(run_id)
    if was_live and not any(job.is_live for job in jobs):
        st.rerun()
    st.markdown(f"**{headline(jobs)}**")
    run = services.run(run_id)
    for job in jobs:
        _row(run_id, job, run.progress(job.model_id) if run else None)
    if run is not None:
        _curves(run, jobs)


def headline(jobs: "list[JobStatus]") -> str:
    """Return how many models are done, and how the others stand, in one line."""
    words = []
    for name in STATES:
        number = sum(job.state == name for job in jobs)
        if number:
            words.append(f"{number} {_(STATES[name][0])}")
    return n_("{n} model: ", "{n} models: ", len(jobs)) + ", ".join(words)


def _row(run_id: str, job: "JobStatus", progress: "pd.DataFrame | None") -> None:
    """Show one job: name and state, bar, time, latest number, and the button that stops it."""
    with st.container(border=True, key=f"job_{job.model_id}"):
        name, bar, numbers, action = st.columns(WIDTHS, vertical_alignment="center")
        words, icon = STATES[str(job.state)]
        name.markdown(f"{icon} **{safe(services.model_title(job.key))}** · {_(words)}")
        with bar:
            _bar(job)
        with numbers:
            _latest(job, progress)
        with action:
            _cancel(run_id, job)
            _start_again(run_id, job)
        if job.state == "FAILED":
            st.error(safe(job.reason or _("It stopped without saying why.")))
        elif job.state == "CANCELLED" and job.reason:
            st.markdown(safe(job.reason))
        if job.kept:
            words = n_(
                "Its training was kept after {n} epoch and goes on from there.",
                "Its training was kept after {n} epochs and goes on from there.",
                job.kept,
            )
            st.markdown(words)


def _bar(job: "JobStatus") -> None:
    taken = job.seconds()
    if job.state == "RUNNING":
        left = job.seconds_left()
        text = " · ".join(
            part
            for part in (
                safe(job.stage) or _("getting ready"),
                f"{job.step}/{job.total}" if job.total and job.total > 1 else "",
                seconds(taken) if taken is not None else "",
                _("resumed at epoch {n}").format(n=job.resumed + 1) if job.resumed else "",
                _("about {time} left").format(time=seconds(left)) if left is not None else "",
            )
            if part
        )
        st.progress(job.fraction or 0.0, text)
    elif job.state == "QUEUED":
        st.markdown(_("waiting for {time}").format(time=seconds(max(0.0, time.time() - job.queued))))
    elif taken is not None:
        st.markdown(_("took {time}").format(time=seconds(taken)))


def _latest(job: "JobStatus", progress: "pd.DataFrame | None") -> None:
    """Show the latest reported number with its course so far."""
    names = curve_names(progress)
    if not names:
        return
    from recsys_core.viz.progress import sparkline

    values = progress[names[0]].dropna()
    picture = sparkline(list(values), label=_("{name} so far").format(name=names[0]))
    st.html(f'<div class="spark">{picture}<br>{escape(names[0])} {values.iloc[-1]:.4g}</div>')


def _cancel(run_id: str, job: "JobStatus") -> None:
    if not job.is_live or state.is_demo():
        return
    st.button(
        _("Stopping…") if job.cancel_requested else _("Cancel"),
        key=f"cancel_{job.model_id}",
        icon=":material/stop_circle:",
        disabled=job.cancel_requested,
        on_click=services.engine().cancel,
        args=(run_id, job.model_id),
    )


def _start_again(run_id: str, job: "JobStatus") -> None:
    """Offer another attempt of a job that failed or was stopped; one that needs too much memory would not be let in."""
    if job.state not in ("FAILED", "CANCELLED") or job.cause == "refused" or state.is_demo():
        return
    pressed = st.button(
        _("Go on") if job.kept else _("Start again"), key=f"again_{job.model_id}", icon=":material/restart_alt:"
    )
    if pressed:
        services.engine().start_again(run_id, job.model_id)
        st.rerun()


def curve_names(progress: "pd.DataFrame | None") -> list[str]:
    """Return the numbers that a training reported, those of the validation part first."""
    if progress is None:
        return []
    names = [name for name in progress.columns if name not in ("time", "stage", "step", "total")]
    reported = (name for name in names if progress[name].notna().any())
    return sorted(reported, key=lambda name: ("validation" not in name, "loss" in name, name))


def _curves(run: "Run", jobs: "list[JobStatus]") -> None:
    """Show all curves of one job, chosen from those that reported any."""
    from recsys_core.models.registry import model_class
    from recsys_core.viz.progress import training_curve
    from recsys_core.viz.theme import family_color

    frames = {job.model_id: run.progress(job.model_id) for job in jobs}
    reported = {job.model_id: services.model_title(job.key) for job in jobs if curve_names(frames[job.model_id])}
    if not reported:
        return
    chosen = st.selectbox(
        _("Curves of"), list(reported), format_func=lambda one: reported[one], key="curves_of", width=320
    )
    names = curve_names(frames[chosen])
    color = family_color(model_class(run.model_spec(chosen).key).info.family)
    for column, name in zip(st.columns(max(2, len(names))), names, strict=False):
        curve = frames[chosen][["step", name]].dropna().rename(columns={name: "value"})
        with column:
            show.figure(
                training_curve(curve, name=name, step=_("Epoch"), color=color),
                key=f"curve_{name}",
                name=f"{reported[chosen]} {name}",
                sentence=_("{name} went from {first:.4g} to {last:.4g}.").format(
                    name=name, first=curve["value"].iloc[0], last=curve["value"].iloc[-1]
                ),
                table=curve,
            )
