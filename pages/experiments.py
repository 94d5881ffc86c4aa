"""Experiments: what was trained, with which result, and which results can be compared?"""

import streamlit as st

from pages.experiments_parts import chosen_run, data_sets, deleted, joint, run_cards, run_table
from pages.ui import damaged_folders, services, terms
from pages.ui.frame import ensure_frame
from pages.ui.text import _, paragraph

ensure_frame()

st.title(_("Experiments"))
damaged_folders.show("experiment", "tuning")
deleted.notice()
if not services.run_cards():
    run_table.empty()
    run_cards.upload(listed=False)
    deleted.section()
    st.stop()

paragraph("All trainings in this workspace. Select one row to open, annotate or repeat it; select several to compare.")
run_table.show()
terms.row("experiments")
chosen = run_table.chosen()
if len(chosen) == 1:
    chosen_run.show(chosen[0])
elif chosen:
    joint.show(chosen)
st.header(_("Data sets that are alike"))
data_sets.likeness()
st.header(_("Run cards"))
run_cards.upload()
deleted.section()
