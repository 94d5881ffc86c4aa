"""Recommend: what does each model recommend to this user, and what if the history were another one?"""

import streamlit as st

from pages.recommend_parts import cold_start, editing, history_editor, recommendation_lists, shop_window, views
from pages.ui import empty_state, picked, pickers, terms, user_picker, verdict
from pages.ui.frame import ensure_frame
from pages.ui.queries import comparison_queries
from pages.ui.text import _

ensure_frame()

st.title(_("Recommend"))
picked.open_trained()
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
view = views.choose(user)
models = recommendation_lists.models(results, user)
if view == views.SHOP:
    terms.row("recommend")
    shop_window.show(run, results, models, user)
    st.stop()

edited = editing.current(run, user)
terms.show("recommend", terms.PLACES["recommend"] if edited.now.is_edited or user.is_new else ("Cold start",))
left, right = st.columns([1, 2], gap="medium")
with left:
    history_editor.show_editor(edited)
with right:
    if view == views.LADDER:
        cold_start.ladder(results, models, edited, run.spec.k)
    else:
        recommendation_lists.lists(results, models, edited, run.spec.k)
