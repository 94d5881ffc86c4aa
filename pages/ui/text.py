"""Page texts: the language of a session, number formats, and escaping of untrusted text for Markdown.

Messages are those of `recsys_core.text`; each script run and each fragment of a page starts with `speak`.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui import once, state
from recsys_core import text
from recsys_core.text import later, percent

__all__ = [
    "NAMES", "_", "count", "fragment", "language", "later", "n_", "paragraph", "percent", "safe", "safe_paragraphs",
    "seconds", "size", "speak",
]  # fmt: skip

NAMES = {"en": "English", "de": "Deutsch", "zh": "中文"}

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-!|<>$~^])")
_SHORTCODE = re.compile(r":(?=\w)")
_NOT_A_LINK = re.compile(r"(?<=\w)(?=\.[A-Za-z]{2})|(?<=\w)(?=@\w)|(?<=[a-z])(?=://)")
ZERO_WIDTH = "\u200b"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"
P = ParamSpec("P")
T = TypeVar("T")


def language() -> str:
    """Return the language of this session: that of `?lang=` if there is a catalogue for it."""
    requested = state.get("lang") or text.ENGLISH
    return requested if requested in text.languages() else text.ENGLISH


def speak() -> None:
    """Use the language of this session; first call of each script run, which is a thread of its own."""
    if get_script_run_ctx(suppress_warning=True) is not None:
        once.value("language", lambda: text.use(language()))


def _(message: str) -> str:
    """Return a message in the language of this session, also in a callback, which runs before the script."""
    speak()
    return text._(message)


def n_(singular: str, plural: str, number: int) -> str:
    """Return the form of a message for a number, with `{n}` replaced by the number."""
    speak()
    return text.n_(singular, plural, number)


def paragraph(message: str, /, **values: object) -> None:
    """Show a message in the language of this session as a paragraph of Markdown, with `values` in its placeholders."""
    st.markdown(_(message).format(**values) if values else _(message))


def fragment(run: Callable[P, T], *, run_every: float | None = None) -> Callable[P, T]:
    """Return a Streamlit fragment in the language of this session: it reruns in a thread that starts in English."""

    @wraps(run)
    def in_session_language(*args: P.args, **kwargs: P.kwargs) -> T:
        speak()
        return run(*args, **kwargs)

    return st.fragment(in_session_language, run_every=run_every)


def count(number: float) -> str:
    """Return a count with thousands separators: 25,000,095."""
    return f"{number:,.0f}"


def score_text(score: float) -> str:
    """Return a score with three significant digits, or all of its whole part: 0.200; 9.00; 3,428."""
    return f"{score:,.0f}" if abs(score) >= 100 else f"{score:#.3g}".rstrip(".")


def seconds(duration: float) -> str:
    """Return a readable duration: 0.4 s, 42 s, 3 min 20 s, 2 h 5 min."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 60:
        return f"{duration:.0f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(n_bytes: float) -> str:
    """Return a readable size in bytes, in powers of 1024."""
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} GiB"


def safe(text: object) -> str:
    """Return untrusted text escaped so that Markdown shows it literally: no link, image, formula or icon.

    Text with letters that are written from right to left is isolated, so that numbers beside it keep their place.
    """
    escaped = _MARKDOWN.sub(r"\\\1", str(text).replace("\n", " ").replace("&", "&amp;"))
    shown = _NOT_A_LINK.sub(ZERO_WIDTH, _SHORTCODE.sub(":" + ZERO_WIDTH, escaped))
    return f"{ISOLATE}{shown}{END_OF_ISOLATE}" if _RIGHT_TO_LEFT.search(shown) else shown


def safe_paragraphs(text: str) -> str:
    """Return longer untrusted text with its line breaks, escaped for Markdown like `safe`."""
    return "  \n".join(safe(line) for line in text.strip().splitlines())
