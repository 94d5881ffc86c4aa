"""What the Attention page shows: a finished example, or a trained model with a user or custom history."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.attention_parts import history, runs
from pages.ui import empty_state, pending, picked, pickers, services, show, state
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.ui.user_picker import SelectedUser
    from recsys_core.contracts import QueryBatch
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.explain.attention import Attended
    from recsys_core.explain.attention_effects import Beside
    from recsys_core.explain.attention_file import Example
    from recsys_core.text import Sentence

EXAMPLE, MINE = "example", "mine"
WANTS_MINE = "attention_mine"
"""Session key: trained models are selected, whether there are any or not."""
MARK = "."
"""Separator of algorithm and user in the URL of an example."""


@dataclass(frozen=True, eq=False)
class Seen:
    """An attention trace with its context.

    Args:
        attended: Attention weights with item titles.
        model: Title of the model.
        user: Display name of the user, unescaped.
        key: Identifies the trace in keys and caches: letters, digits, underscores.
        decoding: How a sequence decoder makes its lists (`one_step`, `greedy`, `beam`); else empty.
        reads: How much of the history the model uses, None if all.
        beside: Attention and influence of the example; None for a trained model, where it is computed.
        named: The trained model, None for the example.
        query: Input of the trained model, None for the example.
        about: Cache key of the user.
        data: Fingerprint of the data of the trained model.
    """

    attended: "Attended"
    model: str
    user: str
    key: str
    decoding: str = ""
    reads: "Sentence | None" = None
    beside: "Beside | None" = None
    named: model_queries.Named | None = None
    query: "QueryBatch | None" = None
    about: str = ""
    data: str = ""


def choose() -> Seen:
    """Show the choice of the source; the page stops where there is nothing yet."""
    _open_picked()
    return _example() if _source() == EXAMPLE else trained()


def _open_picked() -> None:
    """Open a trained model that a link asks for; without one, the finished example of the same algorithm."""
    choices = picked.requested()
    if not choices:
        return
    picked.open_trained()
    if state.get("pick") is None:
        state.put("example", None)
        st.session_state[WANTS_MINE] = True
    elif choices[0].key in _examples():
        open_example(choices[0].key)
        state.put("pick", None)


def open_example(key: str) -> None:
    """Make the page open on a finished example, whatever was shown before."""
    state.put("example", key)
    st.session_state.pop(WANTS_MINE, None)


def _source() -> str:
    """Show the choice between the finished example and a trained model.

    An explicit choice wins; otherwise the example is shown until there is a trained model.
    """
    wants_mine = bool(st.session_state.get(WANTS_MINE)) and not state.get("example")
    first = EXAMPLE if state.get("example") or not (wants_mine or runs.has_any()) else MINE
    if state.is_demo():
        return first
    st.session_state["attention_source"] = first

    def switched() -> None:
        if st.session_state["attention_source"] == EXAMPLE:
            open_example(_examples()[0])
        else:
            state.put("example", None)
            st.session_state[WANTS_MINE] = True

    names = {EXAMPLE: _("A finished example"), MINE: _("A trained model")}
    show.radio(_("Source"), names, "attention_source", on_change=switched)
    return first


@st.cache_resource(show_spinner=False)
def _examples() -> list[str]:
    from recsys_core.explain.attention_file import examples

    return examples()


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(key: str) -> "Example":
    from recsys_core.explain.attention_file import read_example

    return read_example(key)


def _example() -> Seen:
    """Show the pickers of example and user, which are in the URL, and what the example is."""
    from recsys_core.viz.attention import learned

    known = _examples()
    named, _mark, user = (state.get("example") or "").partition(MARK)
    key = named if named in known else known[0]
    users = list(_read(key).traces)
    if (named and named != key) or (user and user not in users):
        st.warning(
            _("Example '{name}' does not exist; another one is shown.").format(name=safe(state.get("example") or ""))
        )
    user = user if user in users else users[0]
    with pickers.line():
        pickers.pick(_("Model"), "attention_example", known, key, lambda one: _(_read(one).title), open_example)
        widget = f"attention_example_user_{key}"
        pickers.pick(_("User"), widget, users, user, str, lambda one: open_example(f"{key}{MARK}{one}"))
    example = _read(key)
    found = example.traces[user]
    st.info(
        _(
            "**This is a finished example:** {model}, trained on the sample '{data}', with the history of user "
            "{user}. {known} Train a model on your own data to see the same charts for it."
        ).format(model=safe(_(example.title)), data=safe(example.data), user=safe(user), known=safe(learned(found))),
        icon=":material/science:",
    )
    return Seen(
        found,
        _(example.title),
        _("User {user}").format(user=user),
        f"example_{key}_{users.index(user)}",
        decoding=str(example.facts["settings"].get("decoding", "")),
        beside=example.beside[user],
    )


def trained() -> Seen:
    """Show the choice of data set, experiment, model and user; the page stops until the trace is computed."""
    with pickers.line():
        data = pickers.dataset(runs.PICKER)
        run = runs.choose(data) if data is not None else None
        model = _model(run) if run is not None else None
    runs.say_passed_over(run)
    data = empty_state.card_or_stop(
        data,
        _(
            "Upload your own data or open a sample, and train a model with attention. Until then, open the "
            "finished example."
        ),
    )
    if run is None or model is None:
        runs.nothing(data, run)
        st.stop()
    return _answer(run, model, history.choose(run, services.dataset(run.spec.data)))


def _model(run: "Run") -> "Contender | None":
    """Show the choice of a finished attention model; None if there is none."""
    found = comparison_queries.trained(comparison_queries.results_key(run))
    contenders = {one.id: one for one in found if runs.has_attention(one.key)}
    chosen = pickers.model(list(contenders), lambda one: contenders[one].title, runs.PICKER)
    return contenders.get(chosen or "")


def _answer(run: "Run", model: "Contender", user: "SelectedUser") -> Seen:
    """Compute the trace; a progress bar until it is there."""
    from recsys_core.experiments.training_part import reading
    from recsys_core.explain.attention import attended
    from recsys_core.viz.attention_study import reads

    named = model_queries.named(run.id, model)
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
