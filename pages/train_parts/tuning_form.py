"""The form of a tuning: which models, by which metric, and the budget that each of them gets."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import presses, show, state
from pages.ui.forms import KEPT
from pages.ui.queries import tuning_queries
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.tuning.spec import TuningSpec

METRICS = ("ndcg", "recall", "precision", "mrr", "hit_rate")
"""Metrics at the list length of the protocol; the first one is the default."""
RATING_METRICS = ("rmse", "mae")
MINUTES = (0.1, 10_000.0, 5.0)
TRIALS = (1, 1000, 20)
"""Smallest, largest and first budget."""
PRESSED, REFUSED = "tuning_start_pressed", "tuning_refused"
"""Session keys of the press, and of the reason why the last tuning was not started."""


def section(dataset: "Dataset", rules: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """Show the form and its button.

    Args:
        dataset: The data set.
        rules: The evaluation protocol: fields of an `ExperimentSpec`.
        models: The selected models, which are tuned by default.
    """
    paragraph(
        "Tuning searches the settings of each model on the validation set. Every model gets the same budget, the "
        "defaults are the first trial, and the test set is not read until the tuned models are trained."
    )
    keys = _choose_models(dataset, [model["key"] for model in models])
    metric, budget, name = _choose_budget(dataset, rules["k"])
    try:
        spec = _spec(rules | {"primary": metric}, keys, budget) if keys else None
        reason = "" if keys else _("Select at least one model to tune.")
    except RecscopeError as error:
        spec, reason = None, str(error)
    if reason:
        st.warning(safe(reason), icon=":material/warning:")
    st.button(
        _("Start tuning"),
        key="tuning_start",
        icon=":material/tune:",
        disabled=spec is None,
        on_click=presses.note,
        args=(PRESSED,),
    )
    if presses.was_noted(PRESSED) and spec is not None:
        _start(spec, name)
        st.rerun()
    if refused := st.session_state.pop(REFUSED, None):
        st.error(safe(refused))


def _choose_models(dataset: "Dataset", selected: list[str]) -> list[str]:
    offered = _tunable(dataset)
    first = [key for key in dict.fromkeys(selected) if key in offered]
    chosen: list[str] = st.multiselect(
        _("Models to tune"),
        list(offered),
        default=first,
        format_func=lambda key: offered[key],
        key=f"tuning_models_{dataset.fingerprint}_{'-'.join(first)}",
        help=_("Only models that these data can train and that have settings to tune."),
    )
    return chosen


def _tunable(dataset: "Dataset") -> dict[str, str]:
    """Return the title of each model that can be tuned on a data set."""
    from recsys_core.experiments.budgets import is_tunable
    from recsys_core.models.registry import model_infos

    able = {key: info for key, info in model_infos().items() if is_tunable(key)}
    return {key: _(info.title) for key, info in able.items() if not dataset.lacks(info.needs)}


def _choose_budget(dataset: "Dataset", k: int) -> tuple[str, dict[str, Any], str]:
    """Show metric, budget and name; return them."""
    from recsys_core.experiments.leaderboard import metric_title

    metrics = [f"{key}@{k}" for key in METRICS] + (list(RATING_METRICS) if dataset.has_ratings else [])
    first, second, third, fourth = st.columns(4, gap="medium")
    with first:
        metric: str = show.select(
            _("Metric on the validation set"),
            {one: metric_title(one) for one in metrics},
            "tuning_metric",
            persist_state=KEPT,
        )
    with second:
        kind = show.select(
            _("Budget of each model"),
            {"trials": _("number of trials"), "seconds": _("minutes")},
            "tuning_kind",
            persist_state=KEPT,
            help=_("A trial trains a model once. Minutes are those of training and evaluation."),
        )
    with third:
        if kind == "trials":
            low, high, start = TRIALS
            number = st.number_input(_("Trials"), low, high, start, key="tuning_trials", persist_state=KEPT)
            budget: dict[str, Any] = {"trials": number}
        else:
            least, most, begin = MINUTES
            minutes = st.number_input(
                _("Minutes"), least, most, begin, format="%g", key="tuning_minutes", persist_state=KEPT
            )
            budget = {"seconds": round(60 * minutes, 3)}
    with fourth:
        name = _name()
    return metric, budget, name


def _name() -> str:
    name: str = st.text_input(
        _("Name"),
        key="tuning_name",
        max_chars=200,
        placeholder=_("data set, metric, budget"),
        help=_("The tuned settings are stored as presets under this name."),
    )
    return name.strip()


def _spec(fields: dict[str, Any], keys: list[str], budget: dict[str, Any]) -> "TuningSpec":
    from recsys_core.experiments.tuning.spec import TuningSpec

    return TuningSpec.of(fields, tuple(keys), budget)


def _start(spec: "TuningSpec", name: str) -> None:
    """Start the tuning; if it is refused, keep the reason for the next script run."""
    try:
        tuning_id = tuning_queries.tunings().start(spec, name=name or None)
    except RecscopeError as error:
        st.session_state[REFUSED] = str(error)
        return
    state.put("tuning", tuning_id)
    state.put("run", None)
