"""Recommend: what would this person see?"""

import streamlit as st

from pages.shared import comparing, empty, people, persons, pickers, serving
from pages.shared.frame import ensure_frame
from pages.shared.text import _, n_

ensure_frame()

st.title(_("Recommend"))
with pickers.line():
    data = pickers.dataset("recommend")
    run = pickers.experiment("recommend") if data is not None else None
if data is None:
    empty.state(
        _("No data yet"),
        _("Recommendations need data and a trained model. Bring your own data, or take a sample with one click."),
        action="data",
    )
    st.stop()
if run is None:
    empty.state(
        _("No trained model on these data yet"),
        _("Train one model or more; then you see here what each of them would show to a person."),
        action="train",
    )
    st.stop()

serving.under_way(run)
asked = comparing.ask(run)
person = persons.choose(run)
models = serving.models(asked, person)

left, right = st.columns([1, 2], gap="medium")
with left:
    st.header(person.name)
    st.markdown(n_("{n} item in the history", "{n} items in the history", len(person.history)))
    people.history(person.history, "recommend_history")
with right:
    serving.lists(asked, models, person, run.spec.k)
