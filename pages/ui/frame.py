"""The frame around every page: window title, language, navigation, and sidebar.

Streamlit runs `pages/x.py` alone for the URL `/x` until `st.navigation` has been called once in the process. Every
page therefore starts with `ensure_frame()`, which runs the app around the page and stops.
"""

import gc
import time
from typing import NoReturn

import streamlit as st

from pages.ui import once, state
from pages.ui.navigation import PAGES, has_page
from pages.ui.text import _, safe, speak
from recsys_core.errors import StoreError

gc.freeze()  # objects loaded by Streamlit stay alive: excluding them speeds up the collections during the first page

PRODUCT = "Recscope"
ICON = "🔭"
"""Without an emoji, the browser would request a font from the internet; for a file, Streamlit would load numpy."""
STYLE = (
    """<style>
[data-testid=stHeader], [data-testid=stSidebarHeader] { height: 3rem; min-height: 3rem; }
[data-testid=stSidebarHeader]::before, [data-testid=stHeader] div:has(> [data-testid=stExpandSidebarButton])::after {
  content: "PRODUCT"; font-size: 1.15rem; font-weight: 650; white-space: nowrap; align-self: center;
}
[data-testid=stHeader] div:has(> [data-testid=stExpandSidebarButton]) { display: flex; gap: 0.5rem; }
[data-testid=stLogoSpacer], [data-testid=stLayoutWrapper]:has(> .st-key-clicks) { display: none; }
[data-testid=stMainBlockContainer] { padding-top: 3.25rem; }
[data-testid=stMainBlockContainer] h1 { padding-top: 0.25rem; }
@media (min-width: 800px) {
  [data-testid=stMainBlockContainer] { padding-left: 3rem; padding-right: 3rem; }
  [data-testid=stApp]:not(:has([data-testid=stExpandSidebarButton])) {
    & [data-testid=stMainBlockContainer] { padding-top: 1rem; }
    & [data-testid=stHeader] { background: transparent; pointer-events: none; }
    & [data-testid=stHeader] :is(button, a, [data-testid=stStatusWidget]) { pointer-events: auto; }
  }
}
[data-testid=stApp] :is([role=tab][aria-selected=true], [role=radio][aria-checked=true]) {
  color: light-dark(#0b5cad, #7db8f5);
}
[data-testid=stPopoverButton][kind=tertiary]:is([aria-expanded=true], :hover, :focus-visible) {
  color: light-dark(#0b5cad, #7db8f5); }
[class*=st-key-terms_] { row-gap: 0; }
[class*=st-key-terms_] button { min-height: 1.75rem; }
.js-plotly-plot :is([class$=tick], .xtitle, .ytitle, .legendtext, .cbaxis, .cbtitle, .colorbar) text,
.js-plotly-plot text:is([class^=x][class$=title], [class^=y][class$=title], .cbtitle),
.js-plotly-plot text:is(.legendtext, .legendtitletext) { fill: currentColor !important; }
</style>"""
).replace("PRODUCT", PRODUCT)
"""The product name in sidebar and header, smaller margins, no blank band above the title, dense rows of terms, and
colors of charts and open terms with more contrast than those of the theme."""
WENT = "frame_went"
"""Session key of the last page change: from, to, and when."""
ON_THE_WAY_SECONDS = 2.0
"""Seconds during which a request for the previous page is treated as a late event."""


def go(key: str) -> NoReturn:
    """Open another page and keep the URL parameters."""
    st.session_state[WENT] = (st.session_state.get("page_now"), key, time.monotonic())
    _switch(key)


def _switch(key: str) -> NoReturn:
    st.switch_page(f"pages/{key}.py", query_params=state.current())
    raise AssertionError("st.switch_page does not return")


def _go_on(page: str) -> None:
    """Open the target of a recent `go` if the previous page is requested instead.

    Events that the browser sends before it knows the new page, such as timer ticks, still name the old one.
    """
    before, after, when = st.session_state.get(WENT, (None, None, 0.0))
    if page == before != after and time.monotonic() - when < ON_THE_WAY_SECONDS:
        _switch(after)


def run_app() -> None:
    """Show the frame and, inside it, the page in the URL.

    Damage found on disk ends the page with a message; the next listing sets the folder aside.
    """
    once.begin()
    try:
        page = _navigation()
        st.session_state["_in_app"] = True
        page.run()
    except StoreError as error:
        st.error(safe(error), icon=":material/heart_broken:")
        if has_page("data"):
            st.page_link(
                "pages/data.py", label=_("Open the list of stored and damaged data sets"), icon=":material/database:"
            )
    finally:
        st.session_state["_in_app"] = False
        once.end()


def ensure_frame() -> None:
    """Run the app around the page if Streamlit started the page alone; first call of every page."""
    if not st.session_state.get("_in_app"):
        run_app()
        st.stop()


def _navigation() -> st.Page:
    state.sync()
    speak()
    st.set_page_config(
        page_title=PRODUCT,
        page_icon=ICON,
        layout="wide",
        initial_sidebar_state="collapsed" if state.is_demo() else "auto",
        menu_items={
            "Get help": None,
            "Report a bug": None,
            "About": _("Recscope, a laboratory for recommender systems."),
        },
    )
    st.html(STYLE)
    page = st.navigation(
        [
            st.Page(info.path, title=_(info.title), icon=info.icon, url_path=info.key, default=info.key == "home")
            for info in PAGES
            if info.path.is_file()
        ],
        position="sidebar",
        expanded=True,
    )
    from pages.ui import browser, lazy_sections, pickers, services, sidebar

    _go_on(page.url_path)
    if state.arrives(page.url_path):
        lazy_sections.forget()
    pickers.follow_experiment()
    if state.get("data") is None:
        state.put("data", services.newest_data())
    if not state.is_demo():
        sidebar.show()
    with st.sidebar:  # last, so that nothing moves when it is hidden
        browser.watch_clicks()
    return page
