"""Inside: what has the model learned?"""

import streamlit as st

from pages.inside_parts import selection, views
from pages.ui import empty_state, picked, pickers
from pages.ui.frame import ensure_frame
from pages.ui.queries import comparison_queries
from pages.ui.text import _

ensure_frame()

st.title(_("Inside"))
picked.open_trained()
with pickers.line():
    data = pickers.dataset("inside")
    run = pickers.experiment("inside") if data is not None else None
    results = comparison_queries.results_key(run) if run is not None else None
    model = selection.model(results) if results is not None else None
empty_state.card_or_stop(
    data,
    _("The parameters of a model need data and a trained model. Upload your own data, or open a sample."),
)
if run is None or results is None or model is None:
    empty_state.stop(
        _("No trained model on this data set yet"),
        _("Train at least one model; its parameters and explanations then appear here."),
        action="train",
    )

selection.introduction(run, model)
looked_at = selection.choose(results, run, model)
views.all_of(looked_at)
