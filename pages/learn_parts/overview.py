"""The overview: sections of the source document, where each is in Recscope, and its lessons with their progress."""

import streamlit as st

from pages.learn_parts import own_matrix, place
from pages.ui import terms
from pages.ui.navigation import PAGES, has_page
from pages.ui.queries import lesson_queries
from pages.ui.text import _, paragraph
from recsys_core.lessons.document import SECTIONS, Section
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.own.registry import OWN
from recsys_core.lessons.registry import lessons
from recsys_core.lessons.source.parts import PARTS

COLUMNS = (0.37, 0.36, 0.27)


def show() -> None:
    """Show the map."""
    lesson_queries.warm_up()
    st.title(_("Learn"))
    paragraph(
        "Lessons on small data, in the order of the source document. Every number is returned by the code that trains "
        "and evaluates real models."
    )
    known = lessons()
    _continue(known)
    own_matrix.show()
    for section in SECTIONS:
        _section(section, [one for one in known if one.sections[0] == section.key])
    terms.row("learn")


def _continue(known: tuple[Lesson, ...]) -> None:
    """Show how many lessons are done, and the button of the next one."""
    done = [one for one in known if place.steps_done(one) == len(one.step_keys)]
    left = [one for one in known if one not in done]
    with st.container(horizontal=True, vertical_alignment="center", key="learn_continue"):
        if left:
            following = max(left, key=place.steps_done)
            started = place.steps_done(following) > 0
            label = _("Continue: {lesson}") if started else _("Start: {lesson}")
            step = following.step_keys[place.steps_done(following)]
            st.button(
                label.format(lesson=_title(following)), key="learn_start", type="primary", icon=":material/play_arrow:",
                on_click=place.go, args=(following.key, step),
            )  # fmt: skip
        st.markdown(_("{done} of {all} lessons done").format(done=len(done), all=len(known)), width="content")
        st.space("stretch")
        st.button(
            _("Read the source document"), key="learn_read", type="tertiary", icon=":material/article:",
            on_click=place.read, args=(PARTS[0].key,),
        )  # fmt: skip


def _title(of: Lesson) -> str:
    return f"{of.number} · {_(of.title)}"


def _section(section: Section, taught: list[Lesson]) -> None:
    with st.container(border=True, key=f"learn_section_{section.key.replace('.', '_')}"):
        says, here, lessons_here = st.columns(COLUMNS, gap="medium")
        with says:
            st.markdown(f"**{section.number} · {_(section.title)}**  \n{_(section.says)}")
        with here:
            st.markdown(_(section.here))
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.button(
                    _("Text"), key=f"learn_read_{section.key.replace('.', '_')}", type="tertiary",
                    icon=":material/article:", on_click=place.read, args=(section.key,),
                    help=_("The text of this section beside what Recscope does"),
                )  # fmt: skip
                for page in PAGES:
                    if page.key in section.pages and has_page(page.key):
                        st.page_link(page.path, label=_(page.title), icon=page.icon, query_params=place.elsewhere())
        with lessons_here:
            for one in taught:
                _lesson(one)


def _lesson(of: Lesson) -> None:
    done, steps = place.steps_done(of), len(of.step_keys)
    mark = ":material/check_circle:" if done == steps else ":material/school:"
    mine = " · " + _("your matrix") if of.key in OWN and place.matrix() is not None else ""
    count = "" if done in (0, steps) else " · " + _("{done} of {all} steps").format(done=done, all=steps)
    st.button(
        _title(of) + mine + count, key=f"learn_open_{of.key}", icon=mark, help=_(of.idea), on_click=place.go,
        args=(of.key,), width="stretch", wrap=True,
    )  # fmt: skip
