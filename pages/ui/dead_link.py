"""A link to something that does not exist: what is missing, and what can be opened instead."""

from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.ui import state
from pages.ui.text import _, safe
from recsys_core.errors import Damaged, Missing, RecscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
OFFERED = 5
"""Number of entries offered, newest first."""
ELSEWHERE = {"data": "data", "run": "home"}
"""URL parameter -> page that lists all entries."""


def offer(name: str, title: str, options: dict[str, str]) -> None:
    """Show what is missing and offer the newest entries instead; the page stops if there are any.

    Args:
        name: URL parameter of the missing entry.
        title: What is missing, safe for Markdown.
        options: Value of the parameter -> display name, newest first.
    """
    if not options:
        st.warning(title)
        state.choose(name, None)
        return
    with st.container(border=True, key=f"dead_{name}", width="stretch"):
        st.subheader(title, anchor=False)
        st.markdown(_("It was deleted, or the link was made in another workspace. Open another one:"))
        for one, label in list(options.items())[:OFFERED]:
            st.button(
                safe(label),
                key=f"dead_{name}_{one}",
                icon=":material/arrow_forward:",
                on_click=state.choose,
                args=(name, one),
            )
        _all(name, len(options))
    st.stop()


def opened(open_: "Callable[[str], T]", requested: str | None) -> T | None:
    """Return what a link names; None with the reason shown, on a page that is of use without it.

    Args:
        open_: Opens it by its id.
        requested: The id; None if the link names nothing.
    """
    if not requested:
        return None
    try:
        return open_(requested)
    except Missing as error:
        words = _("{error} It was deleted, or the link was made in another workspace.").format(error=error)
        st.warning(safe(words))
    except Damaged as error:
        st.warning(safe(error), icon=":material/heart_broken:")
    except RecscopeError as error:  # stored by another version, for example
        st.warning(safe(error))
    return None


def _all(name: str, count: int) -> None:
    """Show the link to the list of all entries, if some are not offered."""
    if count > OFFERED:
        st.page_link(
            f"pages/{ELSEWHERE[name]}.py",
            label=_("All {n}").format(n=count),
            query_params={one: value for one, value in state.current().items() if one != name},
        )
