"""A selected trained model and its attention over a history."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.attention_parts import history, runs
from pages.attention_parts.trace import Seen
from pages.ui import empty_state, pending, pickers, services
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.ui.user_picker import SelectedUser
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender


def choose() -> Seen:
    """Show the choice of data set, experiment, model and user; the page stops until the trace is computed."""
    with pickers.line():
        data = pickers.dataset(runs.PICKER)
        run = runs.choose(data) if data is not None else None
        model = _model(run) if run is not None else None
    runs.say_passed_over(run)
    data = empty_state.card_or_stop(
        data,
        _(
            "Upload your own data or load a sample, and train a model with attention. Until then, open the "
            "finished example."
        ),
    )
    if run is None or model is None:
        runs.nothing(data, run)
        st.stop()
    return _answer(run, model, history.choose(run, services.dataset(run.spec.data)))


def _model(run: "Run") -> "Contender | None":
    """Show the choice of a finished attention model; None if there is none."""
    found = comparison_queries.contenders(comparison_queries.results_key(run))
    contenders = {one.id: one for one in found if runs.has_attention(one.key)}
    chosen = pickers.model(list(contenders), lambda one: contenders[one].title, runs.PICKER)
    return contenders.get(chosen or "")


def _answer(run: "Run", model: "Contender", user: "SelectedUser") -> Seen:
    """Compute the trace; a progress bar until it is there."""
    from recsys_core.experiments.training_part import reading
    from recsys_core.explain.attention import attended
    from recsys_core.viz.attention_study import reads

    named = model_queries.Named(str(services.root()), run.id, model.id, model.key)
    ticket = model_queries.ticket(named, "trace", user.key, query=user.query)
    trace = pending.outcome(ticket, _("Computing attention"))
    if trace is None:
        st.stop()
    dataset = services.dataset(run.spec.data)
    try:
        found = attended(trace, dataset)
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    name = f"{run.id}_{model.id}_{user.key}"
    return Seen(
        found,
        model.title,
        user.name,
        "".join(letter if letter.isalnum() else "_" for letter in name),
        decoding=str(model.result.config.get("decoding", "")),
        reads=reads(reading(run.spec, user.query, trace, has_ratings=dataset.has_ratings)),
        named=named,
        query=user.query,
        about=user.key,
        data=run.spec.data,
    )
