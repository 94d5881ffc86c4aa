"""Queries for the lists of trained models for an edited history, all computed in the background."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, services
from pages.ui.queries import model_queries
from pages.ui.text import _

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from pages.ui.user_picker import SelectedUser
    from recsys_core.contracts import RunContext
    from recsys_core.serving.background import Ticket
    from recsys_core.serving.what_if import Ladder
    from recsys_core.strategy.cards import Strategy
    from recsys_core.strategy.facts import Facts

PURPOSE = "lists"
"""Threads of their own, so that lists do not wait for the long computations of other pages."""


@dataclass(frozen=True)
class Wanted:
    """Lists to compute.

    Args:
        k: Length of the lists.
        strategy: The strategy that is applied to them; None for the lists of the models.
        data: Fingerprint of the data set.
    """

    k: int
    data: str
    strategy: "Strategy | None" = None


def ticket(model: model_queries.Named, user: "SelectedUser", wanted: Wanted) -> "Ticket[pd.DataFrame]":
    """Return the ticket of a list: `rank`, `item`, `score`, beyond the first k if no strategy is applied."""
    strategy, name = wanted.strategy, ("served", model, user.key, wanted.k, wanted.strategy)

    def compute(ctx: "RunContext") -> "pd.DataFrame":
        frame: pd.DataFrame = model_queries.ask(model, "ranked", ctx, query=user.query, k=wanted.k)
        if strategy is None:
            return frame
        from recsys_core.serving.served_lists import served

        facts = _facts(str(services.root()), wanted.data)
        return served(strategy, frame, user.query, facts, wanted.k, user=user.position)

    return model_queries.pool(model, PURPOSE).ask(name, model.stamp, compute)


@st.cache_resource(max_entries=2, show_spinner=False)
def _facts(root: str, fingerprint: str) -> "Facts":
    """Return what strategies know of a data set."""
    from recsys_core.strategy.facts import Facts

    return Facts(services.dataset(fingerprint))


def ask_all(models: "Iterable[model_queries.Named]", users: "Iterable[SelectedUser]", wanted: Wanted) -> None:
    """Start computing the lists of all models for several states of a history, and wait a moment for them."""
    models = list(models)
    pending.all_of([ticket(model, user, wanted) for user in users for model in models])


def finished(
    models: Mapping[str, model_queries.Named],
    boxes: "Mapping[str, DeltaGenerator]",
    user: "SelectedUser",
    wanted: Wanted,
) -> "dict[str, pd.DataFrame]":
    """Return the finished lists; other models show a progress bar, or why they have none, in their box."""
    found = {}
    for one, model in models.items():
        with boxes[one]:
            frame = pending.outcome(ticket(model, user, wanted), _("Computing recommendations"), 0.0)
        if frame is not None:
            found[one] = frame
    return found


def done(model: model_queries.Named, user: "SelectedUser", wanted: Wanted) -> "pd.DataFrame | None":
    """Return a list that is computed beside those that are shown; None while it is not there or cannot be had."""
    from recsys_core.errors import RecscopeError

    known = ticket(model, user, wanted)
    if not known.is_done:
        return None
    try:
        return known.result()
    except RecscopeError:  # said where the list itself is shown
        return None


def ladder(model: model_queries.Named, user: "SelectedUser", k: int) -> "Ticket[Ladder]":
    """Return the ticket of the lists for the first items of a history."""
    return model_queries.pool(model, PURPOSE).ask(
        ("ladder", model, user.key, k),
        model.stamp,
        lambda ctx: model_queries.ask(model, "ladder", ctx, query=user.query, k=k),
    )
