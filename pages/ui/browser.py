"""Clicks that are on their way to the server, and the history of the browser."""

import streamlit as st

CLICKS = """export default function () {
  if (document.recscopeClicks) return;
  const app = document.querySelector("[data-testid=stApp]");
  const after = milliseconds => ({ path: location.pathname, until: Date.now() + milliseconds });
  let answered = 0, left = navigator.userActivation?.isActive ? after(3000) : null;  // a click may precede this script
  let used = null;  // path of the page on which the user has clicked or typed since it appeared
  const push = history.pushState.bind(history);
  history.pushState = (data, title, url) => {
    const here = location.pathname, stays = new URL(url ?? "", location.href).pathname === here;
    const filled = used !== here || left?.path === here;  // not by the user: before any use, or on the way out
    stays && filled ? history.replaceState(data, title, url) : push(data, title, url);
  };
  const pending = () => Date.now() < answered || (left?.path === location.pathname && Date.now() < left.until);
  document.recscopeClicks = { pending };
  const notice = event => {
    // a link always leaves the page; any other click or key is pending until the script runs, at most three seconds
    answered = Date.now() + 3000;
    if (event.type !== "click") return;
    const link = event.target.closest?.("a[href]:not([target=_blank])");
    left = link && new URL(link.href).pathname !== location.pathname ? after(60000) : null;
  };
  const uses = event => { if (event.isTrusted) used = location.pathname; };
  for (const event of ["click", "keydown"]) {
    document.addEventListener(event, notice, true);
    document.addEventListener(event, uses, true);
  }
  addEventListener("popstate", () => { left = used = null; });
  const runs = () => { if (app.dataset.testScriptState !== "notRunning") answered = 0; };
  new MutationObserver(runs).observe(app, { attributeFilter: ["data-test-script-state"] });
}"""
"""Tells the watcher of `lazy_sections` whether a click is on its way: a trigger sent meanwhile would reopen the page
that it leaves.

Parameters that a page fills in before anybody has used it, such as its default user, replace the entry of the browser's
history; each would be one more press of Back.
"""


def watch_clicks() -> None:
    """Start noticing clicks, once per visit; the frame calls it, since the watcher is mounted later."""
    with st.container(key="clicks"):  # hidden
        st.components.v2.component("recscope_clicks", js=CLICKS)(key="noticed")
