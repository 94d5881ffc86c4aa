"""The exploration simulator: what exploring costs and earns in the bundled shop."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show
from pages.ui.queries import off_policy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.evaluation.off_policy.exploration import Exploration

STEPS = (1000, 5000, 20_000)


def section() -> None:
    """Draw the settings and the curves."""
    from recsys_core.viz.off_policy import EXPLORATION_NAMES

    paragraph(
        "A policy that learns from its own clicks has to show items about which it knows little. Regret is what it "
        "loses against the best item of each segment. Users of the bundled shop arrive one by one, and one item is "
        "shown to each."
    )
    names = {name: _(words) for name, words in EXPLORATION_NAMES.items()}
    chosen = st.multiselect(
        _("Policies"),
        list(names),
        default=["epsilon", "thompson", "random"],
        format_func=lambda one: names.get(one, ""),
        key="ope_explore_policies",
    )
    with st.container(horizontal=True, key="ope_explore_line"):
        steps = show.select(_("Users"), {one: f"{one:,}" for one in STEPS}, "ope_explore_steps", index=1, width=160)
        seeds = st.slider(_("Seeds"), 2, 50, 20, key="ope_explore_seeds", width=220)
        epsilon = st.slider(_("Epsilon"), 0.0, 1.0, 0.1, 0.01, key="ope_explore_epsilon", width=220)
        temperature = st.slider(
            _("Temperature (reward)"), 0.01, 0.5, 0.05, 0.01, key="ope_explore_temperature", width=220
        )
    rewards = {"click": _("Clicks"), "purchase": _("Purchases")}
    reward = show.radio(_("Reward"), rewards, "ope_explore_reward")
    if not chosen:
        paragraph("Choose at least one policy.")
        return
    strengths = {"epsilon": epsilon, "softmax": temperature}
    policies = tuple((name, strengths.get(name, 1.0)) for name in names if name in chosen)
    curves = pending.outcome(off_policy_queries.curves(policies, steps, seeds, reward, 1), _("Simulating users"))
    if curves is None:
        return
    _result(curves)


def _result(curves: "Mapping[str, Exploration]") -> None:
    from recsys_core.viz.off_policy import regret_figure, regret_sentence

    show.figure(regret_figure(curves), "ope_regret", name=_("Cumulative regret"), sentence=str(regret_sentence(curves)))
    show.figure(
        regret_figure(curves, reward=True),
        "ope_reward",
        name=_("Cumulative reward"),
        alt=_("Cumulative reward of each policy with 95% bands"),
    )
    st.markdown(safe(_("Source: Sutton and Barto 2018, chapter 2; Chapelle and Li 2011.")))
