"""Compare: which model is better, and how certain is that?"""

import streamlit as st

from pages.compare_parts import charts, downloads, leaderboard, microscope, overlap, present, uploaded_lists
from pages.ui import damaged_folders, disagreements, empty_state, lazy_sections, pickers, state, terms, verdict
from pages.ui.frame import ensure_frame
from pages.ui.queries import comparison_queries
from pages.ui.text import _, fragment

USERS_HEIGHT = 900
DATA_WIDTH, RUN_WIDTH = 190, 260
"""Pixels of the pickers, which share a line of 850 pixels with metric and baseline."""
MICROSCOPE_HEIGHT, OVERLAP_HEIGHT = 1400, 320

ensure_frame()

if not state.is_presenting():
    st.title(_("Compare"))
line = pickers.line()
with line:
    data = pickers.dataset("compare", width=DATA_WIDTH)
    run = pickers.experiment("compare", finished=False, width=RUN_WIDTH) if data is not None else None
damaged_folders.show("experiment")
empty_state.card_or_stop(
    data, _("A comparison needs data and trained models. Upload your own data, or open a sample with one click.")
)
if run is None:
    empty_state.stop(
        _("No experiment on this data set yet"),
        _("Train at least two models on the same split; their comparison then appears here."),
        action="train",
    )

verdict.unfinished(run)
results = comparison_queries.results_key(run)
if not results.models:
    empty_state.stop(
        _("No model has finished"),
        _(
            "There is nothing to compare yet. The Train page shows the state of each model and the reason for "
            "each failure."
        ),
        action="train",
        label=_("Open the Train page"),
    )

cutoff = run.spec.k
with line:
    metric, baseline = leaderboard.choices(results, run.spec.metric)
if state.is_presenting():
    present.show(results, metric, baseline, cutoff)
    st.stop()
present.offer()
verdict.sentences(results, metric, baseline)
verdict.question(run)
verdict.fairness(results, metric, baseline)
terms.row("verdict")

st.header(_("Leaderboard"))
selected = leaderboard.table(results, metric, baseline, cutoff)
leaderboard.without_history(results, metric)
leaderboard.beside(results, metric, baseline)
uploaded_lists.section(run)


@fragment
def details() -> None:
    """Draw the lower sections as the user scrolls to them."""
    parts = lazy_sections.Parts()
    st.header(_("Metric microscope"))
    if drawn := parts.draws("microscope", height=MICROSCOPE_HEIGHT, at_once=microscope.is_open()):
        with drawn:
            microscope.section(results, comparison_queries.board(results, metric, baseline), metric, cutoff)
    st.header(_("Charts"))
    charts.all_four(results, metric, baseline, selected, parts)
    st.header(_("Overlap between models"))
    if drawn := parts.draws("overlap", height=OVERLAP_HEIGHT):
        with drawn:
            overlap.section(results, cutoff)
    st.header(_("Users"))
    named = state.came_by_link() and state.get("user") is not None
    if drawn := parts.draws("people", height=USERS_HEIGHT, at_once=named):
        with drawn:
            disagreements.section(results, metric, baseline, cutoff)
    parts.watch()


details()
st.header(_("Download"))
downloads.section(results, metric, baseline)
