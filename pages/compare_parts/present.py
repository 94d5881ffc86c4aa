"""The comparison for a projector: larger type, no controls but the way to the next and the previous slide."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from pages.attention_parts import runs
from pages.compare_parts import charts
from pages.ui import disagreements, services, state, verdict
from pages.ui.queries import comparison_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from pages.ui.queries.comparison_queries import ResultsKey

SLIDE = "present_slide"
"""Session key of the number of the slide, from 0."""
STYLE = """<style>
[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stSidebarCollapsedControl] { display: none; }
[data-testid=stMainBlockContainer] { padding-top: 2rem; max-width: 90rem; }
[data-testid=stMainBlockContainer] :is(p, li, td, th) { font-size: 1.35rem; line-height: 1.5; }
[data-testid=stMainBlockContainer] h2 { font-size: 2.4rem; }
</style>"""
SHOWN_ITEMS = 8
"""Latest items of a history on the slide of a user."""


def offer() -> None:
    """Show the button that starts the presentation."""
    if not state.is_demo():
        st.button(_("Present"), key="present_start", icon=":material/slideshow:", on_click=_start)


def _start() -> None:
    st.session_state[SLIDE] = 0
    state.put("view", state.PRESENT)


def _end() -> None:
    state.put("view", None)


def show(results: "ResultsKey", metric: str, baseline: str, k: int) -> None:
    """Show the current slide, and the buttons to go on, back, and out."""
    st.html(STYLE)
    slides = _slides(results, metric, baseline, k)
    number = min(int(st.session_state.get(SLIDE, 0)), len(slides) - 1)
    title, draw = slides[number]
    with st.container(key="present_slide_box"):
        if title:
            st.header(title)
        draw()
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center", key="present_way"):
        st.button(
            _("Previous"), key="present_previous", icon=":material/arrow_back:", disabled=number == 0,
            on_click=_turn, args=(number - 1,), shortcut="left",
        )  # fmt: skip
        st.markdown(_("{n} of {all}").format(n=number + 1, all=len(slides)), width="content")
        st.button(
            _("Next"), key="present_next", icon=":material/arrow_forward:", disabled=number + 1 == len(slides),
            on_click=_turn, args=(number + 1,), type="primary", shortcut="right",
        )  # fmt: skip
        st.button(_("End"), key="present_end", icon=":material/close:", on_click=_end, type="tertiary")


def _turn(number: int) -> None:
    st.session_state[SLIDE] = number


def _slides(results: "ResultsKey", metric: str, baseline: str, k: int) -> list[tuple[str, Callable[[], None]]]:
    """Return heading and content of each slide; one on attention only if a finished model has it."""
    models = comparison_queries.contenders(results)

    def answer() -> None:
        verdict.sentences(results, metric, baseline)
        run = services.run(results.run)
        if run is not None:
            verdict.question(run)

    slides: list[tuple[str, Callable[[], None]]] = [
        ("", answer),
        (_("Leaderboard"), lambda: _board(results, metric, baseline)),
        (_("How certain are the differences?"), lambda: charts.intervals(results, metric, baseline)),
    ]
    if len(models) > 1:
        slides.append((_("One user"), lambda: _user(results, metric, baseline, k)))
    if any(runs.has_attention(model.key) for model in models):
        slides.append((_("Attention by step"), _attention))
    return slides


def _board(results: "ResultsKey", metric: str, baseline: str) -> None:
    from recsys_core.viz.leaderboard_html import leaderboard_html

    board = comparison_queries.board(results, metric, baseline)
    costs = {"fit_seconds": _("Training time, s")}
    st.html(leaderboard_html(board, metric, [], baseline=baseline, costs=costs, caption=_("Leaderboard")))


def _user(results: "ResultsKey", metric: str, baseline: str, k: int) -> None:
    """Show the lists of the first two models for the selected user, or for the one they differ most on."""
    titles = {model.id: model.title for model in comparison_queries.contenders(results)}
    ranked = [model for model in comparison_queries.board(results, metric, baseline)["model"] if model in titles]
    first, second = ranked[:2]
    table = comparison_queries.disagreements(results, first, second, metric, k)
    if table.empty:
        paragraph("No user was evaluated with both models.")
        return
    tested, asked = set(table["user_id"].astype(str)), state.get("user")
    user_id = asked if asked in tested else str(table["user_id"].iloc[0])
    user = comparison_queries.held_out_user(results, (first, second), user_id, k)
    latest = ", ".join(safe(title) for title in user.history["title"].head(SHOWN_ITEMS))
    st.markdown(_("User {user} has most recently: {items}.").format(user=safe(user_id), items=latest))
    disagreements.lists(user, titles)


def _attention() -> None:
    from pages.attention_parts import selection, views

    state.put("example", None)
    views.all_of(selection.trained())
