"""A trained model that somebody chooses, and what it looks at in a history."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import asking, attention_history, attention_runs, comparing, empty, pickers, services, waiting
from pages.shared.attention_seen import Seen
from pages.shared.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.shared.persons import Asked
    from recsys_core.experiments.board import Contender
    from recsys_core.experiments.run import Run


def choose() -> Seen:
    """Show the choice of data, experiment, model and person; the page stops until the model has answered."""
    with pickers.line():
        data = pickers.dataset(attention_runs.PICKER)
        run = attention_runs.choose(data) if data is not None else None
        model = _model(run) if run is not None else None
    attention_runs.say_passed_over(run)
    if data is None:
        empty.state(
            _("No data yet"),
            _("Bring your own data or take a sample, train a model, and see here what it looks at. "
              "Until then, look at the finished example."),
            action="data",
        )  # fmt: skip
        st.stop()
    if run is None or model is None:
        attention_runs.nothing(data, run)
        st.stop()
    return _answer(run, model, attention_history.choose(run, services.dataset(run.spec.data)))


def _model(run: "Run") -> "Contender | None":
    """Show the choice of a finished model that can show its attention; None if there is none."""
    found = comparing.contenders(comparing.ask(run))
    contenders = {one.id: one for one in found if attention_runs.has_attention(one.key)}
    chosen = pickers.model(list(contenders), lambda one: contenders[one].title, attention_runs.PICKER)
    return contenders.get(chosen or "")


def _answer(run: "Run", model: "Contender", person: "Asked") -> Seen:
    """Ask the model; while it is being loaded, a bar."""
    from recsys_core.experiments.attention_study import reading
    from recsys_core.explain.attention import attended
    from recsys_core.viz.attention_study import reads

    named = asking.Named(str(services.root()), run.id, model.id, model.key)
    ticket = asking.ticket(named, "trace", person.key, query=person.query)
    trace = waiting.outcome(ticket, _("Asking the model what it looks at"))
    if trace is None:
        st.stop()
    dataset = services.dataset(run.spec.data)
    try:
        found = attended(trace, dataset)
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    name = f"{run.id}_{model.id}_{person.key}"
    return Seen(
        found,
        model.title,
        person.name,
        "".join(letter if letter.isalnum() else "_" for letter in name),
        decoding=str(model.result.config.get("decoding", "")),
        reads=reads(reading(run.spec, person.query, trace, has_ratings=dataset.has_ratings)),
        named=named,
        query=person.query,
        about=person.key,
        data=run.spec.data,
    )
