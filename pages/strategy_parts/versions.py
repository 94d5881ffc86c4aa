"""Versions of the open strategy: states, rollback, and what differs from another strategy."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from pages.strategy_parts import draft, saved
from pages.strategy_parts.context import Context
from pages.ui import pending, services, show
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.strategy.cards import Strategy
    from recsys_core.strategy.store import Stored

LONGEST = 2_000
"""Characters of a note in the log."""
RAW = ""
"""Choice of the lists of the model; a strategy always has a name."""


def section(context: Context, evidence: list[str]) -> None:
    """Show the states of the open strategy with their buttons, its log, and the comparison with another strategy.

    Args:
        context: What is shown.
        evidence: Sentences of the decision, kept in the log with a new state.
    """
    st.subheader(_("Versions and states"))
    stored = saved.current()
    if stored is None:
        paragraph("Save the strategy to give it a state and versions.")
    else:
        _states(context, stored, evidence)
        _versions(stored)
    _compare(context)


def _states(context: Context, stored: "Stored", evidence: list[str]) -> None:
    """Show the buttons that change the state of the current version; the evidence must be about that version."""
    from recsys_core.strategy.store import State, version_of

    states: dict[State, str] = {
        "trusted": _("Promote: mark as trusted"),
        "draft": _("Back to draft"),
        "retired": _("Retire"),
    }
    paragraph("Current version: {state}.", state=safe(saved.state_name(stored)))
    if version_of(draft.current(context.run.spec.k)) != stored.current:
        paragraph(
            "Save the changes first: the evidence is about the strategy as edited, not about the current version."
        )
        return
    basis = _("Experiment {run}, model {model}.").format(
        run=context.run.name, model=context.models[context.basis.model]
    )
    note = " ".join([basis, *evidence])[:LONGEST]
    with st.container(horizontal=True, key="strategy_states"), show.errors():
        for name, label in states.items():
            if stored.state != name and st.button(label, key=f"strategy_state_{name}"):
                services.strategies().set_state(stored.id, name, version=stored.current, note=note)
                st.rerun()


def _versions(stored: "Stored") -> None:
    actions = {
        "saved": _("saved"), "renamed": _("renamed"), "state": _("new state"), "rollback": _("rolled back"),
        "recovered": _("recovered"),
    }  # fmt: skip
    numbers = {version: number for number, version in enumerate(stored.versions, start=1)}
    import pandas as pd

    log = pd.DataFrame(
        {
            _("When"): [f"{datetime.fromtimestamp(one.at, UTC).astimezone():%Y-%m-%d %H:%M}" for one in stored.log],
            _("What"): [actions[one.action] for one in stored.log],
            _("Version"): [numbers.get(one.version, 0) for one in stored.log],
            _("State"): [_(one.state) for one in stored.log],
            _("Note"): [one.note for one in stored.log],
        }
    )
    show.table(log.iloc[::-1], "strategy_log", name=_("Log of the strategy"), offer_file=False)
    earlier = {version: _("version {n}").format(n=numbers[version]) for version in stored.versions}
    earlier.pop(stored.current, None)
    if not earlier:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="strategy_rollback"), show.errors():
        version = show.select(_("Earlier version"), earlier, "strategy_earlier", width=200)
        if version is not None and st.button(_("Roll back to it"), key="strategy_roll_back"):
            services.strategies().rollback(stored.id, version)
            saved.reopen(stored.id)


def _compare(context: Context) -> None:
    st.subheader(_("Compare with another strategy"))
    others = strategy_queries.priced_strategies()
    names = {RAW: _("the model alone")} | {name: name for name in others}
    other = others.get(show.select(_("Compared with"), names, "strategy_compared", width=300))
    base = other if other is not None else context.strategy.model_copy(update={"cards": ()})
    _difference(context, base)


def _difference(context: Context, other: "Strategy") -> None:
    from recsys_core.strategy.changes import diff

    changes = diff(other, context.strategy)
    if not changes:
        paragraph("Both strategies do the same.")
        return
    st.markdown("\n".join(f"- {safe(change.sentence)}" for change in changes))
    table = pending.outcome(
        strategy_queries.difference(context.basis, other, context.strategy), _("Comparing the strategies")
    )
    if table is not None:
        from recsys_core.viz.strategy import differences_table

        named = differences_table(table, before=_("Other strategy"), after=_("This strategy"))
        show.table(named, "strategy_difference", name=_("Difference between the strategies"))
