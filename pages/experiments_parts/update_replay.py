"""Update replay of one experiment: a stale, an incrementally updated and a refit model side by side over time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import model_titles, pending, services, show, state
from pages.ui.forms import KEPT
from pages.ui.queries import replay_queries
from pages.ui.text import _, count, n_, paragraph, safe, seconds

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.update_replay import Replay
    from recsys_core.serving.background import Ticket

STARTED, CANCELLED = "replay_started", "replay_cancelled"
"""Session keys: the replay that was started last, and whether it was cancelled."""
AT_FIRST = 3
"""Number of models chosen by default, in the order of the experiment."""
STEPS, SHARE = 6, 30
"""Defaults: number of steps, and percentage of the data in their windows."""


@dataclass(frozen=True)
class _Choice:
    """The chosen models and settings."""

    run: str
    models: tuple[str, ...]
    steps: int
    share: float


def section(run: "Run") -> None:
    """Offer the replay of an experiment with finished models, with its stored results."""
    finished = run.finished()
    if not finished:
        return
    with st.expander(_("Update replay"), icon=":material/update:", key=f"replay_{run.id}", on_change="rerun") as place:
        if not place.open and not state.is_whole():
            return
        paragraph(
            "What does it cost not to update a model? The latest part of the data arrives in steps. At each step, "
            "three versions of a model are evaluated on the interactions that follow: **stale**, trained before the "
            "first step and never again; **incremental update**, trained further on what arrived since the previous "
            "step; **full refit**, trained from scratch on everything before the step. All three see the current "
            "history of each user."
        )
        if (refusal := _refusal(run)) is not None:
            st.info(refusal)
            return
        choice = _form(run, finished)
        if choice is not None:
            _results(run, choice)
        _kept(run)


def _refusal(run: "Run") -> str | None:
    """Return why this experiment cannot be replayed, None if it can."""
    card = services.card(run.spec.data)
    if card is None:
        return _("A replay needs the data of the experiment, which are not in this workspace.")
    if not card.has_timestamps:
        return _("A replay needs timestamps, which these data do not have.")
    return None


def _form(run: "Run", finished: tuple[str, ...]) -> _Choice | None:
    titles = model_titles.titles(run.spec.models)
    able = {one.id: titles[one.id] for one in run.spec.models if one.id in finished and one.has_scores}
    with st.container(horizontal=True, vertical_alignment="bottom", key="replay_form"):
        models = st.multiselect(
            _("Models to replay"),
            list(able),
            default=list(able)[:AT_FIRST],
            format_func=lambda one: able.get(one, ""),
            key=f"replay_models_{run.id}",
            persist_state=KEPT,
            width=420,
        )
        steps = st.number_input(
            _("Steps"), 1, 19, STEPS, key="replay_steps", persist_state=KEPT, width=130,
            help=_("Number of updates and refits of each model."),
        )  # fmt: skip
        share = st.number_input(
            _("Latest data, %"), 5, 90, SHARE, step=5, key="replay_share", persist_state=KEPT, width=150,
            help=_("Share of the interactions, the latest ones, that arrive in the steps."),
        )  # fmt: skip
    if not models:
        paragraph("Select at least one model.")
        return None
    choice = _Choice(run.id, tuple(models), int(steps), int(share) / 100)
    _offer(run, choice)
    return choice


def _offer(run: "Run", choice: _Choice) -> None:
    """Show the estimated time and the button that starts what is not computed yet."""
    missing = [one for one in choice.models if replay_queries.stored(run, one, choice.steps, choice.share) is None]
    if not missing or state.is_demo() or st.session_state.get(STARTED) == choice:
        return
    with show.errors():
        estimate = replay_queries.estimate(run, missing, choice.steps, choice.share)
        words = n_("{n} model", "{n} models", len(missing)) + _(
            ", {trainings} trainings each: about {time}, as measured in this experiment"
        ).format(trainings=choice.steps + 1, time=seconds(estimate.seconds))
        if estimate.updates:
            words += _("; the time of the incremental updates is added")
        with st.container(horizontal=True, vertical_alignment="center", key="replay_offer"):
            started = st.button(
                _("Start the replay"), key="replay_start", type="primary", icon=":material/play_arrow:",
                disabled=bool(estimate.refused),
            )  # fmt: skip
            st.markdown(f"{words}.")
        if estimate.refused:
            st.error(safe(estimate.refused))
        if started:
            st.session_state[STARTED] = choice
            st.session_state.pop(CANCELLED, None)
            st.rerun()
        if st.session_state.get(CANCELLED):
            paragraph("Cancelled. Nothing of the cancelled replay was stored.")


def _results(run: "Run", choice: _Choice) -> None:
    titles = model_titles.titles(run.spec.models)
    found: dict[str, Replay] = {}
    running: list[Ticket[Replay]] = []
    for model_id in choice.models:
        stored = replay_queries.stored(run, model_id, choice.steps, choice.share)
        if stored is None and st.session_state.get(STARTED) == choice:
            ticket = replay_queries.start(run, model_id, choice.steps, choice.share)
            words = _("Replaying {model}").format(model=safe(titles[model_id]))
            stored = pending.outcome(ticket, words, patience=0.0 if running else None)
            if stored is None and not ticket.is_done:
                running.append(ticket)
        if stored is not None:
            found[model_id] = stored
    if running:

        def stop() -> None:
            for ticket in running:
                ticket.cancel()
            st.session_state.pop(STARTED, None)
            st.session_state[CANCELLED] = True

        st.button(_("Cancel"), key="replay_stop", icon=":material/stop_circle:", on_click=stop)
    if found:
        _shown(run, found, {one: titles[one] for one in found})


def _shown(run: "Run", replays: "dict[str, Replay]", titles: dict[str, str]) -> None:
    """Show the replay of one model with its time cursor."""
    from recsys_core.viz import update_replay as pictures

    model_id = next(iter(replays))
    if len(replays) > 1:
        model_id = show.radio(_("Model"), titles, f"replay_shown_{run.id}")
    replay = replays[model_id]
    st.markdown("\n".join(f"- {safe(sentence)}" for sentence in pictures.over_time(replay)))
    if not replay.updates:
        paragraph(
            "{model} has no incremental update here, so it is compared as stale and as refit.",
            model=safe(titles[model_id]),
        )
    step = st.slider(
        _("Time cursor (step)"),
        0,
        replay.settings.steps,
        replay.settings.steps,
        key=f"replay_step_{run.id}_{replay.settings.steps}",
    )
    show.figure(
        pictures.replay_figure(replay, step),
        key="replay_figure",
        name=_("Update replay of {model}").format(model=titles[model_id]),
        table=replay.points,
    )
    paragraph(
        "The bands are 95% intervals of each mean. The differences below are paired over the same users, so they can "
        "be significant although bands overlap."
    )
    _step(replay, step)
    _keep(run, replay, titles[model_id])


def _step(replay: "Replay", step: int) -> None:
    """Show one step: the versions side by side, what differs, and who and what is cold."""
    from recsys_core.viz import update_replay as pictures

    row = replay.at(step)
    words = _("Step {step}, from {day}: {fresh} interactions arrived, {train} before it, {users} users evaluated")
    day, fresh, train, users = pictures.day(row["border"]), *(count(row[name]) for name in ("fresh", "train", "users"))
    st.subheader(words.format(step=step, day=day, fresh=fresh, train=train, users=users))
    columns = {
        "version": st.column_config.TextColumn(_("Version")),
        "mean": st.column_config.TextColumn(replay_queries.metric_title(replay)),
        "interval": st.column_config.TextColumn(_("95% interval")),
        "difference": st.column_config.TextColumn(
            _("Difference to stale"),
            help=_("Paired over the users; the intervals hold at once for all pairs of versions and all steps."),
        ),
        "seconds": st.column_config.TextColumn(_("Seconds")),
        "churn": st.column_config.TextColumn(
            _("List churn"),
            help=_("1 - Jaccard similarity of a user's lists at this step and at the previous one, mean over users."),
        ),
    }
    show.table(
        pictures.step_table(replay, step), "replay_step_table", name=_("Versions at a step"), column_config=columns
    )
    st.markdown("\n".join(f"- {safe(sentence)}" for sentence in pictures.at_step(replay, step)))
    cold = replay.cold[replay.cold["step"] == step].drop(columns="step")
    if len(cold):
        with st.popover(_("Cold users and items"), icon=":material/ac_unit:", key="replay_cold_names"):
            kinds = {"user": _("User"), "item": _("Item")}
            names = {"kind": _("Kind"), "id": _("Identifier"), "title": _("Title"), "tests": _("Test interactions")}
            table = cold.assign(kind=cold["kind"].map(kinds)).rename(columns=names)
            show.table(table, "replay_cold", name=_("Cold users and items"))


def _keep(run: "Run", replay: "Replay", title: str) -> None:
    """Offer to keep the model after its last update."""
    if not replay.updates or state.is_demo():
        return
    if any(one.id == replay_queries.kept_id(replay) for one in replay_queries.kept(run)):
        return
    with show.errors():
        pressed = st.button(
            _("Keep the updated model"), key="replay_keep", icon=":material/save:",
            help=_(
                "{model} after its last update becomes a model of this experiment, which the Recommend page offers. It "
                "has learned from test interactions, so it is not part of the comparison."
            ).format(model=title),
        )  # fmt: skip
        if pressed:
            replay_queries.keep(run, replay)
            st.rerun()


def _kept(run: "Run") -> None:
    """List the kept models, each with a button that removes it."""
    from recsys_core.viz.update_replay import day

    found = replay_queries.kept(run)
    if not found or state.is_demo():
        return
    titles = model_titles.titles(run.spec.models)
    st.markdown("**" + _("Updated models of this experiment") + "**")
    for one in found:
        with st.container(horizontal=True, vertical_alignment="center", key=f"kept_{one.id}"):
            about = _("{model}: {interactions} interactions before {day}").format(
                model=safe(titles[one.model_id]), interactions=count(one.interactions), day=day(one.border)
            )
            st.markdown(f"{about}, " + n_("{n} update", "{n} updates", one.updates), width="stretch")
            if st.button(_("Remove"), key=f"discard_{one.id}", icon=":material/delete:"):
                with show.errors():
                    replay_queries.discard(run, one.id)
                    st.rerun()
