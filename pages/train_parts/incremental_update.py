"""Incremental update with newer data: what a trained model gains on them, and what it forgets of the original data."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import frame, model_titles, pending, services, show, state
from pages.ui.forms import KEPT
from pages.ui.queries import model_queries
from pages.ui.stored_datasets import NEW
from pages.ui.text import _, count, later, n_, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.experiments.experiment import Run
    from recsys_core.serving.background import Ticket
    from recsys_core.serving.incremental_updates import UpdateReport

STARTED = "update_asked"
"""Session key of the update that was started: experiment, model, newer data, and whether embeddings are frozen."""
CANCELLED = "update_stopped"
"""Session key: whether the last update was cancelled."""
PARTS = {"old": later("Test set of the original data"), "new": later("Last new interaction of each user")}
DOWN = later("{part}: {metric} decreased from {before} to {after}, a loss of {by} ({low} to {high}; {users} users).")
UP = later("{part}: {metric} increased from {before} to {after}, a gain of {by} ({low} to {high}; {users} users).")
SAME = later(
    "{part}: {metric} was {before} and is {after}; no significant difference (between {low} and {high}; {users} users)."
)
UNCHANGED = later("{part}: {metric} stays at {after}, unchanged for each of the {users} users.")
COLUMNS = {
    "part": later("Evaluated on"),
    "users": later("Users"),
    "before": later("Before"),
    "after": later("After"),
    "difference": later("Difference"),
    "low": later("Lower bound"),
    "high": later("Upper bound"),
}


@dataclass(frozen=True)
class _Update:
    """The selected update."""

    run: str
    model: str
    newer: str
    freeze: bool


def section(run: "Run") -> None:
    """Offer an incremental update of the finished models that support it; show nothing if there are none."""
    done = {job.model_id for job in services.job_statuses(run.id) if job.state == "DONE"}
    able = {model.id: model.key for model in run.spec.models if model.id in done and _learns_on(model.key)}
    if not able or state.is_demo():
        return
    with st.expander(_("Update with newer data"), icon=":material/update:", key="update"):
        paragraph(
            "A trained model need not be retrained from scratch when new interactions arrive: a copy of it "
            "is trained further, on the new interactions only. Here you see what it gains on the new data "
            "and what it forgets of the original data. The copy is evaluated and discarded; the stored "
            "model and its experiment do not change."
        )
        others = [card for card in services.cards() if card.fingerprint != run.spec.data]
        if not others:
            paragraph(
                "There is no newer data set yet. Upload a file with later interactions of the same users "
                "on the Data page; it may also contain the original rows."
            )
            return
        _form(run, able, others)


def _learns_on(key: str) -> bool:
    from recsys_core.contracts import Ability

    return Ability.UPDATES_INCREMENTALLY in services.model_info(key).abilities


def _form(run: "Run", able: dict[str, str], others: "list[DatasetCard]") -> None:
    names = {card.fingerprint: card.name for card in others}
    titles = model_titles.titles(run.spec.models)
    with st.container(horizontal=True, vertical_alignment="bottom", key="update_form"):
        models = {model: titles[model] for model in able}
        model = show.select(_("Model"), models, "update_model", width=380, persist_state=KEPT)
        newer = show.select(_("Newer data"), names, "update_newer", width=280, persist_state=KEPT)
        freeze = st.toggle(
            _("Freeze known item embeddings"),
            key="update_freeze",
            persist_state=KEPT,
            help=_(
                "The embeddings of known items stay fixed; embeddings of new items and all other parameters "
                "are trained."
            ),
        )
        update = _Update(run.id, model, newer, freeze)
        if st.button(_("Update a copy"), key="update_start", icon=":material/play_arrow:"):
            st.session_state[STARTED] = update
            st.session_state.pop(CANCELLED, None)
    if st.session_state.get(STARTED) == update:
        _outcome(update, able[model])
    elif st.session_state.get(CANCELLED):
        paragraph("Cancelled. Nothing was changed; *Update a copy* starts again.")


def _outcome(update: _Update, key: str) -> None:
    named = model_queries.Named(str(services.root()), update.run, update.model, key)
    ticket = model_queries.ticket(
        named, "incremental_update", update.newer, update.freeze, newer=update.newer, freeze_embeddings=update.freeze
    )
    report: UpdateReport | None = pending.outcome(ticket, _("Training on the new interactions"))
    if report is None:
        if not ticket.is_done:
            st.button(_("Cancel"), key="update_stop", icon=":material/stop_circle:", on_click=_stop, args=(ticket,))
        return
    words = _("{learned} new interactions were used for training; {users} users and {items} items were new.")
    learned = words.format(learned=count(report.learned), users=count(report.users), items=count(report.items))
    if report.given_away:
        learned += " " + n_(
            "{n} new interaction was left out because it belongs to the original test set.",
            "{n} new interactions were left out because they belong to the original test set.",
            report.given_away,
        )
    st.markdown(learned)
    for row in report.table.to_dict("records"):
        st.markdown(f"**{safe(_finding(row, report.metric))}**")
    table = report.table.drop(columns="different").assign(part=[_(PARTS[one]) for one in report.table["part"]])
    table[["difference", "low", "high"]] += 0.0  # avoids -0
    numbers = {
        name: st.column_config.NumberColumn(_(COLUMNS[name]), format="%d" if name == "users" else "%.4f")
        for name in table.columns
        if name != "part"
    }
    named_column = {"part": st.column_config.TextColumn(_(COLUMNS["part"]))}
    show.table(table, "update_table", name=_("Before and after"), column_config=named_column | numbers)
    paragraph(
        "This copy is not stored. For a model of the new data, upload all rows, old and new, as one data "
        "set and train on it."
    )
    if st.button(_("Upload all rows as one data set"), key="update_to_data", icon=":material/upload_file:"):
        state.put("intake", NEW)
        frame.go("data")


def _stop(ticket: "Ticket[UpdateReport]") -> None:
    """Cancel the running update; it ends at its next batch."""
    ticket.cancel()
    st.session_state.pop(STARTED, None)
    st.session_state[CANCELLED] = True


def _finding(row: dict[Hashable, Any], metric: str) -> str:
    """Return the finding for one test set as a sentence."""
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
