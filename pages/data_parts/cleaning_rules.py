"""The rules for duplicate and invalid rows as a form; every change immediately updates the counts."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.data_parts import upload_session
from pages.data_parts.table_roles import pick
from pages.ui.text import _, count, later, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.ingest.cleaning_rules import IngestRules
    from recsys_core.data.ingest.table_schema import TableGuess
    from recsys_core.serving.uploads import Draft, Intake

MOST_EVENTS = 12
DUPLICATES = {
    "last": later("keep the latest"),
    "mean": later("average the ratings"),
    "sum": later("sum the weights"),
    "keep": later("keep all"),
    "refuse": later("reject the data set"),
}
RANGE = {
    "reject": later("reject the row"),
    "clip": later("clip to the scale"),
    "keep": later("keep the rating"),
}
TIMES = {"reject": later("reject the row"), "keep": later("keep the row without a timestamp")}


def show(taking: "Intake", draft: "Draft", guesses: "list[TableGuess]") -> None:
    """Show the rules that apply to these files."""
    interactions = [guess for guess in guesses if guess.table == "interactions"]
    try:
        rules = upload_session.rules(draft, guesses)
    except RecscopeError as error:
        st.error(safe(error))
        if st.button(_("Reset to the suggested rules"), key="rules_reset"):
            upload_session.change_draft(taking, rules={})
            st.rerun()
        return
    with st.container(border=True, key="rules"):
        paragraph("**Rules for duplicate and invalid rows**")
        with st.container(horizontal=True):
            _choice(taking, rules, "duplicates", _("Duplicate user-item pairs"), DUPLICATES)
            if any("timestamp" in guess.roles for guess in interactions):
                _choice(taking, rules, "bad_timestamps", _("Invalid timestamps"), TIMES)
            if any("rating" in guess.roles for guess in interactions):
                _choice(taking, rules, "out_of_range", _("Ratings outside the scale"), RANGE)
                _number(taking, rules, "rating_low", _("Scale min."), step=0.5)
                _number(taking, rules, "rating_high", _("Scale max."), step=0.5)
                _missing_ratings(taking, rules)
            _number(taking, rules, "min_user", _("Min. interactions per user"), step=1)
            _number(taking, rules, "min_item", _("Min. interactions per item"), step=1)
        _events(taking, rules, interactions)


def _events(taking: "Intake", rules: "IngestRules", interactions: "list[TableGuess]") -> None:
    """Show the event types of a column with a weight for each."""
    kinds: dict[str, int] = {}
    for guess in interactions:
        for kind, n in guess.event_counts().items():
            kinds[kind] = kinds.get(kind, 0) + n
    if not kinds:
        return
    paragraph("**Event weights**, with the number of events in the first rows")
    with st.container(horizontal=True):
        for kind in sorted(kinds, key=lambda one: -kinds[one])[:MOST_EVENTS]:
            key = f"event_weight_{taking.id}_{kind}"
            st.session_state[key] = float(rules.event_weights.get(kind, 1.0))
            st.number_input(
                f"{safe(kind)} ({count(kinds[kind])})",
                min_value=0.0,
                max_value=1000.0,
                step=0.5,
                key=key,
                width=160,
                on_change=lambda kind=kind, key=key: upload_session.change_event_weight(
                    taking, rules, kind, st.session_state[key]
                ),
            )


def _missing_ratings(taking: "Intake", rules: "IngestRules") -> None:
    """Show the ratings that mean 'not rated', such as -1."""
    key = f"rule_{taking.id}_missing_ratings"
    st.session_state[key] = ", ".join(f"{value:g}" for value in rules.missing_ratings)
    st.text_input(
        _("Ratings treated as missing"),
        key=key,
        max_chars=60,
        width=200,
        placeholder=_("-1, 99, …"),
        help=_("These interactions are kept without a rating."),
        on_change=lambda: upload_session.change_rule(
            taking, "missing_ratings", st.session_state[key].replace(",", " ").split()
        ),
    )


def _choice(taking: "Intake", rules: "IngestRules", name: str, label: str, words: dict[str, str]) -> None:
    key, value = f"rule_{taking.id}_{name}", getattr(rules, name)
    pick(label, key, value, words, lambda chosen: upload_session.change_rule(taking, name, chosen), width=240)


def _number(taking: "Intake", rules: "IngestRules", name: str, label: str, *, step: Any) -> None:
    key = f"rule_{taking.id}_{name}"
    st.session_state[key] = getattr(rules, name)
    whole = isinstance(step, int)
    st.number_input(
        label,
        value=None,
        min_value=0 if whole else None,
        max_value=1_000_000 if whole else None,
        step=step,
        key=key,
        width=220 if whole else 110,
        on_change=lambda: upload_session.change_rule(taking, name, st.session_state[key]),
    )
