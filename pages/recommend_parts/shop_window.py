"""The shop window: a click on an item is an interaction, and a row per model shows what it recommends next."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import streamlit as st

from pages.recommend_parts import editing as edits
from pages.recommend_parts import fold_in, strategies
from pages.ui import pending, state, user_picker
from pages.ui.queries import list_queries, model_queries
from pages.ui.text import _, fragment, later, n_, paragraph, safe

if TYPE_CHECKING:
    import pandas as pd

    from pages.recommend_parts.editing import Editing
    from pages.ui.queries.comparison_queries import ResultsKey
    from pages.ui.user_picker import SelectedUser
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.serving.edited_history import EditedHistory
    from recsys_core.viz.tiles import Tile

SHELF = 12
"""Items of the shelf at a time."""
SHOWN = 6
"""Recommended items per model."""
EVENTS = 8
"""Latest events in the feed."""
FEED = {
    "added": later("Interaction: {title}"),
    "dropped": later("Removed: {title}"),
    "rated": later("Rated again: {title}"),
    "moved": later("Order changed"),
    "cut": later("Cut at an earlier day"),
    "reset": later("All edits removed"),
    "several": later("Several edits"),
}
"""Text of an event by kind of edit."""


def show(run: "Run", results: "ResultsKey", chosen: "Sequence[Contender]", user: "SelectedUser") -> None:
    """Show the window; a click redraws the window alone."""
    fragment(_window)(run, results, chosen, user)


def _window(run: "Run", results: "ResultsKey", chosen: "Sequence[Contender]", user: "SelectedUser") -> None:
    editing = edits.current(run, user)
    shelf, feed = st.columns([4, 1], gap="medium")
    with shelf:
        _shelf(editing)
    with feed:
        _feed(editing)
    if not chosen:
        paragraph("Select at least one model.")
        return
    strategy = strategies.choose("shop_strategy")
    wanted = list_queries.Wanted(SHOWN, run.spec.data, strategy)
    _rows(results, chosen, editing, wanted)


def _shelf(editing: "Editing") -> None:
    """Show a grid of items, most popular first; the demo view shows no controls."""
    found = list(_search(editing))
    pages = max(1, -(-len(found) // SHELF))
    page = int(st.session_state.get("shop_page", 0)) % pages
    if found:
        _grid(found[page * SHELF : (page + 1) * SHELF], editing)
    else:
        paragraph("No item contains this text.")
    if state.is_demo():
        return

    def turn() -> None:
        st.session_state["shop_page"] = page + 1

    with st.container(horizontal=True, gap="small", key="shop_controls"):
        st.button(_("Other items"), key="shop_more", icon=":material/autorenew:", on_click=turn, disabled=pages == 1)
        edits.buttons(editing, "shop")


def _search(editing: "Editing") -> dict[int, str]:
    text = "" if state.is_demo() else st.text_input(_("Search items by title"), key="shop_search")
    return user_picker.found_items(editing.dataset, text)


def _grid(items: list[int], editing: "Editing") -> None:
    from recsys_core.viz.tiles import style, tiles

    shown = tiles(editing.dataset, items)
    st.html(style(shown, "shelf_"))
    held = set(editing.now.items)
    with st.container(key="tiles_shelf"):
        for tile in shown:
            _tile(tile, "shelf_", editing, held=tile.item in held)


def _tile(tile: "Tile", prefix: str, editing: "Editing", *, held: bool = False, note: str = "") -> None:
    """Show an item as a button: a click interacts with it, or takes the interaction back."""
    mark = "✓ " if held else ""
    category = f" :small[{safe(tile.category)}]" if tile.category else ""
    with st.container(key=f"{prefix}{tile.item}"):
        st.button(
            f"{mark}{safe(tile.title)}{category}{note}",
            key=f"{prefix}{tile.item}_click",
            on_click=lambda: _interact(editing, tile.item, held=held),
            width="stretch",
        )


def _interact(editing: "Editing", item: int, *, held: bool) -> None:
    """Add an interaction with an item or, if the tile showed one, drop the latest; to do either twice does nothing."""
    scale = editing.dataset.rating_scale

    def click(now: "EditedHistory") -> "EditedHistory":
        if (item in now.items) != held:
            return now
        if held:
            return now.dropped(len(now) - 1 - now.items[::-1].index(item))
        return now.added(item, None if scale is None else float(scale.high))

    editing.change(click)


def _feed(editing: "Editing") -> None:
    """Show what happened, latest first, and undo and redo."""
    st.markdown("**" + _("Events") + "**")
    lines = _events(editing)
    with st.container(border=True, key="shop_feed"):
        if lines:
            st.markdown("  \n".join(lines))
        else:
            paragraph("Click an item: it becomes an interaction of this user.")
    st.markdown(n_("{n} item in the history", "{n} items in the history", len(editing.now)))


def _events(editing: "Editing") -> list[str]:
    """Return a line per edit, latest first."""
    from recsys_core.experiments.held_out_users import described_items
    from recsys_core.serving.edit_timeline import edit_between

    timeline = editing.timeline
    codes = timeline.states[max(0, timeline.at - EVENTS) : timeline.at + 1]
    states = [editing.read(code) for code in codes]
    found = [edit_between(one, other) for one, other in pairwise(states)]
    items = [edit.item for edit in found if edit.item is not None]
    titles: dict[int | None, str] = dict(zip(items, described_items(editing.dataset, items)["title"], strict=True))
    first = timeline.at - len(found) + 1
    lines = [
        f"{first + place} · {_(FEED[edit.kind]).format(title=safe(titles.get(edit.item, '')))}"
        for place, edit in enumerate(found)
    ]
    return lines[::-1]


def _rows(
    results: "ResultsKey", chosen: "Sequence[Contender]", editing: "Editing", wanted: list_queries.Wanted
) -> None:
    """Show a row per model, with what the last click changed."""
    named = {model.id: model_queries.named(results.run, model) for model in chosen}
    before = editing.before
    list_queries.ask_all(named.values(), [editing.edited, *([before] if before else [])], wanted)
    for model in chosen:
        box = st.container(border=True, key=f"shop_row_{model.id}")
        with box:
            ticket = list_queries.ticket(named[model.id], editing.edited, wanted)
            frame = pending.outcome(ticket, f"**{safe(model.title)}** · " + _("Computing recommendations"), 0.0)
            if frame is not None:
                was = None if before is None else list_queries.done(named[model.id], before, wanted)
                _row(model, frame, was, editing)


def _row(model: "Contender", frame: "pd.DataFrame", was: "pd.DataFrame | None", editing: "Editing") -> None:
    """Show the first items of a list, and how it differs from the list before the last click."""
    from recsys_core.serving.what_if import moves
    from recsys_core.viz.tiles import style, tiles

    words, arrows = [f"**{safe(model.title)}**", fold_in.badge(model.key)], [""] * SHOWN
    if was is not None:
        changed = moves(was, frame, SHOWN)
        arrows = fold_in.arrows(changed)
        words.append(_("since the last edit:") + " " + fold_in.overlap(changed))
    st.markdown(" · ".join(words))
    if frame.empty:
        if len(editing.now):
            paragraph("No list: this model has no score for any other item.")
        else:
            paragraph("No list: this model has no score without a history.")
        return
    shown, prefix = tiles(editing.dataset, frame["item"].head(SHOWN).tolist()), f"row_{model.id}_"
    st.html(style(shown, prefix))
    with st.container(key=f"tiles_{model.id}"):
        for tile, note in zip(shown, arrows, strict=False):
            _tile(tile, prefix, editing, note=note)
