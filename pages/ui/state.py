"""Session state: ids and small plain values. What can be linked to is also in the URL.

Streamlit clears the URL parameters when the page changes, and the session when the tab is reloaded. Each name is
therefore stored in both places, and `sync` restores whichever is empty.
"""

import streamlit as st

NAMES = (
    "data", "run", "runs", "model", "models", "user", "item", "segment", "history", "show", "seed", "lang", "view",
    "intake", "example", "strategy", "tuning", "lesson", "values", "learned", "section", "text", "pick", "split",
    "matrix", "cards",
)  # fmt: skip
"""URL parameters: data set, experiment, experiments chosen in the table, model, models side by side, user, item,
segment, edited history, part of a page, seed, language, view, upload session, example, saved strategy, tuning, lesson
with its step, what the learner changed, progress in all lessons, section of the source document and how it is shown,
model and split that a page opens with, a teacher's rating matrix, cards of a strategy that are not saved."""
BELOW = {
    "data": ("run", "model", "models", "user", "item", "segment", "history", "strategy", "cards", "tuning"),
    "run": ("model", "models"),
}
"""Parameters that become invalid when another parameter changes."""
ONE_PAGE = ("pick", "split", "cards")
"""Parameters that are dropped when the page changes: they say what one page opens with, or are long."""
DEMO, WHOLE, PRESENT = "demo", "whole", "present"


def _key(name: str) -> str:
    return f"address_{name}"


def sync() -> None:
    """Read the URL parameters and restore lost ones; runs first in every script run."""
    for name in NAMES:
        if name in st.query_params:
            st.session_state[_key(name)] = st.query_params[name]
        elif name in ONE_PAGE:
            st.session_state.pop(_key(name), None)
        elif st.session_state.get(_key(name)):
            st.query_params[name] = st.session_state[_key(name)]


def get(name: str) -> str | None:
    """Return the value of a URL parameter, None if it is not set."""
    return st.session_state.get(_key(name)) or None


def put(name: str, value: str | None) -> None:
    """Set one parameter in session and URL; leave the others unchanged."""
    if value:
        st.session_state[_key(name)] = value
        st.query_params[name] = value
        return
    st.session_state.pop(_key(name), None)
    st.query_params.pop(name, None)


def choose(name: str, value: str | None) -> None:
    """Set one parameter and clear those that depended on its old value, such as an experiment of another data set."""
    if value == get(name):
        return
    put(name, value)
    for lower in BELOW.get(name, ()):
        put(lower, None)


def current() -> dict[str, str]:
    """Return all parameters that are set, as in the URL."""
    return {name: value for name in NAMES if (value := get(name))}


def arrives(page: str) -> bool:
    """Return whether this is the first script run after a page change."""
    before = st.session_state.get("page_now")
    if page == before:
        return False
    st.session_state["page_now"] = page
    st.session_state["page_by_link"] = before is None
    return True


def came_by_link() -> bool:
    """Return whether the page is the first of its session, so that its URL determines what is shown."""
    return bool(st.session_state.get("page_by_link"))


def is_demo() -> bool:
    """Return whether controls and parameters are hidden, for a projector."""
    return get("view") in (DEMO, PRESENT)


def is_presenting() -> bool:
    """Return whether the comparison is shown as slides."""
    return get("view") == PRESENT


def is_whole() -> bool:
    """Return whether the whole page is drawn at once, for printing."""
    return get("view") == WHOLE


def bump(key: str) -> None:
    """Change a widget's key from the next run on: the only way to empty an uploader and free its bytes."""
    st.session_state[f"{key}_version"] = st.session_state.get(f"{key}_version", 0) + 1


def versioned(key: str) -> str:
    """Return the current key of a widget that `bump` resets."""
    return f"{key}_{st.session_state.get(f'{key}_version', 0)}"
