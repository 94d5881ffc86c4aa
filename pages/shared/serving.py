"""The lists that trained models would show to a person, side by side, and why an item is in one."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import comparing, reasons, services, show, verdict
from pages.shared.text import _, safe

if TYPE_CHECKING:
    import pandas as pd

    from pages.shared.comparing import Ask
    from pages.shared.persons import Asked
    from recsys_core.experiments.run import Run
    from recsys_core.models.base import Recommender

AT_FIRST = 3
"""So many of the best models are shown unless others are chosen."""
FLOOR = "random"
LEFT_ALIGNED = """<style>
[class*="st-key-shown_"] button { justify-content: flex-start; text-align: left; min-height: 0; }
[class*="st-key-shown_"] button > div { justify-content: flex-start; text-align: left; }
[class*="st-key-shown_"] button:is(:hover, :focus) { color: inherit; text-decoration: underline; }
</style>"""
"""Titles of one list begin below each other."""


def under_way(run: "Run") -> None:
    """Say which models are still being trained and which failed."""
    verdict.unfinished(run)


def models(asked: "Ask", person: "Asked") -> list[str]:
    """Show the choice of models, the best ones first; return their ids. Models that cannot serve a person say so."""
    contenders = {model.id: model for model in comparing.contenders(asked)}
    ranked = sorted(contenders, key=lambda one: -(contenders[one].result.metrics.get(_quality(asked)) or 0.0))
    able = [one for one in ranked if not person.is_new or _serves_new(contenders[one].key)]
    first = [one for one in able if contenders[one].key != FLOOR][:AT_FIRST]
    chosen = st.multiselect(
        _("Models"), able, default=first, format_func=lambda one: contenders[one].title,
        key=f"recommend_models_{person.is_new}",
    )  # fmt: skip
    unable = [contenders[one].title for one in ranked if one not in able]
    if unable:
        st.markdown(
            _("Not offered, since they know nothing of people whom they were not trained with: {models}.").format(
                models=safe(", ".join(unable))
            )
        )
    return chosen


def _quality(asked: "Ask") -> str:
    return f"ndcg@{services.store().open(asked.run).spec.k}"


def _serves_new(key: str) -> bool:
    """Return whether a model has something for somebody it was not trained with: their history counts, or nobody's."""
    from recsys_core.models.registry import model_class

    info = model_class(key).info
    return info.folds_in or not info.personal


@st.cache_resource(max_entries=8, show_spinner=False)
def trained(root: str, run_id: str, model_id: str) -> "Recommender[Any]":
    """Return a trained model, asked as it was trained."""
    return services.store().open(run_id).model(model_id)


def lists(asked: "Ask", chosen: list[str], person: "Asked", k: int) -> None:
    """Show one column a model; a click on an item shows what its score is made of."""
    from recsys_core.experiments.serving import recommendations

    if not chosen:
        st.markdown(_("Choose at least one model."))
        return
    titles = {model.id: model.title for model in comparing.contenders(asked)}
    loaded = {one: trained(asked.root, asked.run, one) for one in chosen}
    dataset = services.dataset(services.store().open(asked.run).spec.data)
    found = recommendations(loaded, dataset, person.query, k)
    st.html(LEFT_ALIGNED)
    for column, one in zip(st.columns(len(chosen), gap="small"), chosen, strict=True):
        with column, st.container(border=True, key=f"shown_{one}"):
            st.markdown(f"**{safe(titles[one])}**")
            _list(one, found[one])
    trials = {one: reasons.Trial(one, titles[one], loaded[one], dataset, person, asked) for one in chosen}
    reasons.why(trials)
    reasons.why_not(trials, k)
    _download(found, titles)


def _list(model: str, frame: "pd.DataFrame") -> None:
    if frame.empty:
        st.markdown(_("Nothing: this model has no score for any item that the person has not seen."))
    for row in frame.to_dict("records"):
        shared = f" :blue-badge[{_('in {n} lists').format(n=row['listed_by'])}]" if row["listed_by"] > 1 else ""
        pressed = st.button(
            f"{row['rank']}. {safe(row['title'])}{shared} :small[{row['score']:.3g}]",
            key=f"item_{model}_{row['item']}",
            type="tertiary",
        )
        if pressed:
            st.session_state[reasons.CLICKED] = (model, row["item"])


def _download(found: "dict[str, pd.DataFrame]", titles: dict[str, str]) -> None:
    from recsys_core.experiments.serving import joined

    show.download(
        _("All lists (CSV)"), lambda: show.csv(joined(found, titles)), "recommendations.csv", "text/csv", "lists_csv"
    )
