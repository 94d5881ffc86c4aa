"""The recommendation lists of trained models side by side, and explanations of their items."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.recommend_parts import reasons
from pages.ui import pending, services, show
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from pages.ui.queries.comparison_queries import ResultsKey
    from pages.ui.user_picker import SelectedUser
    from recsys_core.data.dataset import Dataset

AT_FIRST = 3
"""Number of best models shown by default."""
RANDOM = "random"
LEFT_ALIGNED = """<style>
[class*="st-key-shown_"] button { justify-content: flex-start; text-align: left; min-height: 0; }
[class*="st-key-shown_"] button > div { justify-content: flex-start; text-align: left; }
[class*="st-key-shown_"] button:is(:hover, :focus) { color: inherit; text-decoration: underline; }
</style>"""
"""Left-aligns the titles of a list."""


def models(results: "ResultsKey", user: "SelectedUser") -> list[str]:
    """Show the choice of models, best first; return their ids. Models without cold-start support are named."""
    contenders = {model.id: model for model in comparison_queries.recommenders(results)}
    quality = services.store().open(results.run).spec.metric
    ranked = sorted(contenders, key=lambda one: -(contenders[one].metrics.get(quality) or 0.0))
    able = [one for one in ranked if not user.is_new or _serves_new(contenders[one].key)]
    first = [one for one in able if contenders[one].key != RANDOM][:AT_FIRST]
    chosen = st.multiselect(
        _("Models"), able, default=first, format_func=lambda one: contenders[one].title,
        key=f"recommend_models_{user.is_new}",
    )  # fmt: skip
    unable = [contenders[one].title for one in ranked if one not in able]
    if unable:
        paragraph("Not available for cold-start users: {models}.", models=safe(", ".join(unable)))
    return chosen


def _serves_new(key: str) -> bool:
    """Return whether a model supports cold-start users: it uses their history, or it is not personalized."""
    info = services.model_info(key)
    return info.folds_in or not info.personal


def lists(results: "ResultsKey", chosen: list[str], user: "SelectedUser", k: int) -> None:
    """Show one column per model; a click on an item explains its score."""
    from recsys_core.serving.recommendations import lists_table

    if not chosen:
        paragraph("Select at least one model.")
        return
    models = {model.id: model for model in comparison_queries.recommenders(results)}
    titles = {one: model.title for one, model in models.items()}
    named = {one: model_queries.named(results.run, models[one]) for one in chosen}
    st.html(LEFT_ALIGNED)
    boxes = {}
    for column, one in zip(st.columns(len(chosen), gap="small"), chosen, strict=True):
        with column:
            boxes[one] = st.container(border=True, key=f"shown_{one}")
            boxes[one].markdown(f"**{safe(titles[one])}**")
    found = _finished(results, named, boxes, user, k)
    for one, frame in found.items():
        with boxes[one]:
            _list(one, frame)
    trials = {one: reasons.Trial(named[one], titles[one], _data(results), user) for one in chosen}
    reasons.why(trials)
    reasons.why_not(trials, k)
    if found:
        show.csv_download(_("All lists (CSV)"), lambda: lists_table(found, titles), "recommendations", "lists_csv")


def _finished(
    results: "ResultsKey",
    named: "dict[str, model_queries.Named]",
    boxes: "dict[str, DeltaGenerator]",
    user: "SelectedUser",
    k: int,
) -> "dict[str, pd.DataFrame]":
    """Return the finished lists, with titles; other models show a progress bar in their box."""
    from recsys_core.serving.recommendations import labeled_lists

    elsewhere = [model for model in named.values() if model.is_elsewhere]
    pending.all_of([model_queries.ticket(model, "top", user.key, k, query=user.query, k=k) for model in elsewhere])
    tops = {}
    for one, model in named.items():
        words = _("Computing recommendations")
        with boxes[one]:
            top = model_queries.outcome(model, "top", words, user.key, k, patience=0.0, query=user.query, k=k)
        if top is not None:
            tops[one] = top
    return labeled_lists(tops, _data(results))


def _data(results: "ResultsKey") -> "Dataset":
    return services.dataset(services.store().open(results.run).spec.data)


def _list(model: str, frame: "pd.DataFrame") -> None:
    if frame.empty:
        paragraph("Empty: this model has no score for any item outside the history.")
    for row in frame.to_dict("records"):
        shared = f" :blue-badge[{_('in {n} lists').format(n=row['listed_by'])}]" if row["listed_by"] > 1 else ""
        pressed = st.button(
            f"{row['rank']}. {safe(row['title'])}{shared} :small[{row['score']:.3g}]",
            key=f"item_{model}_{row['item']}",
            type="tertiary",
        )
        if pressed:
            st.session_state[reasons.CLICKED] = (model, row["item"])
