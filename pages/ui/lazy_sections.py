"""Sections of a long page that are drawn when scrolled near; drawing all charts at once takes over a second.

`?view=whole` in the URL draws all sections at once, for printing.
"""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import state

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

WATCH = """export default function ({ parentElement, data, setTriggerValue }) {
  const app = document.querySelector("[data-testid=stApp]");
  const near = new Set();
  let soon, asked = 0;
  const busy = () => app.dataset.testScriptState !== "notRunning" || (document.recscopeClicks?.pending() ?? true);
  const ask = () => {
    if (!near.size || busy() || Date.now() - asked < 2000) return;
    asked = Date.now();
    setTriggerValue("near", [...near]);
  };
  const notice = entries => {
    for (const { target, isIntersecting } of entries)
      isIntersecting ? near.add(target.dataset.part) : near.delete(target.dataset.part);
    clearTimeout(soon);
    soon = setTimeout(ask, 200);  // ignore sections that are only scrolled past
  };
  const root = document.querySelector("[data-testid=stMain]");
  const observer = new IntersectionObserver(notice, { root, rootMargin: "300px 0px" });
  const watched = new Map();
  const watch = () => {  // again and again: the browser may get the placeholder after this, or draw it anew
    for (const part of data.parts) {
      const place = document.querySelector(`.st-key-later_${part}`), before = watched.get(part);
      if (place === (before ?? null)) continue;
      if (before) { observer.unobserve(before); near.delete(part); watched.delete(part); }
      if (place) { place.dataset.part = part; observer.observe(place); watched.set(part, place); }
    }
  };
  watch();
  const again = setInterval(() => { watch(); ask(); }, 250);  // retry what was deferred
  parentElement.stopWatching?.();
  parentElement.stopWatching = () => {
    observer.disconnect();
    clearTimeout(soon);
    clearInterval(again);
  };
  return parentElement.stopWatching;
}"""
PREFIX = "near_"


class Parts:
    """The lazy sections of a page or fragment, which reruns when one comes into view."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def draws(self, name: str, *, height: int, at_once: bool = False) -> "DeltaGenerator | None":
        """Return the container of a section that is drawn now; None if not: then a placeholder keeps its place.

        Both are one element: the browser draws elements anew whose number in the page changes, and forgets what is
        being typed into them.

        Args:
            name: Name of the section: letters, digits and underscores.
            height: Expected height in pixels, so that the content below hardly moves.
            at_once: Draw it from the start.
        """
        if at_once or state.is_whole() or st.session_state.get(PREFIX + name):
            return st.container()
        st.container(key=f"later_{name}", height=height, border=False).empty()
        self._waiting.append(name)
        return None

    def watch(self) -> None:
        """Start watching the scroll position; call after the last section."""
        if not self._waiting:
            return

        def come() -> None:
            watch = st.session_state.get("watch")  # missing right after a rerun; the component sends it again
            for name in (watch.near if watch else None) or ():
                st.session_state[PREFIX + str(name)] = True

        component = st.components.v2.component("recscope_watch", js=WATCH)
        component(key="watch", data={"parts": self._waiting}, on_near_change=come)


def forget() -> None:
    """Reset the sections after a page change."""
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
