"""Inside: what has the model learned?"""

import streamlit as st

from pages.shared import comparing, empty, inside_pictures, inside_subject, pickers
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Inside"))
with pickers.line():
    data = pickers.dataset("inside")
    run = pickers.experiment("inside") if data is not None else None
    asked = comparing.ask(run) if run is not None else None
    model = inside_subject.model(asked) if asked is not None else None
if data is None:
    empty.state(
        _("No data yet"),
        _(
            "There is nothing to look into without data and a trained model. Bring your own data, or take a sample "
            "with one click."
        ),
        action="data",
    )
    st.stop()
if run is None or asked is None or model is None:
    empty.state(
        _("No trained model on these data yet"),
        _("Train one model or more; then you see here what each of them has learned."),
        action="train",
    )
    st.stop()

inside_subject.introduction(run, model)
looked_at = inside_subject.choose(asked, run, model)
inside_pictures.all_of(looked_at)
