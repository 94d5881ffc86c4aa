"""Update with newer data: what a trained model gains there, and what it forgets of the old ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import algorithm_cards, frame, pending, services, show, state
from pages.ui.forms import KEPT
from pages.ui.queries import model_queries
from pages.ui.stored_datasets import NEW
from pages.ui.text import _, count, later, n_, safe

if TYPE_CHECKING:
    from recsys_core.data.workspace import DatasetCard
    from recsys_core.experiments.experiment import Run
    from recsys_core.serving.background import Ticket
    from recsys_core.serving.incremental_updates import UpdateReport

ASKED = "update_asked"
"""Where the session keeps what was started: experiment, model, newer data, and whether known vectors stay."""
STOPPED = "update_stopped"
"""Where the session keeps that the last update was stopped."""
PARTS = {"old": later("The test part of the old data"), "new": later("The last new step of each person")}
DOWN = later("{part}: {metric} went from {before} to {after}, a loss of {by} ({low} to {high}; {users} people).")
UP = later("{part}: {metric} went from {before} to {after}, a gain of {by} ({low} to {high}; {users} people).")
SAME = later(
    "{part}: {metric} was {before} and is {after}; with {users} people, that cannot be told from chance "
    "(between {low} and {high})."
)
UNCHANGED = later("{part}: {metric} stays at {after}, the same for each of the {users} people.")
COLUMNS = {
    "part": later("Asked about"),
    "users": later("People"),
    "before": later("Before"),
    "after": later("After"),
    "difference": later("Difference"),
    "low": later("At least"),
    "high": later("At most"),
}


@dataclass(frozen=True)
class _Wanted:
    """What was chosen."""

    run: str
    model: str
    newer: str
    freeze: bool


def section(run: "Run") -> None:
    """Offer the finished models that can learn on, if there are any; nothing else is shown otherwise."""
    able = {model.id: model.key for model in run.spec.models if model.id in run.finished() and _learns_on(model.key)}
    if not able or state.is_demo():
        return
    with st.expander(_("Update with newer data"), icon=":material/update:", key="update"):
        st.markdown(
            _(
                "A trained model need not begin anew when more data come in: a copy of it goes on learning from what "
                "is new. Here you see what it gains on the new data, and what it forgets of the old ones. The copy is "
                "made to be judged and is not kept; the stored model and its experiment stay as they are."
            )
        )
        others = [card for card in services.cards() if card.fingerprint != run.spec.data]
        if not others:
            st.markdown(
                _(
                    "There are no newer data yet. Bring a file with what the same people did later on the page Data; "
                    "it may hold the old rows, too."
                )
            )
            return
        _form(run, able, others)


def _learns_on(key: str) -> bool:
    from recsys_core.contracts import Ability
    from recsys_core.models.registry import model_class

    return Ability.UPDATES_INCREMENTALLY in model_class(key).info.abilities


def _form(run: "Run", able: dict[str, str], others: "list[DatasetCard]") -> None:
    names = {card.fingerprint: card.name for card in others}
    titles = algorithm_cards.titles(run.spec.models)
    with st.container(horizontal=True, vertical_alignment="bottom", key="update_form"):
        model = st.selectbox(
            _("Model"),
            list(able),
            format_func=titles.get,
            key="update_model",
            width=380,
            persist_state=KEPT,
        )
        newer = st.selectbox(
            _("Newer data"), list(names), format_func=names.get, key="update_newer", width=280, persist_state=KEPT
        )
        freeze = st.toggle(
            _("Leave known items as they are"),
            key="update_freeze",
            persist_state=KEPT,
            help=_(
                "The vectors of items that the model knew stay; what is new, and how histories are read, is learned."
            ),
        )
        wanted = _Wanted(run.id, model, newer, freeze)
        if st.button(_("Learn on"), key="update_start", icon=":material/play_arrow:"):
            st.session_state[ASKED] = wanted
            st.session_state.pop(STOPPED, None)
    if st.session_state.get(ASKED) == wanted:
        _outcome(wanted, able[model])
    elif st.session_state.get(STOPPED):
        st.markdown(_("Stopped. Nothing was changed; *Learn on* begins anew."))


def _outcome(wanted: _Wanted, key: str) -> None:
    named = model_queries.Named(str(services.root()), wanted.run, wanted.model, key)
    ticket = model_queries.ticket(
        named, "learn_on", wanted.newer, wanted.freeze, newer=wanted.newer, freeze_embeddings=wanted.freeze
    )
    found: UpdateReport | None = pending.outcome(ticket, _("Learning from what is new"))
    if found is None:
        if not ticket.is_done:
            st.button(
                _("Stop learning"), key="update_stop", icon=":material/stop_circle:", on_click=_stop, args=(ticket,)
            )
        return
    words = _("{learned} new interactions were learned; {users} people and {items} items were not known before.")
    learned = words.format(learned=count(found.learned), users=count(found.users), items=count(found.items))
    st.markdown(learned + (f" {_given_away(found.given_away)}" if found.given_away else ""))
    for row in found.table.to_dict("records"):
        st.markdown(f"**{safe(_said(row, found.metric))}**")
    table = found.table.drop(columns="different").assign(part=[_(PARTS[one]) for one in found.table["part"]])
    table[["difference", "low", "high"]] += 0.0  # no minus before a zero
    numbers = {
        name: st.column_config.NumberColumn(_(COLUMNS[name]), format="%d" if name == "users" else "%.4f")
        for name in table.columns
        if name != "part"
    }
    named_column = {"part": st.column_config.TextColumn(_(COLUMNS["part"]))}
    show.table(table, "update_table", name=_("Before and after"), column_config=named_column | numbers)
    st.markdown(
        _(
            "This copy is not kept. For a model that knows the new data, bring all rows in as one data set, old and "
            "new together, and train on that."
        )
    )
    if st.button(_("Bring all rows in as one data set"), key="update_to_data", icon=":material/upload_file:"):
        state.put("intake", NEW)
        frame.go("data")


def _given_away(number: int) -> str:
    """Return in words how many new interactions were not learned, and why."""
    return n_(
        "{n} new interaction was not learned: it is an answer that the old test part asks for.",
        "{n} new interactions were not learned: they are answers that the old test part asks for.",
        number,
    )


def _stop(ticket: "Ticket[UpdateReport]") -> None:
    """Give up what is under way; the work ends at its next batch."""
    ticket.give_up()
    st.session_state.pop(ASKED, None)
    st.session_state[STOPPED] = True


def _said(row: dict[str, object], metric: str) -> str:
    """Return in words what became of one part."""
    from recsys_core.evaluation.sentences import rounded
    from recsys_core.experiments.leaderboard import metric_title

    difference, low, high = (float(str(row[name])) for name in ("difference", "low", "high"))
    if low == high == 0:
        words = UNCHANGED
    elif row["different"] and difference < 0:
        words, difference, low, high = DOWN, -difference, -high, -low
    else:
        words = UP if row["different"] else SAME
    before, after = (rounded(float(str(row[name])), low, high) for name in ("before", "after"))
    by, least, most = (rounded(value, low, high) for value in (difference, low, high))
    return _(words).format(
        part=_(PARTS[str(row["part"])]), metric=metric_title(metric), before=before, after=after, by=by, low=least,
        high=most, users=count(float(str(row["users"]))),
    )  # fmt: skip
