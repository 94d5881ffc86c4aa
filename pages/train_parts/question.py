"""The question of an experiment as a form: which events are predicted and learned from, for whom, by which metric."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services, show, terms
from pages.ui.forms import KEPT
from pages.ui.text import _, count, safe

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.suggestion import Suggestion

TARGET, LEARNED, WEIGHT, SPLIT = "question_target", "question_learned", "question_weight", "protocol_split"
"""Keys of widgets; those of events end in the data set, whose events they offer."""
SUGGESTED = "question_suggested"
"""Session key of the split that was suggested for each data set seen, in order."""
FIRST_SPLIT = "ratio"
"""The split shown while the suggestion is computed."""


def form(dataset: "Dataset") -> dict[str, Any]:
    """Show what is predicted, learned, and for whom; return the fields of an `ExperimentSpec`."""
    from recsys_core.experiments.suggestion import suggest

    ticket = services.ask(lambda _ctx: suggest(dataset), "suggested question", dataset.fingerprint)
    values: dict[str, Any] = {}
    with st.container():  # one element, so that those below it keep what is being typed
        suggestion = pending.outcome(ticket, _("Computing the suggestion"))
        if suggestion is not None:
            _use_at_first(suggestion, dataset.fingerprint)
            values = _events(suggestion, dataset.fingerprint) if len(suggestion.events) > 1 else {}
            _offer(suggestion, dataset.fingerprint)
    users, fallback, seeds = st.columns(3, gap="medium")
    with users:
        values["users"] = show.select(
            _("Users that the verdict is about"),
            {
                "with_history": _("users with training history"),
                "without_history": _("users without training history"),
                "all": _("all test users"),
            },
            "question_users",
            persist_state=KEPT,
            help=_(
                "Models can personalize only for users with training history. If the verdict is about them, the others "
                "are reported separately."
            ),
        )
    with fallback:
        values["fallback"] = show.select(
            _("Users whom a model cannot serve"),
            {"none": _("get no list"), "popularity": _("get popular items")}
            | ({"recent_popularity": _("get recently popular items")} if dataset.has_timestamps else {}),
            "question_fallback",
            persist_state=KEPT,
            help=_("Lists of test users for whom a model has no score, for example because they have no history."),
        )
    with seeds:
        values["seeds"] = st.number_input(
            _("Trainings per model"),
            1,
            20,
            1,
            key="question_seeds",
            persist_state=KEPT,
            help=_(
                "Models that depend on the seed are trained this many times, and the verdict includes the variation "
                "between trainings. One is enough for a first look; use 3 to 5 for a decision."
            ),
        )
    return values


def _events(suggestion: "Suggestion", data: str) -> dict[str, Any]:
    """Show the choice of events with their weights; all events without a target are the data as they are."""
    names = {name: f"{name} ({count(event.count)})" for name, event in suggestion.events.items()}
    predicted, learned = st.columns(2, gap="medium")
    with predicted:
        target = st.multiselect(
            _("Predict"),
            list(names),
            format_func=names.__getitem__,
            key=f"{TARGET}_{data}",
            persist_state=KEPT,
            placeholder=_("all interactions"),
            help=_(
                "Only these events are test cases. An item can be recommended until the user has this event with it."
            ),
        )
    if not target:
        return {}
    # not as `default`: Streamlit warns of one where `_use` has set the state
    st.session_state.setdefault(f"{LEARNED}_{data}", list(suggestion.task.learn_from or names))
    with learned:
        chosen = st.multiselect(
            _("Learn from"),
            list(names),
            format_func=names.__getitem__,
            key=f"{LEARNED}_{data}",
            persist_state=KEPT,
            help=_("Events that models are trained on. Their weights matter to models for implicit feedback."),
        )
    if not chosen:
        st.error(_("Select at least one event to learn from."))
        st.stop()
    weights = {}
    with st.container(horizontal=True, key="question_weights"):
        for name in chosen:
            weights[name] = st.number_input(
                _("Weight of {event}").format(event=safe(name)),
                0.01,
                1000.0,
                max(0.01, suggestion.events[name].weight),
                key=f"{WEIGHT}_{data}_{name}",
                width=180,
                persist_state=KEPT,
            )
    terms.row("events")
    return {"target": target, "learn_from": weights}


def _use_at_first(suggestion: "Suggestion", data: str) -> None:
    """Fill in the suggestion on the first view of a data set, unless the user has chosen a split by then."""
    seen = st.session_state.setdefault(SUGGESTED, {})
    if data in seen:
        return
    filled_in = next(reversed(seen.values()), None)
    seen[data] = suggestion.split
    if st.session_state.get(SPLIT, filled_in) == filled_in or st.session_state.get(SPLIT) == FIRST_SPLIT:
        _use(suggestion, data)


def choose_split(split: str, data: str) -> None:
    """Select a split; the suggestion for this data set does not replace it."""
    st.session_state.setdefault(SUGGESTED, {})[data] = split
    st.session_state[SPLIT] = split


def _is_used(suggestion: "Suggestion", data: str) -> bool:
    target = tuple(st.session_state.get(f"{TARGET}_{data}", ()))
    return st.session_state.get(SPLIT) == suggestion.split and target == tuple(suggestion.task.target)


def _offer(suggestion: "Suggestion", data: str) -> None:
    """Show the suggested question with its reasons, and a button that fills it in unless it is in use."""
    with st.container(border=True, key="question_suggestion"):
        is_used = _is_used(suggestion, data)
        st.markdown("**" + (_("Set by default for these data") if is_used else _("Suggested for these data")) + "**")
        reasons = [str(reason) for reason in (suggestion.why_task, suggestion.why_split) if reason is not None]
        st.markdown("\n".join(f"- {safe(reason)}" for reason in reasons))
        if not is_used:
            st.button(_("Use the suggestion"), key="question_use", on_click=_use, args=(suggestion, data))


def _use(suggestion: "Suggestion", data: str) -> None:
    st.session_state[SPLIT] = suggestion.split
    st.session_state[f"{TARGET}_{data}"] = list(suggestion.task.target)
    if suggestion.task.target:
        st.session_state[f"{LEARNED}_{data}"] = list(suggestion.task.learn_from)
