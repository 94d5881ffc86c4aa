"""A chapter of the source document, passage by passage beside what Recscope does with it."""

import re
from collections.abc import Iterable

import streamlit as st

from pages.learn_parts import place
from pages.learn_parts.style import TEXT_STYLE
from pages.ui import lazy_sections, services, state
from pages.ui.navigation import PAGES, has_page
from pages.ui.text import _, language, safe
from recsys_core.lessons.registry import lesson
from recsys_core.lessons.source import text
from recsys_core.lessons.source.parts import PART_KEYS, PARTS
from recsys_core.lessons.source.passage import Part, Passage
from recsys_core.models.choice import ModelChoice

COLUMNS = (0.45, 0.55)
AT_ONCE, PIXELS = 3, 320
"""Passages that are drawn from the start, and the expected height of the others, which are drawn when scrolled near."""
ORIGINAL = "original"
"""Value of `?text=` without the English text."""
CHINESE = "zh"
_NUMBERED = re.compile(r"^(\d+|[a-z])\.")
INDENT = "&emsp;"
SCROLL = """export default function ({ parentElement, data }) {
  if (parentElement.shownAt === data.to) return;
  parentElement.shownAt = data.to;
  document.querySelector(`.st-key-${data.to}`)?.scrollIntoView({ block: "start" });
}"""
"""Scrolls to a passage when the chapter is opened at it."""


def show(part: Part) -> None:
    """Show a chapter."""
    st.html(TEXT_STYLE)
    wanted = state.get("section") or part.key
    original, english = text.original(), text.english() if _with_english() else {}
    parts = lazy_sections.Parts()
    with st.container(key="learn_text"):
        _heading(part)
        for number, passage in enumerate(part.passages):
            is_meant = wanted != part.key and passage.section == wanted
            if not parts.draws(f"text_{passage.key}", height=PIXELS, at_once=is_meant or number < AT_ONCE):
                continue
            key = f"learn_{'meant' if is_meant else 'passage'}_{passage.key}"
            with st.container(border=True, key=key):
                words, here = st.columns(COLUMNS, gap="medium")
                with words:
                    _text(original[passage.key], english.get(passage.key, ()))
                with here:
                    _beside(passage)
        _way(part, "below")
    parts.watch()
    meant = next((one.key for one in part.passages if one.section == wanted), None)
    to = "learn_text" if wanted == part.key else f"learn_meant_{meant}"
    component = st.components.v2.component("recscope_scroll", js=SCROLL)
    component(key="learn_scroll", data={"to": to})


def _with_english() -> bool:
    return state.get("text") != ORIGINAL and language() != CHINESE


def _heading(part: Part) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="learn_text_heading"):
        st.title(_("The source document"), anchor=False, width="content")
        st.space("stretch")
        if language() != CHINESE:
            st.session_state["learn_english"] = _with_english()
            st.toggle(_("English translation"), key="learn_english", on_change=_switch_english)
        st.button(
            _("Map and lessons"), key="learn_map", type="tertiary", icon=":material/map:", on_click=place.read,
            args=(None,),
        )  # fmt: skip
    _choice(part)
    st.header(f"{part.number} · {_(part.title)}", anchor=False)


def _switch_english() -> None:
    state.put("text", None if st.session_state["learn_english"] else ORIGINAL)


def _choice(part: Part) -> None:
    """Show the choice of a chapter."""
    titles = {one.key: f"{one.number} · {_(one.title)}" for one in PARTS}
    st.session_state["learn_chapter"] = part.key
    with st.container(horizontal=True, vertical_alignment="bottom", key="learn_chapters"):
        st.selectbox(
            _("Section"), list(titles), format_func=titles.__getitem__, key="learn_chapter", width=420,
            on_change=lambda: place.read(st.session_state["learn_chapter"]),
        )  # fmt: skip
        _turns(part, "above", shortcuts=True)


def _way(part: Part, where: str) -> None:
    with st.container(horizontal=True, key=f"learn_chapters_{where}"):
        _turns(part, where, shortcuts=False)


def _turns(part: Part, where: str, *, shortcuts: bool) -> None:
    """Show the buttons to the chapters before and after."""
    at = PART_KEYS.index(part.key)
    before, after = (PART_KEYS[to] if 0 <= to < len(PART_KEYS) else None for to in (at - 1, at + 1))
    st.button(
        _("Previous section"), key=f"learn_before_{where}", icon=":material/arrow_back:", disabled=before is None,
        on_click=place.read, args=(before,), shortcut="pageup" if shortcuts else None,
    )  # fmt: skip
    st.button(
        _("Next section"), key=f"learn_after_{where}", icon=":material/arrow_forward:", disabled=after is None,
        on_click=place.read, args=(after,), shortcut="pagedown" if shortcuts else None,
    )  # fmt: skip


def _text(original: Iterable[text.Line], english: Iterable[text.Line]) -> None:
    """Show the lines of a passage, and in English."""
    st.markdown("\n\n".join(map(_markdown, original)))
    if english:
        with st.container(key=f"learn_english_{next(iter(original)).number}"):
            st.markdown("\n\n".join(map(_markdown, english)))


def _markdown(line: text.Line) -> str:
    """Return a line as Markdown that shows it letter by letter, with typeset formulas."""
    written = "".join(map(_piece, line.pieces))
    if line.heading:
        return f"**{written}**"
    indent = "" if line.pieces[0].is_alone else INDENT * (line.indent // 2)
    return indent + _NUMBERED.sub(r"\1\\.", written)


def _piece(piece: text.Piece) -> str:
    if piece.is_alone:
        return f"$$\n{piece.latex}\n$$"
    return f"${piece.latex}$" if piece.latex else safe(piece.raw)


def _beside(passage: Passage) -> None:
    """Show what Recscope does with a passage, and where."""
    paragraphs = [_(passage.does)]
    if passage.reading:
        paragraphs.append(f":blue-badge[{_('Reading')}] {_(passage.reading)}")
    if passage.departure:
        paragraphs.append(f":orange-badge[{_('Departure')}] {_(passage.departure)}")
    if passage.code:
        paragraphs.append(":small[" + " · ".join(f"`{one}`" for one in passage.code) + "]")
    st.markdown("\n\n".join(paragraphs))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"learn_links_{passage.key}"):
        _lessons(passage)
        _models(passage)
        _pages(passage)


def _lessons(passage: Passage) -> None:
    for key in passage.lessons:
        of = lesson(key)
        st.button(
            f"{of.number} · {_(of.title)}", key=f"learn_to_{passage.key}_{key}", type="tertiary",
            icon=":material/school:", on_click=place.go, args=(key,), help=_(of.idea),
        )  # fmt: skip


def _models(passage: Passage) -> None:
    """Link the models, each on Inside, and the forms that are closest to the text, on Train."""
    if has_page("inside"):
        for key in passage.models:
            st.page_link(
                "pages/inside.py", label=services.model_title(key), icon=":material/manage_search:",
                query_params=place.elsewhere(pick=key), help=_("The trained model on Inside, with formula and source"),
            )  # fmt: skip
    if has_page("train"):
        for key, settings in passage.literal.items():
            values = ", ".join(f"{name}={value}" for name, value in settings.items())
            st.page_link(
                "pages/train.py", label=_("Train: {settings}").format(settings=safe(values)),
                query_params=place.elsewhere(pick=ModelChoice(key, settings).encode()),
                icon=":material/model_training:",
                help=_("{model} with the settings closest to the text").format(model=services.model_title(key)),
            )  # fmt: skip


def _pages(passage: Passage) -> None:
    for page in PAGES:
        if page.key in passage.pages and has_page(page.key):
            st.page_link(page.path, label=_(page.title), icon=page.icon, query_params=place.elsewhere())
