"""Train: which models are compared, and under which evaluation protocol?"""

import streamlit as st

from pages.train_parts import (
    algorithm_list,
    evaluation_settings,
    incremental_update,
    job_panel,
    launch_bar,
    lesson_choice,
    tuning_form,
    tuning_panel,
)
from pages.ui import damaged_folders, empty_state, pickers, services, state, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _, paragraph

ensure_frame()

st.title(_("Train"))
with pickers.line():
    card = pickers.dataset("train")
card = empty_state.card_or_stop(
    card,
    _(
        "Models are trained on interactions between users and items. Upload your own data, or open a sample "
        "with one click."
    ),
)
dataset = services.dataset(card.fingerprint)

# a container for each part: their number never changes, so a part that grows does not move the inputs of another one,
# which would lose what is being typed
running, protocol, choice, tuning_place = (st.container() for _part in range(4))
with running:
    damaged_folders.show("tuning")
    run = launch_bar.current_run(card.fingerprint)
    is_live = run is not None and any(job.is_live for job in services.job_statuses(run.id))
    if run is not None:
        st.header(_("Current training") if is_live else _("Latest training"))
        job_panel.panel(run)
        launch_bar.next_step(run)
        incremental_update.section(run)
    tuning = tuning_panel.current(card.fingerprint)
    if tuning is not None:
        tuning_panel.section(tuning)
    if state.is_demo() or (is_live and not launch_bar.wants_another()):
        st.stop()

lesson_choice.fill_in(dataset)
with protocol:
    st.header(_("1. Evaluation protocol"))
    rules = evaluation_settings.form(dataset)
    terms.row("protocol")

with choice:
    st.header(_("2. Models"))
    paragraph("The baselines Popularity and Random are always included: a useful model beats both.")
    terms.row("models")
    terms.row("settings", _("Terms of settings:"))
    models = algorithm_list.choose(dataset)

with tuning_place:
    st.header(_("3. Tuning"))
    terms.row("tuning")
    tuning_form.section(dataset, rules, models)

spec = launch_bar.spec(rules, models)
if spec is not None:
    launch_bar.bar(spec, card.name)
