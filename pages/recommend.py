"""Recommend: which items does each model recommend to this user?"""

import streamlit as st

from pages.recommend_parts import recommendation_lists
from pages.ui import disagreements, empty_state, pickers, user_picker, verdict
from pages.ui.frame import ensure_frame
from pages.ui.queries import comparison_queries
from pages.ui.text import _, n_

ensure_frame()

st.title(_("Recommend"))
with pickers.line():
    data = pickers.dataset("recommend")
    run = pickers.experiment("recommend") if data is not None else None
empty_state.card_or_stop(
    data, _("Recommendations need data and a trained model. Upload your own data, or open a sample.")
)
if run is None:
    empty_state.stop(
        _("No trained model on this data set yet"),
        _("Train at least one model; its recommendations for any user then appear here."),
        action="train",
    )

verdict.unfinished(run)
results = comparison_queries.results_key(run)
user = user_picker.choose(run)
models = recommendation_lists.models(results, user)

left, right = st.columns([1, 2], gap="medium")
with left:
    st.header(user.name)
    st.markdown(n_("{n} item in the history", "{n} items in the history", len(user.history)))
    disagreements.history(user.history, "recommend_history")
with right:
    recommendation_lists.lists(results, models, user, run.spec.k)
