"""Figures and sentences of models of item transitions and of neighboring sessions."""

import math

import pandas as pd
import plotly.graph_objects as go

from recsys_core.explain.view import ViewData
from recsys_core.text import Sentence, Template, _, percent
from recsys_core.viz.bars import named_bars
from recsys_core.viz.theme import BLUE, GREY, ORANGE

TRANSITIONS_AFTER = Template(
    "{count} item follows '{item}' in the training data; the most probable one is '{first}' with {probability}.",
    "{count} items follow '{item}' in the training data; the most probable one is '{first}' with {probability}.",
)
TRANSITIONS_BEFORE = Template(
    "{count} item precedes '{item}' in the training data; '{item}' is most probable after '{first}': {probability}.",
    "{count} items precede '{item}' in the training data; '{item}' is most probable after '{first}': {probability}.",
)
SMOOTHING = Template(
    "Smoothing accounts for {share} of the probability after '{item}' ({total} transitions counted, {smoothing} added)."
)
SESSIONS = Template(
    "{count} neighboring session is used, of at most k = {k}; {holding} of the neighbors contain '{item}', which has a "
    "score of {score}. The most similar one is that of user '{first}' with a weight of {weight}.",
    "{count} neighboring sessions are used, of at most k = {k}; {holding} of the neighbors contain '{item}', which has "
    "a score of {score}. The one with the largest weight is of user '{first}': {weight}.",
)


def transition_bars(transitions: pd.DataFrame) -> go.Figure:
    """Return the probabilities of the transitions from or to an item.

    Args:
        transitions: Columns `title`, `count`, `probability`, `held`; most probable first.
    """
    return named_bars(
        transitions["title"].tolist(),
        transitions["probability"].tolist(),
        colors=[ORANGE if held else BLUE for held in transitions["held"]],
        hover=[_("transitions (weighted): {number}").format(number=f"{n:,.4g}") for n in transitions["count"]],
        x=_("Transition probability (orange: in this user's history)"),
    )


def transitions(view: ViewData) -> Sentence:
    """State the number of transitions from or to an item, and the most probable one."""
    first, facts = view.table.iloc[0], view.facts
    template = TRANSITIONS_AFTER if facts["direction"] == "after" else TRANSITIONS_BEFORE
    return template.fill(
        facts["found"], item=facts["item"], first=str(first["title"]), probability=percent(first["probability"])
    )


def smoothing(view: ViewData) -> Sentence | None:
    """State the share of the probability that is due to smoothing; None for transitions to the item."""
    facts = view.facts
    if facts["direction"] != "after" or math.isnan(facts["smoothed"]):
        return None
    return SMOOTHING.fill(
        share=percent(facts["smoothed"]),
        item=facts["item"],
        total=f"{facts['total']:,.4g}",
        smoothing=f"{facts['smoothing']:g}",
    )


def session_bars(sessions: pd.DataFrame) -> go.Figure:
    """Return the weights of neighboring sessions.

    Args:
        sessions: Columns `title`, `neighbor_weight`, `shared`, `contribution`; the largest weight first.
    """
    return named_bars(
        sessions["title"].tolist(),
        sessions["neighbor_weight"].tolist(),
        colors=[BLUE if added > 0 else GREY for added in sessions["weight"]],
        hover=[
            _("{number:,} items in common").format(number=number) + (f"<br>+{added:.4g}" if added > 0 else "")
            for number, added in zip(sessions["shared"], sessions["weight"], strict=True)
        ],
        x=_("Weight of the neighboring session (blue: contains the item)"),
    )


def sessions(view: ViewData) -> Sentence:
    """State how many neighboring sessions are used, how many contain the item, and the largest weight."""
    first, facts = view.table.iloc[0], view.facts
    return SESSIONS.fill(
        facts["found"],
        k=f"{facts['k']:,}",
        holding=f"{facts['holding']:,}",
        item=facts["item"],
        score=f"{facts['score']:.4g}",
        first=str(facts["nearest"]),
        weight=f"{first['neighbor_weight']:.3g}",
    )
