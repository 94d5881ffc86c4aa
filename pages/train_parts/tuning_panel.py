"""The live panel of a tuning: a row per model, the best value so far against the budget, trials, and importance."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.train_parts.job_panel import STATES, headline
from pages.ui import dead_link, pending, services, show, state
from pages.ui.queries import tuning_queries
from pages.ui.text import _, fragment, n_, paragraph, safe, seconds
from recsys_core.errors import RecscopeError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recsys_core.experiments.jobs import JobStatus
    from recsys_core.experiments.tuning.results import Standing
    from recsys_core.experiments.tuning.store import Tuning

WIDTHS = [4, 5, 4]
REFUSED = "tuning_action_refused"
"""Session key of the reason why the last button of a tuning had no effect."""
ACTED = "tuning_acted"
"""Session key: whether a button was pressed whose effect is outside the panel, which alone would be drawn anew."""


def current(fingerprint: str) -> "Tuning | None":
    """Return the tuning in the URL if it belongs to this data set, else the newest one that has not been evaluated.

    A tuning in the URL that cannot be shown is named with the reason.
    """
    found = dead_link.opened(services.tuning_store().open, state.get("tuning"))
    if found is not None and found.spec.experiment.data == fingerprint:
        return found
    if found is not None:
        words = _("Tuning '{name}' belongs to another data set. Choose that data set above to see it.")
        st.warning(words.format(name=safe(found.name)))
    own = [card for card in tuning_queries.cards() if card.data == fingerprint]
    for card in sorted(own, key=lambda one: not one.is_live):
        tuning = tuning_queries.tuning(card.id)
        if tuning is not None and tuning.guard.reading() is None:
            return tuning
    return None


def section(tuning: "Tuning") -> None:
    """Show a tuning under its heading, refreshed once a second while it is live."""
    is_live = any(status.is_live for status in tuning.statuses())
    st.header(_("Current tuning") if is_live else _("Latest tuning"))
    try:
        for key in tuning.spec.models:
            tuning.trials(key)
    except StoreError as error:  # a damaged table of trials does not take the forms below with it
        st.error(safe(error), icon=":material/heart_broken:")
        return
    fragment(_live_panel, run_every=1.0 if is_live else None)(tuning.id, is_live)


def _live_panel(tuning_id: str, drawn_live: bool) -> None:
    tuning = tuning_queries.tuning(tuning_id)
    if tuning is None:
        return
    statuses = tuning_queries.tunings().status(tuning_id)
    is_live = any(status.is_live for status in statuses)
    if st.session_state.pop(ACTED, False) or is_live != drawn_live:
        st.rerun()
    from recsys_core.experiments.tuning.results import standings

    rows = standings(tuning)
    paragraph(
        "**{name}**: {metric}, {budget} per model. {jobs}",
        name=safe(tuning.name),
        metric=safe(_metric_title(tuning)),
        budget=safe(tuning.spec.budget.words),
        jobs=headline(statuses),
    )
    for status, row in zip(statuses, rows, strict=True):
        _model_row(tuning, status, row)
    _buttons(tuning, statuses, is_live)
    _curve(tuning, rows)
    _trials(tuning)


def _model_row(tuning: "Tuning", status: "JobStatus", row: "Standing") -> None:
    """Show one model: name, state, used budget, and its best value beside that of the defaults."""
    with st.container(border=status.is_live, key=f"tuned_{status.key}"):
        name, bar, numbers = st.columns(WIDTHS, vertical_alignment="center")
        words, icon = STATES[str(status.state)]
        name.markdown(f"{icon} **{safe(services.model_title(status.key))}** · {_(words)}")
        budget = tuning.spec.budget
        used = row.used / budget.trials if budget.trials else row.seconds / (budget.seconds or 1.0)
        bar.progress(min(1.0, used), f"{n_('{n} trial', '{n} trials', row.used)} · {seconds(row.seconds)}")
        if row.best is not None:
            first = "-" if row.first is None else f"{row.first:.4f}"
            words = _("best {best} (trial {trial}), defaults {first}")
            numbers.markdown(words.format(best=f"{row.best.value:.4f}", trial=row.best.number, first=first))
        if status.state == "FAILED" and status.reason:
            st.error(safe(status.reason))
        elif status.reason and status.is_live:
            st.warning(safe(status.reason))


def _buttons(tuning: "Tuning", statuses: "list[JobStatus]", is_live: bool) -> None:
    """Show the buttons that are possible: cancel, resume, train the tuned models, open their experiment."""
    if state.is_demo():
        return
    reading = tuning.guard.reading()
    with st.container(horizontal=True, key="tuning_buttons"):
        if is_live:
            asked = all(status.cancel_requested for status in statuses if status.is_live)
            _button("cancel", _("Cancelling…") if asked else _("Cancel tuning"), _cancel, tuning.id, disabled=asked)
        elif reading is not None:
            _button("open", _("Open the experiment of the tuned models"), _open, reading.by)
        else:
            if any(status.state != "DONE" for status in statuses):
                _button("resume", _("Resume tuning"), _resume, tuning.id)
            if tuning.tuned_configs():
                _button("train", _("Train the tuned models"), _train, tuning.id, type="primary")
    if reading is None and not is_live and tuning.tuned_configs():
        paragraph(
            "Training the tuned models evaluates them on the test set, which is read once: afterwards this tuning "
            "cannot be resumed."
        )
    if refused := st.session_state.pop(REFUSED, None):
        st.error(safe(refused))


def _button(name: str, label: str, action: "Callable[[str], None]", argument: str, **options: Any) -> None:
    icons = {"cancel": "stop_circle", "resume": "restart_alt", "train": "play_arrow", "open": "leaderboard"}
    icon = f":material/{icons[name]}:"
    st.button(label, key=f"tuning_{name}", icon=icon, on_click=_attempt, args=(action, argument), **options)


def _attempt(action: "Callable[[str], None]", argument: str) -> None:
    """Run the action of a button; if it is refused, keep the reason."""
    try:
        action(argument)
        st.session_state[ACTED] = True
    except RecscopeError as error:
        st.session_state[REFUSED] = str(error)


def _cancel(tuning_id: str) -> None:
    state.put("tuning", tuning_id)
    tuning_queries.tunings().cancel(tuning_id)


def _resume(tuning_id: str) -> None:
    state.put("tuning", tuning_id)
    tuning_queries.tunings().resume(tuning_id)


def _train(tuning_id: str) -> None:
    state.put("tuning", tuning_id)
    state.choose("run", tuning_queries.tunings().train(tuning_id))


def _open(run_id: str) -> None:
    state.choose("run", run_id)


def _metric_title(tuning: "Tuning") -> str:
    from recsys_core.experiments.leaderboard import metric_title

    return metric_title(tuning.spec.metric)


def _titles(tuning: "Tuning") -> dict[str, str]:
    return {key: services.model_title(key) for key in tuning.spec.models}


def _curve(tuning: "Tuning", rows: "list[Standing]") -> None:
    from recsys_core.experiments.tuning.results import curves
    from recsys_core.viz.tuning import best_so_far, so_far_sentence

    table, titles = curves(tuning), _titles(tuning)
    if table["best"].notna().sum() == 0:
        return
    families = {key: services.model_info(key).family for key in titles}
    metric = _metric_title(tuning)
    in_seconds = tuning.spec.budget.seconds is not None
    show.figure(
        best_so_far(table, titles=titles, families=families, metric=metric, in_seconds=in_seconds),
        key="tuning_curve",
        name=f"{tuning.name} {_('best so far')}",
        sentence=str(so_far_sentence(rows, titles=titles, metric=metric, lower=tuning.spec.lower_is_better)),
        table=table,
    )


def _trials(tuning: "Tuning") -> None:
    """Show the trials of one model, and the importance of its settings."""
    titles = {key: title for key, title in _titles(tuning).items() if tuning.trials(key)}
    if not titles:
        return
    key = show.select(_("Trials of"), titles, "tuning_trials_of", width=380)
    from recsys_core.experiments.tuning.results import trial_table
    from recsys_core.experiments.tuning.rows import ENDINGS

    rows = tuning.trials(key)
    table = trial_table(rows)
    table["ending"] = [_(ENDINGS[row.ending]) for row in rows]
    labels = _labels(key)
    show.table(
        table,
        "tuning_trials_table",
        name=f"{tuning.name} {titles[key]}",
        height=240,
        column_config={
            "number": st.column_config.NumberColumn(_("Trial")),
            "ending": st.column_config.TextColumn(_("State")),
            "value": st.column_config.NumberColumn(_metric_title(tuning), format="%.4f"),
            "seconds": st.column_config.NumberColumn(_("Time, s"), format="%.2f"),
            "epochs": st.column_config.NumberColumn(_("Epochs")),
            "reason": st.column_config.TextColumn(_("Reason")),
            **{name: st.column_config.Column(label) for name, label in labels.items()},
        },
    )
    _importance(tuning, key, titles[key], labels)


def _labels(key: str) -> dict[str, str]:
    from recsys_core.configs import field_specs
    from recsys_core.models.registry import model_class

    return {spec.name: _(spec.label) for spec in field_specs(model_class(key).config_type)}


def _importance(tuning: "Tuning", key: str, title: str, labels: dict[str, str]) -> None:
    """Show the importance of the settings once the model has used its budget or is at rest."""
    from recsys_core.viz.tuning import importance_bars, importance_sentence

    if tuning.job(key).stored_status().state not in ("DONE", "CANCELLED", "FAILED"):
        paragraph("The importance of the settings is shown when this model has used its budget.")
        return
    ticket = tuning_queries.importance(tuning.id, key, tuning.trials(key))
    shares = pending.outcome(ticket, _("Computing the importance of settings"))
    if shares is None:
        return
    sentence = str(importance_sentence(shares, labels=labels, model=title))
    if not shares:
        st.markdown(safe(sentence))
        return
    show.figure(
        importance_bars(shares, labels=labels),
        key="tuning_importance",
        name=f"{tuning.name} {title} {_('importance of settings')}",
        sentence=sentence,
    )
