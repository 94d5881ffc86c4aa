"""From the form to a running experiment: the spec, its cost estimate, the Train button, and the next step."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic import ValidationError

from pages.ui import dead_link, frame, model_titles, presses, services, show, state
from pages.ui.queries import tuning_queries
from pages.ui.text import _, n_, safe, seconds, size

if TYPE_CHECKING:
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.spec import ExperimentSpec


START_PRESSED, COMPARE_PRESSED = "train_start_pressed", "train_compare_pressed"
ALWAYS_IN_SIGHT = """<style>
:has(> .st-key-train_bar) { position: sticky; bottom: 0.5rem; z-index: 10; }
.st-key-train_bar { background: var(--st-background-color, Canvas); }
</style>"""
"""Keeps the bar at the lower edge of the window while the form is scrolled."""


def current_run(fingerprint: str) -> "Run | None":
    """Return the experiment in the URL if it belongs to this data set, else a live one of this data set.

    An experiment in the URL that cannot be shown is named with the reason.
    """
    run = dead_link.opened(services.store().open, state.get("run"))
    if run is not None and run.spec.data == fingerprint:
        return run
    if run is not None:  # else the page would have followed the experiment to its data
        words = _("Experiment '{name}' belongs to a data set that is not in this workspace.")
        st.warning(words.format(name=safe(run.name)))
    live = (card.id for card in services.run_cards() if card.is_live and card.data == fingerprint)
    return services.run(next(live, None))


def wants_another() -> bool:
    """While an experiment is running, show a switch; return whether another experiment is set up meanwhile."""
    return st.toggle(_("Set up another experiment while this one runs"), key="train_another")


def spec(rules: dict[str, Any], models: list[dict[str, Any]]) -> "ExperimentSpec | None":
    """Return the experiment that the form describes; if it is invalid, show why and return None."""
    from recsys_core.configs import problems
    from recsys_core.experiments.spec import ExperimentSpec

    if rules["split"]["kind"] == "uploaded" and not rules["split"].get("test_data"):
        return None
    try:
        with show.errors():
            return tuning_queries.with_tunings(ExperimentSpec.model_validate(rules | {"models": models}))
    except ValidationError as error:
        st.error(safe(f"{problems(error)}."))
    return None


def bar(wanted: "ExperimentSpec", data_name: str) -> None:
    """Show the number of models with estimated time and memory, and the Train button or why training is refused."""
    estimate = services.engine().estimate(wanted)
    st.html(ALWAYS_IN_SIGHT)
    with st.container(border=True, key="train_bar"):
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.markdown(
            "**"
            + n_("{n} model", "{n} models", len(wanted.models))
            + _(", about {time}, {memory} of memory").format(
                time=seconds(estimate.seconds), memory=size(estimate.bytes)
            )
            + "**"
            + _configuration_titles(wanted)
        )
        button.button(
            _("Train"), type="primary", key="train_start", disabled=bool(estimate.refused), width="stretch",
            icon=":material/play_arrow:", on_click=presses.note, args=(START_PRESSED,),
        )  # fmt: skip
        if estimate.refused:
            st.error(safe(f"{estimate.refused} {estimate.alternative or ''}"))
    if presses.was_noted(START_PRESSED) and not estimate.refused:
        _start(wanted, data_name)


def _configuration_titles(wanted: "ExperimentSpec") -> str:
    """Return the titles of models with several configurations, on a line of their own."""
    times = Counter(model.key for model in wanted.models)
    several = [model for model in wanted.models if times[model.key] > 1]
    return f"  \n{safe(' · '.join(model_titles.titles(several).values()))}" if several else ""


def _start(wanted: "ExperimentSpec", data_name: str) -> None:
    with show.errors():
        run_id = services.engine().submit(wanted, data_name=data_name)
        state.choose("run", run_id)
        state.put("seed", str(wanted.seed))
        st.rerun()


def next_step(run: "Run") -> None:
    """Show the button that opens the comparison once a model is done."""
    if not any(job.state == "DONE" for job in services.job_statuses(run.id)):
        return
    st.button(
        _("Open the comparison"), type="primary", key="train_compare", icon=":material/leaderboard:",
        on_click=presses.note, args=(COMPARE_PRESSED,),
    )  # fmt: skip
    if presses.was_noted(COMPARE_PRESSED):
        frame.go("compare")
