"""Parts of a long page that are drawn when somebody comes near them: a page full of pictures else takes over a second.

`?view=whole` in the address draws all parts at once, for a printer.
"""

import streamlit as st

from pages.ui import state

WATCH = """export default function ({ parentElement, data, setTriggerValue }) {
  const app = document.querySelector("[data-testid=stApp]");
  const near = new Set();
  let soon, asked = 0, touched = 0;
  const touch = () => { touched = Date.now(); };
  // a question asked while a click still waits for its answer would call the page back that the click leads away from
  const busy = () => app.dataset.testScriptState !== "notRunning" || Date.now() - touched < 1000;
  const ask = () => {
    if (!near.size || busy() || Date.now() - asked < 2000) return;
    asked = Date.now();
    setTriggerValue("near", [...near]);
  };
  const notice = entries => {
    for (const { target, isIntersecting } of entries)
      isIntersecting ? near.add(target.dataset.part) : near.delete(target.dataset.part);
    clearTimeout(soon);
    soon = setTimeout(ask, 200);  // not for somebody who scrolls past
  };
  const again = setInterval(ask, 250);  // what could not be asked at once
  const root = document.querySelector("[data-testid=stMain]");
  const observer = new IntersectionObserver(notice, { root, rootMargin: "300px 0px" });
  for (const part of data.parts) {
    const place = document.querySelector(`.st-key-later_${part}`);
    if (place) { place.dataset.part = part; observer.observe(place); }
  }
  for (const event of ["click", "keydown"]) document.addEventListener(event, touch, true);
  parentElement.stopWatching?.();
  parentElement.stopWatching = () => {
    observer.disconnect();
    clearTimeout(soon);
    clearInterval(again);
    for (const event of ["click", "keydown"]) document.removeEventListener(event, touch, true);
  };
  return parentElement.stopWatching;
}"""
PREFIX = "near_"


class Parts:
    """The parts of a page, or of one fragment of it, that wait for somebody to come near; it is made anew then."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def draws(self, name: str, *, height: int, at_once: bool = False) -> bool:
        """Return whether a part is drawn now; if not, its place is kept free.

        Args:
            name: Of the part: letters, digits and underscores.
            height: Pixels that it will take, so that nothing below moves by much.
            at_once: Draw it from the beginning.
        """
        if at_once or state.is_whole() or st.session_state.get(PREFIX + name):
            return True
        st.container(key=f"later_{name}", height=height, border=False).empty()
        self._waiting.append(name)
        return False

    def watch(self) -> None:
        """Look from here on who comes near; after the last part."""
        if not self._waiting:
            return

        def come() -> None:
            watch = st.session_state.get("watch")  # not there if the page was just made anew: it is asked again then
            for name in (watch.near if watch else None) or ():
                st.session_state[PREFIX + str(name)] = True

        component = st.components.v2.component("recscope_watch", js=WATCH)
        component(key="watch", data={"parts": self._waiting}, on_near_change=come)


def forget() -> None:
    """Begin anew on a page that somebody has just come to."""
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
