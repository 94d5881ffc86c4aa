"""The lists of trained models side by side: for an edited history, with what the edits changed."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.recommend_parts import fold_in, reasons
from pages.ui import lists_only, pending, services, show, state
from pages.ui.queries import comparison_queries, list_queries, model_queries
from pages.ui.text import _, count, paragraph, safe, score_text

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from pages.recommend_parts.editing import Editing
    from pages.ui.queries.comparison_queries import ResultsKey
    from pages.ui.user_picker import SelectedUser
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.serving.what_if import Moves

AT_FIRST = 3
"""Number of best models shown by default."""
IN_A_ROW = 4
"""Maximum number of lists side by side."""
RANDOM = "random"
BETWEEN = "."
"""Separates the models in the URL."""
LEFT_ALIGNED = """<style>
[class*="st-key-shown_"] button { justify-content: flex-start; text-align: left; min-height: 0; }
[class*="st-key-shown_"] button > div { justify-content: flex-start; text-align: left; }
[class*="st-key-shown_"] button:is(:hover, :focus) { color: inherit; text-decoration: underline; }
</style>"""
"""Left-aligns the titles of a list."""


def models(results: "ResultsKey", user: "SelectedUser") -> "list[Contender]":
    """Show the choice of models, best first, and return them; the URL has the choice. The demo view shows no choice."""
    contenders = {model.id: model for model in comparison_queries.recommenders(results)}
    quality = services.store().open(results.run).spec.metric
    ranked = sorted(contenders, key=lambda one: -(contenders[one].metrics.get(quality) or 0.0))
    able = [one for one in ranked if not user.is_new or fold_in.serves_new(contenders[one].key)]
    first = [one for one in able if contenders[one].key != RANDOM][:AT_FIRST]
    linked = [one for one in (state.get("models") or "").split(BETWEEN) if one in able]
    if state.is_demo():
        return [contenders[one] for one in linked or first]
    chosen = st.multiselect(
        _("Models"), able, default=linked or first, format_func=lambda one: contenders[one].title,
        key=f"recommend_models_{user.is_new}",
    )  # fmt: skip
    state.put("models", BETWEEN.join(chosen) if chosen != first else None)
    lists_only.note(results)
    unable = [contenders[one].title for one in ranked if one not in able]
    if unable:
        paragraph("Not available for cold-start users: {models}.", models=safe(", ".join(unable)))
    return [contenders[one] for one in chosen]


def lists(results: "ResultsKey", chosen: "Sequence[Contender]", editing: "Editing", k: int) -> None:
    """Show one column per model; a click on an item explains its score."""
    from recsys_core.serving.recommendations import lists_table

    if not chosen:
        paragraph("Select at least one model.")
        return
    titles = {model.id: model.title for model in chosen}
    named = {model.id: model_queries.named(results.run, model) for model in chosen}
    st.html(LEFT_ALIGNED)
    boxes = _boxes(titles)
    wanted = list_queries.Wanted(k, editing.dataset.fingerprint)
    is_edited = editing.now.is_edited
    states = [editing.edited, editing.unedited, editing.user] if is_edited else [editing.user]
    list_queries.ask_all(named.values(), states, wanted)
    found = list_queries.finished(named, boxes, editing.edited, wanted)
    labeled = _labeled(found, editing, k)
    for model in chosen:
        with boxes[model.id]:
            if model.id in labeled:
                moves = _moves(named[model.id], found[model.id], editing, wanted) if is_edited else None
                fold_in.caption(model, named[model.id], editing, wanted)
                _list(model.id, labeled[model.id], moves, editing)
    trials = {one: reasons.Trial(named[one], titles[one], editing) for one in titles}
    reasons.why(trials)
    reasons.why_not(trials, k)
    if labeled:
        show.csv_download(_("All lists (CSV)"), lambda: lists_table(labeled, titles), "recommendations", "lists_csv")


def _boxes(titles: dict[str, str]) -> "dict[str, DeltaGenerator]":
    """Return a box per model, at most `IN_A_ROW` side by side."""
    boxes, ids = {}, list(titles)
    for start in range(0, len(ids), IN_A_ROW):
        row = ids[start : start + IN_A_ROW]
        for column, one in zip(st.columns(len(row) if start == 0 else IN_A_ROW, gap="small"), row, strict=False):
            with column:
                boxes[one] = st.container(border=True, key=f"shown_{one}")
                boxes[one].markdown(f"**{safe(titles[one])}**")
    return boxes


def _labeled(frames: "dict[str, pd.DataFrame]", editing: "Editing", k: int) -> "dict[str, pd.DataFrame]":
    from recsys_core.serving.recommendations import labeled_lists

    return labeled_lists({one: frame.head(k) for one, frame in frames.items()}, editing.dataset)


def _moves(
    model: model_queries.Named, after: "pd.DataFrame", editing: "Editing", wanted: list_queries.Wanted
) -> "Moves | None":
    """Return what the edits changed in a list; None, with a progress bar, while the list before is computed."""
    from recsys_core.serving.what_if import moves

    ticket = list_queries.ticket(model, editing.unedited, wanted)
    before = pending.outcome(ticket, _("Computing the list before the edits"), 0.0)
    return None if before is None else moves(before, after, wanted.k, editing.edited.query.seen[0].tolist())


def _list(model: str, frame: "pd.DataFrame", moves: "Moves | None", editing: "Editing") -> None:
    if moves is not None:
        st.markdown(fold_in.overlap(moves))
    if frame.empty:
        paragraph("Empty: this model has no score for any item outside the history.")
    arrows = [""] * len(frame) if moves is None else fold_in.arrows(moves)
    for row, arrow in zip(frame.to_dict("records"), arrows, strict=True):
        shared = f" :blue-badge[{_('in {n} lists').format(n=row['listed_by'])}]" if row["listed_by"] > 1 else ""
        beside = f"{shared if moves is None else arrow} :small[{score_text(row['score'])}]"
        pressed = st.button(
            f"{row['rank']}. {safe(row['title'])}{beside}",
            key=f"item_{model}_{row['item']}",
            type="tertiary",
        )
        if pressed:
            st.session_state[reasons.CLICKED] = (model, row["item"])
    if moves is not None and len(moves.gone):
        _gone(moves, editing)


def _gone(moves: "Moves", editing: "Editing") -> None:
    """Show the items that left a list, with their ranks before and after."""
    from recsys_core.experiments.held_out_users import described_items

    lines = ["**" + _("Left the list") + "**"]
    titles = described_items(editing.dataset, moves.gone["item"].tolist())["title"]
    for title, row in zip(titles, moves.gone.to_dict("records"), strict=True):
        values = {"title": safe(title), "before": count(row["before"])}
        if row["in_history"]:
            words = _("{title}: rank {before}, now in the history").format(**values)
        elif math.isnan(row["after"]):
            words = _("{title}: rank {before} → below {depth}").format(**values, depth=count(moves.depth))
        else:
            words = _("{title}: rank {before} → {after}").format(**values, after=count(row["after"]))
        lines.append(f":small[{words}]")
    st.markdown("  \n".join(lines))
