"""The verdict of a comparison in sentences, and unfinished models."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import frame, model_titles, services
from pages.ui.queries import comparison_queries
from pages.ui.text import _, fragment, n_, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey
    from recsys_core.experiments.experiment import Run

WATCH_SECONDS = 2.0


def unfinished(run: "Run") -> None:
    """Show failed models, and queued or running ones; the page reruns when another model finishes."""
    jobs, titles = run.statuses(), model_titles.titles(run.spec.models)
    for job in jobs:
        if job.state == "FAILED":
            reason = job.reason or _("It failed without an error message.")
            st.warning(f"**{safe(titles[job.model_id])}**: {safe(reason)}", icon=":material/error:")
    if any(job.is_live for job in jobs):
        fragment(_watch, run_every=WATCH_SECONDS)(run.id, sum(job.is_live for job in jobs))


def _watch(run_id: str, live: int) -> None:
    """Show the number of queued or running models until it changes."""
    now = sum(job.is_live for job in services.job_statuses(run_id))
    if now != live:
        st.rerun()
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="compare_live"):
        st.markdown(
            ":material/progress_activity: "
            + n_(
                "{n} model is still queued or running and not in this comparison.",
                "{n} models are still queued or running and not in this comparison.",
                live,
            )
        )
        if st.button(_("Open the Train page"), key="compare_to_train"):
            frame.go("train")


def sentences(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show the verdict; if no comparison is possible, say so and stop the page."""
    try:
        comparison = comparison_queries.comparison(results, metric, baseline)
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    first, *rest = (safe(sentence) for sentence in comparison.verdict)
    with st.container(border=True, key="verdict"):
        st.header(first)
        if rest:
            st.markdown(" ".join(rest))


def question(run: "Run") -> None:
    """Show what the experiment asks, as one paragraph."""
    from recsys_core.experiments.question_text import question_sentences

    st.markdown(" ".join(safe(sentence) for sentence in question_sentences(run.spec)))


def fairness(results: "ResultsKey", metric: str, baseline: str) -> None:
    """Show the findings of the protocol check: refusals and warnings first, notes on request."""
    found = comparison_queries.findings(results, metric, baseline)
    boxes = {"refusal": (st.error, ":material/block:"), "warning": (st.warning, ":material/warning:")}
    for finding in found:
        if finding.severity in boxes:
            box, icon = boxes[finding.severity]
            box(safe(finding.sentence), icon=icon)
    remarks = [finding for finding in found if finding.severity not in boxes]
    if not found:
        st.success(_("The protocol check found no problems."), icon=":material/check_circle:")
    if remarks:
        with st.expander(n_("{n} further note on the protocol", "{n} further notes on the protocol", len(remarks))):
            st.markdown("\n".join(f"- {safe(finding.sentence)}" for finding in remarks))
