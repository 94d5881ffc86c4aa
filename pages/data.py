"""Data: can I trust these data?"""

import streamlit as st

from pages.data_parts import check_files, choose_source, dataset_card
from pages.ui import damaged_folders, services, state, stored_datasets
from pages.ui.frame import ensure_frame
from pages.ui.text import _

ensure_frame()

st.title(_("Data"))
taking = check_files.current()
card = None if state.get("intake") else services.current_card()

shelf, desk = st.columns([1, 3], gap="medium")
with shelf:
    stored_datasets.shelf()
with desk:
    damaged_folders.show("data set")
    if taking is not None:
        check_files.show(taking)
    elif card is not None:
        dataset_card.present(card)
    else:
        choose_source.show()
