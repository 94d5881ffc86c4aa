"""What the page Attention looks at: a finished example, or a trained model with somebody from the data or made up."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import asking, comparing, empty, finder, persons, pickers, services, state, waiting
from pages.shared.text import _, n_, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.shared.persons import Asked
    from recsys_core.contracts import QueryBatch
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.board import Contender
    from recsys_core.experiments.run import Run
    from recsys_core.explain.attention import Attended
    from recsys_core.explain.attention_effects import Beside
    from recsys_core.explain.attention_file import Example

EXAMPLE, MINE = "example", "mine"
FROM_DATA, BY_HAND = "data", "hand"
LATEST = 3


@dataclass(frozen=True, eq=False)
class Seen:
    """What is looked at.

    Args:
        found: What the model attended to, with names.
        model: Title of the model.
        person: What to call whose history it is, as it came.
        key: Names it in keys and caches: letters, digits, underscores.
        beside: Attention beside influence of the example; None of a trained model, which is asked.
        named: The trained model, None for the example.
        query: What the trained model was asked, None for the example.
        about: Key of the person, for what else is asked about them.
        data: Fingerprint of the data of the trained model.
    """

    found: "Attended"
    model: str
    person: str
    key: str
    beside: "Beside | None" = None
    named: asking.Named | None = None
    query: "QueryBatch | None" = None
    about: str = ""
    data: str = ""


def choose() -> Seen:
    """Show the choice of what is looked at; the page stops where there is nothing yet."""
    return _example() if _source() == EXAMPLE else _trained()


def _source() -> str:
    """Show the choice between the finished example and a trained model; the example leads as long as there is none."""
    if state.get("example") is None and not _has_trained():
        state.put("example", _examples()[0])
    if state.is_demo():
        return EXAMPLE if state.get("example") else MINE

    def switched() -> None:
        state.put("example", _examples()[0] if st.session_state["attention_source"] == EXAMPLE else None)
        st.session_state["attention_mine"] = st.session_state["attention_source"] == MINE

    if st.session_state.get("attention_mine"):
        state.put("example", None)
    st.session_state["attention_source"] = EXAMPLE if state.get("example") else MINE
    st.radio(
        _("What to look at"),
        [EXAMPLE, MINE],
        horizontal=True,
        key="attention_source",
        format_func=lambda one: _("A finished example") if one == EXAMPLE else _("A model that I trained"),
        on_change=switched,
    )
    return str(st.session_state["attention_source"])


def _has_trained() -> bool:
    """Return whether there is a finished model that has attention."""
    return any(
        job == "DONE" and _has_attention(model.rpartition("-")[0])  # the id of a model is its key and a hash
        for card in services.run_cards()
        for model, job in card.states.items()
    )


@st.cache_resource(show_spinner=False)
def _has_attention(key: str) -> bool:
    from recsys_core.contracts import Ability
    from recsys_core.models.registry import model_class

    return Ability.TRACES_ATTENTION in model_class(key).info.abilities


# ------------------------------------------------------------------ the finished example


@st.cache_resource(show_spinner=False)
def _examples() -> list[str]:
    from recsys_core.explain.attention_file import examples

    return examples()


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(key: str) -> "Example":
    from recsys_core.explain.attention_file import read_example

    return read_example(key)


def _example() -> Seen:
    """Show which example and whose history, and say what it is."""
    known = _examples()
    if state.get("example") not in known:
        state.put("example", known[0])
    with pickers.line():
        key = _pick(_("Model"), "attention_example", known, lambda one: _read(one).title, str(state.get("example")))
        state.put("example", key)
        example = _read(key)
        people = list(example.people)
        person = _pick(_("User"), f"attention_example_user_{key}", people, str, people[0])
    st.info(
        _(
            "**This is a finished example:** {model}, trained on the sample '{data}' until it knew the people in it "
            "by heart, reads what user {user} did. Train a model on your own data, and you see the same of it here."
        ).format(model=safe(example.title), data=safe(example.data), user=safe(person)),
        icon=":material/science:",
    )
    name = f"example_{key}_{people.index(person)}"
    called = _("User {user}").format(user=person)
    return Seen(example.people[person], example.title, called, name, example.beside[person])


def _pick(label: str, key: str, options: list[str], title: Any, first: str) -> str:
    if state.is_demo():
        st.markdown(f"{label}: **{safe(title(first))}**", width="content")
        return first
    if st.session_state.get(key) not in options:
        st.session_state[key] = first
    return str(st.selectbox(label, options, format_func=title, key=key, width=320))


# ------------------------------------------------------------------------ a trained model


def _trained() -> Seen:
    """Show the choice of data, experiment, model and person; the page stops until the model has answered."""
    with pickers.line():
        data = pickers.dataset("attention")
        run = pickers.experiment("attention") if data is not None else None
        model = _model(run) if run is not None else None
    if data is None:
        empty.state(
            _("No data yet"),
            _("Bring your own data or take a sample, train a model, and see here what it looks at. "
              "Until then, look at the finished example."),
            action="data",
        )  # fmt: skip
        st.stop()
    if run is None or model is None:
        empty.state(
            _("No model with attention on these data yet"),
            _(
                "Only some models say what they look at: train {models}. Until then, look at the finished example."
            ).format(models=safe(_names_of_those_with_attention())),
            action="train",
        )
        st.stop()
    person = _person(run, services.dataset(run.spec.data))
    return _answer(run, model, person)


def _names_of_those_with_attention() -> str:
    from recsys_core.models.registry import MODELS

    return _(" or ").join(services.model_title(key) for key in MODELS if _has_attention(key))


def _model(run: "Run") -> "Contender | None":
    """Show the choice of a finished model that can show its attention; None if there is none."""
    contenders = {one.id: one for one in comparing.contenders(comparing.ask(run)) if _has_attention(one.key)}
    chosen = pickers.model(list(contenders), lambda one: contenders[one].title, "attention")
    return contenders.get(chosen or "")


def _person(run: "Run", dataset: "Dataset") -> "Asked":
    with st.container(border=True, key="attention_person"):
        kind = FROM_DATA
        if not state.is_demo():
            kind = st.radio(
                _("Whose history?"),
                [FROM_DATA, BY_HAND],
                horizontal=True,
                key="attention_kind",
                format_func=lambda one: _("Somebody from the data") if one == FROM_DATA else _("One built by hand"),
            )
        if kind == BY_HAND:
            return _by_hand(dataset)
        person = persons.of_data(run, dataset, finder.choose(finder.USER, dataset))
        st.markdown(n_("{n} item in the history.", "{n} items in the history.", len(person.history)))
        if len(person.history):
            titles = ", ".join(person.history["title"].head(LATEST))
            st.markdown(_("The latest: {titles}").format(titles=safe(titles)))
            if not state.is_demo():
                st.button(
                    _("Change this history by hand"),
                    key="attention_take_over",
                    on_click=_take_over,
                    args=(person.history["item"].tolist()[::-1],),
                )
        return person


def _take_over(items: list[int]) -> None:
    """Begin a history by hand with what the person did."""
    st.session_state["attention_kind"] = BY_HAND
    st.session_state["attention_items"] = list(dict.fromkeys(items))


def _by_hand(dataset: "Dataset") -> "Asked":
    """Show the search for items and those chosen, in their order; the page stops until there is one."""
    from recsys_core.experiments.people import described_items
    from recsys_core.experiments.serving import query_of_items

    st.markdown(_("Choose items in the order in which this person meets them, oldest first. Each × takes one out."))
    text = st.text_input(_("Search an item by title"), key="attention_search")
    kept = list(st.session_state.get("attention_items", []))
    found = persons.found_items(dataset, text)
    frame = described_items(dataset, [*kept, *(item for item in found if item not in kept)])
    names = dict(zip(frame["item"].tolist(), frame["title"], strict=True))
    chosen = st.multiselect(
        _("Items, oldest first"),
        list(names),
        format_func=names.get,
        key="attention_items",
        placeholder=_("Choose from the items found"),
    )
    if not chosen:
        st.stop()
    st.button(_("Turn the order around"), key="attention_reverse", on_click=_turn_around)
    history = described_items(dataset, chosen)
    liked = dataset.rating_scale.high if dataset.rating_scale is not None else 1.0
    query = query_of_items(history["item"].to_numpy(), history["item"] * 0.0 + liked)
    return persons.Asked(_("A history by hand"), query, history, "by hand " + " ".join(map(str, chosen)), is_new=True)


def _turn_around() -> None:
    st.session_state["attention_items"] = list(st.session_state["attention_items"])[::-1]


def _answer(run: "Run", model: "Contender", person: "Asked") -> Seen:
    """Ask the model; while it is being loaded, a bar."""
    from recsys_core.explain.attention import attended

    named = asking.Named(str(services.root()), run.id, model.id, model.key)
    ticket = asking.ticket(named, "trace", person.key, query=person.query)
    trace = waiting.outcome(ticket, _("Asking the model what it looks at"))
    if trace is None:
        st.stop()
    try:
        found = attended(trace, services.dataset(run.spec.data))
    except RecscopeError as error:
        st.error(safe(error))
        st.stop()
    key = "".join(letter if letter.isalnum() else "_" for letter in f"{model.id}_{person.key}")
    return Seen(
        found, model.title, person.name, key, named=named, query=person.query, about=person.key, data=run.spec.data
    )
