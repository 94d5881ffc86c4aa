"""The three entry points, and the demo behind the second: a sample, four models, a leaderboard."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import frame, services, state
from pages.ui.navigation import has_page
from pages.ui.show import errors
from pages.ui.text import _, fragment, percent, safe, seconds

if TYPE_CHECKING:
    from recsys_core.experiments.jobs import JobStatus

ATTENTION_EXAMPLE = "sasrec"
SHOWN_RUN = "home_demonstration"
"""Session key of the demo experiment; when it ends, the comparison opens."""


def show() -> None:
    """Show three entry points side by side, stacked on a narrow screen."""
    mine, now, look = st.columns(3, gap="medium")
    with (
        mine,
        _entry(_("Compare models on my data"), _("Upload a file of ratings, clicks or purchases, and check it.")),
    ):
        if st.button(_("Upload my data"), key="door_data", icon=":material/upload_file:", width="stretch"):
            state.put("intake", None)
            frame.go("data")
    with now, _entry(_("See a comparison now"), _("One click: a sample, four models, and a leaderboard in seconds.")):
        if st.button(
            _("Run the comparison"), key="door_now", icon=":material/play_arrow:", type="primary", width="stretch"
        ):
            _start()
    with (
        look,
        _entry(_("Explore an example"), _("A sample data set, or the attention weights of a trained model.")),
    ):
        if st.button(_("Explore a sample"), key="door_look", icon=":material/insights:", width="stretch"):
            state.choose("data", services.sample(services.SAMPLE))
            frame.go("explore")
        if st.button(
            _("Open the attention example"), key="door_attention", icon=":material/visibility:", width="stretch"
        ):
            from pages.attention_parts import selection  # imported on click to keep the first page fast

            selection.open_example(ATTENTION_EXAMPLE)
            frame.go("attention")


def _entry(title: str, why: str) -> "st.delta_generator.DeltaGenerator":
    box = st.container(border=True, height="stretch", vertical_alignment="distribute")
    with box.container():
        st.markdown(f"### {title}")
        st.markdown(why)
    return box


def _start() -> None:
    """Store the sample, submit the experiment, and show its progress here."""
    with errors():
        st.session_state[SHOWN_RUN] = services.start_sample_comparison()
        st.rerun()


def demonstration() -> None:
    """Show the progress of the demo, and open the comparison when it has ended."""
    run_id = st.session_state.get(SHOWN_RUN)
    if run_id is None:
        return
    jobs = services.job_statuses(run_id)
    if any(job.is_live for job in jobs):
        fragment(_progress, run_every=0.5)(run_id)
        return
    if any(job.state == "DONE" for job in jobs) and has_page("compare"):
        del st.session_state[SHOWN_RUN]
        frame.go("compare")
    for reason in dict.fromkeys(job.reason for job in jobs if job.reason):
        st.error(safe(reason))


def _progress(run_id: str) -> None:
    jobs = services.job_statuses(run_id)
    if not any(job.is_live for job in jobs):
        st.rerun()
    ended = [job for job in jobs if not job.is_live]
    with st.container(border=True, key="demonstration"):
        st.progress(
            services.share_done(jobs),
            _("{done} of {all} models are done ({share}); the leaderboard opens automatically.").format(
                done=len(ended), all=len(jobs), share=percent(services.share_done(jobs), 0)
            ),
        )
        st.markdown(" · ".join(_job(job) for job in jobs))
        if st.button(_("Cancel"), key="demonstration_stop", icon=":material/stop_circle:"):
            services.cancel_run(run_id)


def _job(job: "JobStatus") -> str:
    icons = {"QUEUED": "hourglass_empty", "RUNNING": "progress_activity", "DONE": "check_circle"}
    time = job.seconds()
    taken = "" if time is None else f" {seconds(time)}"
    return f":material/{icons.get(str(job.state), 'error')}: {safe(services.model_title(job.key))}{taken}"
