"""A lesson on one screen: text and question left, the live picture right with its controls below, steps at the end."""

from functools import partial
from typing import Any

import streamlit as st

from pages.learn_parts import controls, own_matrix, place, questions
from pages.learn_parts.style import FIT, LEAST_ZOOM, PROJECTOR, STYLE
from pages.ui import state
from pages.ui.navigation import PAGES, has_page
from pages.ui.queries import lesson_queries
from pages.ui.show import download
from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError
from recsys_core.lessons.lesson import CHECK, Lesson, OwnData, Step
from recsys_core.lessons.picture import Scene
from recsys_core.lessons.wording import told

COLUMNS = (0.44, 0.56)
PICTURE = "learn_picture"


def show(of: Lesson, key: str) -> None:
    """Show a step of a lesson."""
    st.html(STYLE + (PROJECTOR if state.is_demo() else ""))
    step, now = of.step(key), place.changed(of)
    place.reach(of, key)
    with st.container(key="learn_lesson"):
        _heading(of, key)
        words, picture = st.columns(COLUMNS, gap="medium")
        is_locked = key == CHECK or step.predict is None or step.key in now.guesses
        with picture:
            scene = _scene(of, step, now.values)
        with words:
            own_matrix.note(of)
            _words(of, key, step, now, scene)
        with picture:
            if scene is not None:
                _picture(of, scene.revealed() if is_locked or scene.impossible else scene.veiled())
            if key != CHECK:
                controls.show(of, step, of.values_in(step.key, now.values))
        _way(of, key, now)
    if state.is_demo():
        _fit(f"{state.get('lesson')};{state.get('values')}")
    lesson_queries.warm_up()


def _fit(shown: str) -> None:
    """Fit the large type to the screen, anew for each step and change."""
    component = st.components.v2.component("recscope_projector", js=FIT)
    component(key="learn_fit", data={"least": LEAST_ZOOM, "shown": shown})


def _scene(of: Lesson, step: Step, values: dict[str, Any]) -> Scene | None:
    """Return what the step shows for these values; None, with the reason, if there are no numbers."""
    values = of.values_in(step.key, values)
    try:
        numbers = lesson_queries.numbers(of, step.key, values)
        return None if numbers is None else of.scene(step.key, values, numbers)
    except RecscopeError as error:
        st.error(safe(error))
        return None


def _heading(of: Lesson, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="learn_heading"):
        st.title(f"{of.number} · {_(of.title)}", anchor=False, width="content")
        st.space("stretch")
        at, steps = of.step_keys.index(key) + 1, len(of.step_keys)
        st.markdown(_("Step {n} of {all}").format(n=at, all=steps), width="content")
        st.button(
            _("All lessons"), key="learn_all", type="tertiary", icon=":material/map:", on_click=place.go, args=(None,)
        )
        on = state.is_demo()
        st.button(
            _("Leave projector mode") if on else _("Projector mode"), key="learn_projector", type="tertiary",
            icon=":material/close_fullscreen:" if on else ":material/cast:", on_click=place.project, args=(not on,),
        )  # fmt: skip


def _worksheets(of: Lesson) -> None:
    """Offer the lesson as a worksheet, with other numbers for each class."""
    with st.popover(_("Worksheet"), icon=":material/assignment:", type="tertiary", key="learn_teachers"):
        st.markdown(_("For print. Each class has numbers of its own; class 0 has those of the lesson."))
        seed = int(st.number_input(_("Class"), 0, 9999, 0, key="learn_class"))
        for solutions, label in ((False, _("Worksheet (HTML)")), (True, _("Solutions (HTML)"))):
            kind = "solutions" if solutions else "worksheet"
            download(
                label,
                partial(lesson_queries.worksheet, of, seed, solutions=solutions),
                f"{of.key}-{kind}-{seed}.html",
                "text/html",
                f"learn_{kind}_file",
            )


def _words(of: Lesson, key: str, step: Step, now: place.Changed, scene: Scene | None) -> None:
    if key == CHECK:
        st.header(_("Check yourself"), anchor=False)
        questions.self_check(of)
        return
    st.header(told(step.title, safe), anchor=False)
    st.markdown(told(step.text, safe))
    if scene is None:
        return
    if scene.impossible:
        st.info(safe(scene.impossible), icon=":material/info:")
        return
    guess = now.guesses.get(step.key)
    if step.predict is not None and guess is None:
        questions.predict(of, step)
        return
    if step.predict is not None and guess is not None:
        questions.reveal(of, step, guess, scene)
    questions.arithmetic(scene)
    _symbols(scene)


def _picture(of: Lesson, scene: Scene) -> None:
    from recsys_core.viz.lesson_picture import picture_data

    def act() -> None:
        widget = st.session_state.get(PICTURE)
        controls.edit(of, widget.edit if widget else None)

    _component()(key=PICTURE, data=picture_data(scene, large=state.is_demo()), on_edit_change=act)


def _symbols(scene: Scene) -> None:
    """Show the symbols of the formula; each lights up with its places in the picture."""
    from recsys_core.viz.lesson_picture import symbols_data

    if scene.formula:
        _component()(key="learn_symbols", data=symbols_data(scene, large=state.is_demo()))


def _component() -> Any:
    from recsys_core.viz.lesson_picture import PICTURE as DRAWN

    return st.components.v2.component("recscope_lesson_picture", html=DRAWN.html, css=DRAWN.css, js=DRAWN.js)


def _way(of: Lesson, key: str, now: place.Changed) -> None:
    """Show the buttons to the other steps, and the link to the user's own data."""
    with st.container(horizontal=True, vertical_alignment="center", key="learn_way"):
        st.button(
            _("Previous"), key="learn_previous", icon=":material/arrow_back:", disabled=key == of.step_keys[0],
            on_click=place.turn, args=(-1,), shortcut="pageup",
        )  # fmt: skip
        st.button(
            _("Next"), key="learn_next", icon=":material/arrow_forward:", disabled=key == CHECK, type="primary",
            on_click=place.turn, args=(1,), shortcut="pagedown",
        )  # fmt: skip
        st.button(
            _("Reset"), key="learn_reset", type="tertiary", icon=":material/restart_alt:",
            disabled=not state.get("values"), on_click=state.put, args=("values", None),
            help=_("First values, and no locked predictions."),
        )  # fmt: skip
        _worksheets(of)
        st.space("stretch")
        _own_data(of.own_data, of.values_in(of.step(key).key, now.values))


def _own_data(own: OwnData, values: dict[str, Any]) -> None:
    page = next((page for page in PAGES if page.key == own.page and has_page(page.key)), None)
    if page is not None:
        address = place.elsewhere(**own.address(values))
        st.page_link(page.path, label=_(own.label), icon=page.icon, query_params=address)
