"""Which algorithms the list shows, and presets that select several at once."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services
from pages.ui.text import _, later
from recsys_core.contracts import SOURCE_DOCUMENT, Ability

if TYPE_CHECKING:
    from recsys_core.contracts import ModelInfo
    from recsys_core.data.dataset import Dataset

FAST_SECONDS = 10.0
BUDGET_SECONDS = 120.0
"""Estimated time of all models of the last preset, one after the other."""
STRONG = ("user_knn", "item_knn", "rp3beta", "ease", "slim", "ials")
"""Models that are hard to beat once tuned: Ferrari Dacrema, Cremonesi and Jannach 2019; Rendle et al. 2021."""
IN_ORDER = ("sequential", "attention")
"""Families of models that read the history in chronological order."""
FILTERS = {
    "interactions": later("needs interactions only"),
    "fast": later("fast"),
    "explains": later("explains its recommendations"),
}
PRESETS = {
    "strong": later("Strong baselines"),
    "source": later("Source document"),
    "sequences": later("Sequences"),
    "budget": later("All that fit in 2 minutes"),
    "none": later("None"),
}


def shown(infos: "Mapping[str, ModelInfo]", seconds: Mapping[str, float]) -> set[str]:
    """Show search, filters; return the keys of the algorithms that match."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="model_filter"):
        words = st.text_input(
            _("Search models"), key="model_search", placeholder=_("name, idea, or family"), width=260
        ).casefold()
        chosen = st.pills(
            _("Show only"),
            list(FILTERS),
            selection_mode="multi",
            format_func=lambda one: _(FILTERS[one]),
            key="model_filters",
            help=_("Fast: about {n} seconds at most on these data.").format(n=int(FAST_SECONDS)),
        )
    tests: dict[str, Callable[[ModelInfo], bool]] = {
        "interactions": lambda info: not info.needs,
        "fast": lambda info: seconds.get(info.key, 0.0) <= FAST_SECONDS,
        "explains": lambda info: bool(info.abilities & {Ability.EXPLAINS_ITEMS, Ability.TRACES_ATTENTION}),
    }
    return {
        key
        for key, info in infos.items()
        if words in f"{_(info.title)} {info.title} {_(info.idea)} {info.family} {key}".casefold()
        and all(tests[name](info) for name in chosen)
    }


def presets(
    infos: "Mapping[str, ModelInfo]",
    dataset: "Dataset",
    seconds: Mapping[str, float],
    select: Callable[[set[str]], None],
) -> None:
    """Show one button per preset, which calls `select` with the keys of its algorithms."""
    usable = [info for info in infos.values() if not dataset.lacks(info.needs)]
    members = {
        "strong": set(STRONG),
        "source": {info.key for info in usable if info.source.startswith(SOURCE_DOCUMENT)},
        "sequences": {info.key for info in usable if info.family in IN_ORDER},
        "budget": _within_budget(usable, seconds),
        "none": set[str](),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="model_presets"):
        st.markdown(_("Select:"), width="content")
        for name, title in PRESETS.items():
            st.button(_(title), key=f"model_preset_{name}", on_click=select, args=(members[name],), type="tertiary")


def _within_budget(infos: "Iterable[ModelInfo]", seconds: Mapping[str, float]) -> set[str]:
    """Return the fastest algorithms that fit into the budget together."""
    chosen, total = set[str](), 0.0
    for info in sorted(infos, key=lambda one: (seconds.get(one.key, 0.0), one.key)):
        total += seconds.get(info.key, 0.0)
        if total > BUDGET_SECONDS:
            break
        chosen.add(info.key)
    return chosen


@st.cache_data(ttl=60, show_spinner=False)
def estimated_seconds(fingerprint: str, root: str) -> dict[str, float]:
    """Return the estimated time of one training of each algorithm with default settings, including its evaluation."""
    from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
    from recsys_core.models.registry import usable_models

    spec = ExperimentSpec(data=fingerprint, models=tuple(ModelSpec(key=key) for key in usable_models()))
    return {model.key: model.seconds for model in services.engine().estimate(spec).models}
