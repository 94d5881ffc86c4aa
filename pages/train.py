"""Train: what shall compete, and under which rules?"""

import streamlit as st

from pages.shared import algorithms, empty, jobs, launch, pickers, protocol, services, state, updating
from pages.shared.frame import ensure_frame
from pages.shared.text import _

ensure_frame()

st.title(_("Train"))
with pickers.line():
    card = pickers.dataset("train")
if card is None:
    empty.state(
        _("No data yet"),
        _("Models learn from interactions between users and items. Bring your own, or take a sample with one click."),
        action="data",
    )
    st.stop()
dataset = services.dataset(card.fingerprint)

run = launch.current_run(card.fingerprint)
if run is not None:
    st.header(_("The training under way") if run.is_live else _("The latest training"))
    jobs.panel(run)
    launch.next_step(run)
    updating.section(run)
if state.is_demo() or (run is not None and run.is_live and not launch.wants_another()):
    st.stop()

st.header(_("1. Under which rules?"))
rules = protocol.form(dataset)

st.header(_("2. Which models?"))
st.markdown(_("Popularity and random lists always compete: a model that does not beat them has learned nothing."))
models = algorithms.choose(dataset)

spec = launch.spec(rules, models)
if spec is not None:
    launch.bar(spec, card.name)
