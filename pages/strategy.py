"""Strategy: what are users shown, and what does each rule cost?"""

import streamlit as st

from pages.strategy_parts import ab_test, off_policy, saved, workbench
from pages.ui import damaged_folders, empty_state, pickers, terms, verdict
from pages.ui.frame import ensure_frame
from pages.ui.text import _, paragraph

ensure_frame()

st.title(_("Strategy"))
with pickers.line():
    data = pickers.dataset("strategy", width=workbench.WIDTH)
    run = pickers.experiment("strategy", width=workbench.WIDTH) if data is not None else None
damaged_folders.show("strategy")
SECTIONS = {"cards": _("Cards and prices"), "off_policy": _("Off-policy evaluation"), "ab": _("A/B test")}
section = st.segmented_control(
    _("Section"), list(SECTIONS), default="cards", format_func=lambda one: SECTIONS[one], key="strategy_section",
    label_visibility="collapsed", required=True,
)  # fmt: skip
if section == "off_policy":
    terms.row("off_policy")
    lists = saved.lists_for(run)
    off_policy.show_off_policy(run, strategies=lists.by_name, strategies_key=lists.key)
    st.stop()
if section == "ab":
    terms.row("ab_test")
    ab_test.show_ab_test(run)
    st.stop()

paragraph("A strategy turns the list of a model into what users are shown, card by card. Each card has its price.")
empty_state.card_or_stop(data, _("A strategy needs data and a trained model. Upload your own data, or open a sample."))
if run is None:
    empty_state.stop(
        _("No trained model on this data set yet"),
        _("Train at least one model; a strategy then reorders its lists, without any further training."),
        action="train",
    )
verdict.unfinished(run)
terms.row("cards")
workbench.section(run)
