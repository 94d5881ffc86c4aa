"""Parts of a long page that are drawn when somebody comes near them: a page full of pictures else takes over a second.

`?view=whole` in the address draws all parts at once, for a printer.
"""

from collections.abc import Callable

import streamlit as st

from pages.shared import state

WATCH = """export default function ({ parentElement, setTriggerValue }) {
  const place = parentElement.host ?? parentElement;
  const ask = () => setTriggerValue("near", true);
  let soon, again;
  const stop = () => { clearTimeout(soon); clearInterval(again); };
  const observer = new IntersectionObserver(entries => {
    stop();
    if (!entries.at(-1).isIntersecting) return;  // somebody has scrolled past
    soon = setTimeout(ask, 200);
    again = setInterval(ask, 2000);  // a question is lost if the page is just then made anew
  }, { root: document.querySelector("[data-testid=stMain]"), rootMargin: "300px 0px" });
  observer.observe(place);
  return () => { observer.disconnect(); stop(); };
}"""
PREFIX = "near_"


def part(name: str, draw: Callable[[], None], *, height: int, at_once: bool = False) -> None:
    """Keep a place free and draw into it when it is nearly in sight; what is in it is a fragment.

    Args:
        name: Of the part; the same on every run of the page.
        draw: Shows the part.
        height: Pixels that it will take, so that nothing below moves by much.
        at_once: Draw it now.
    """
    if at_once or state.is_whole():
        st.session_state[PREFIX + name] = True
    st.fragment(_part)(name, draw, height)


def forget() -> None:
    """Begin anew on a page that somebody has just come to."""
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]


def _part(name: str, draw: Callable[[], None], height: int) -> None:
    if st.session_state.get(PREFIX + name):
        draw()
        return
    watch = st.components.v2.component("recscope_watch", js=WATCH)

    def come() -> None:
        st.session_state[PREFIX + name] = True

    watch(key=f"watch_{name}", height=height, on_near_change=come)
