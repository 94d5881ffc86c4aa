"""A teacher's own rating matrix: upload or paste it, share it by the link, and go back to the built-in examples."""

import streamlit as st

from pages.learn_parts import place
from pages.ui import state
from pages.ui.show import radio
from pages.ui.text import _, later, n_, safe
from recsys_core.errors import DataError
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.own.registry import OWN, WHY_NOT
from recsys_core.lessons.own.table import FEWEST, LARGE, MOST, MOST_LETTERS, decode_table, encode_table, read_table
from recsys_core.lessons.worlds import RatedWorld

FILE, TEXT, FORM, REFUSED = "learn_own_file", "learn_own_text", "learn_own_form", "learn_own_refused"
EXAMPLE = later("user,Tea,Jam,Mug,Pen\nAna,5,4,1,\nBen,4,,2,1\nCleo,1,2,,5\nDev,,1,4,5")
"""Shown in the empty field for pasted tables."""


def show() -> None:
    """Show the matrix in use, and the form for another one."""
    world = place.matrix()
    if world is not None:
        with st.container(horizontal=True, vertical_alignment="center", key="learn_own_used"):
            st.markdown(_summary(world), width="content")
            _back()
    with st.expander(_("Lessons on your own ratings"), icon=":material/table:", key="learn_own"):
        _form()


def _summary(world: RatedWorld) -> str:
    given = sum(cell is not None for row in world.ratings for cell in row)
    size = _("{users} users × {items} items").format(users=len(world.users), items=len(world.items))
    told = _("{n} lessons run on it, and a link to this page shares it. It is stored nowhere else.")
    return f"**{_('Your matrix')}**: {size}, {n_('{n} rating', '{n} ratings', given)}. {told.format(n=len(OWN))}"


def _back() -> None:
    st.button(
        _("Back to the built-in example"), key="learn_own_back", type="tertiary", icon=":material/undo:",
        on_click=place.use_matrix, args=(None,),
    )  # fmt: skip


def _form() -> None:
    st.markdown(
        _(
            "A small table of ratings, as CSV: one line per rating (user, item, rating), or one line per user with the "
            "items in the header. {fewest} to {most} users and items, whole numbers from 1 to {large}, names of at "
            "most {letters} characters; an empty cell is not rated. Lessons ask about the first user, who should have "
            "an empty cell."
        ).format(fewest=FEWEST, most=MOST, large=LARGE, letters=MOST_LETTERS)
    )
    upload, paste = st.columns(2, gap="medium")
    with upload:
        st.file_uploader(_("File"), type=["csv", "tsv", "txt"], key=state.versioned(FILE), max_upload_size=1)
        forms = {"auto": _("Detect"), "long": _("One line per rating"), "wide": _("One line per user")}
        radio(_("Layout"), forms, FORM)
    with paste:
        st.text_area(_("Or paste a table"), key=TEXT, height=150, placeholder=_(EXAMPLE))
    if refused := st.session_state.get(REFUSED):
        st.error(safe(refused))
    st.button(
        _("Run the lessons on this table"), key="learn_own_use", type="primary", icon=":material/play_arrow:",
        on_click=_use,
    )  # fmt: skip
    if place.matrix() is not None and not refused:
        st.success(_("The lessons marked 'your matrix' run on your table."), icon=":material/table:")


def _use() -> None:
    """Take the file or the pasted table; a refusal is kept for the form."""
    st.session_state[REFUSED] = None
    file, text = st.session_state.get(state.versioned(FILE)), st.session_state.get(TEXT) or ""
    try:
        if bool(file) == bool(text.strip()):
            raise DataError(_("Upload a file or paste a table, and not both."))
        content = file.getvalue() if file else text.encode()
        place.use_matrix(encode_table(read_table(content, st.session_state[FORM])))
    except DataError as error:
        st.session_state[REFUSED] = str(error)
        return
    state.bump(FILE)


def note(of: Lesson) -> None:
    """Say in a lesson on which data it runs, if a matrix is in use."""
    if place.matrix() is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="learn_own_note", gap="small"):
        if of.data:
            st.markdown(":material/table: " + _("Your matrix"), width="content")
            _back()
        else:
            st.markdown(":material/table: " + _("Built-in example.") + " " + _(WHY_NOT[of.key]))


def warn_if_damaged() -> None:
    """Say why the matrix of the link is not used."""
    code = state.get("matrix")
    if not code or place.matrix() is not None:
        return
    try:
        decode_table(code)
    except DataError as error:
        st.warning(safe(error))
