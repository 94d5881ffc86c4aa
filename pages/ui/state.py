"""What a session remembers: ids and small plain values. What can be linked to is in the address, too.

Streamlit empties the address when the page changes, and forgets the session when the tab is reloaded. So each name is
kept in both places, and `sync` fills whichever is empty.
"""

import streamlit as st

NAMES = ("data", "run", "model", "user", "item", "segment", "seed", "lang", "view", "intake", "example")
"""Parameters of the address: data set, experiment, model, user, item, segment of users, seed, language, view, files
being taken in, finished example."""
BELOW = {"data": ("run", "model", "user", "item", "segment"), "run": ("model",)}
"""What no longer fits when something else is chosen."""
DEMO, WHOLE = "demo", "whole"


def _key(name: str) -> str:
    return f"address_{name}"


def sync() -> None:
    """Take over what the address names, and put back what it has lost; first thing in every run of the script."""
    for name in NAMES:
        if name in st.query_params:
            st.session_state[_key(name)] = st.query_params[name]
        elif st.session_state.get(_key(name)):
            st.query_params[name] = st.session_state[_key(name)]


def get(name: str) -> str | None:
    """Return the value of a parameter of the address, None if it is not set."""
    return st.session_state.get(_key(name)) or None


def put(name: str, value: str | None) -> None:
    """Set one parameter, here and in the address, and leave the others."""
    if value:
        st.session_state[_key(name)] = value
        st.query_params[name] = value
        return
    st.session_state.pop(_key(name), None)
    st.query_params.pop(name, None)


def choose(name: str, value: str | None) -> None:
    """Set one parameter, and drop those that belonged to another choice: an experiment of another data set."""
    if value == get(name):
        return
    put(name, value)
    for lower in BELOW.get(name, ()):
        put(lower, None)


def current() -> dict[str, str]:
    """Return all parameters that are set, as they stand in the address."""
    return {name: value for name in NAMES if (value := get(name))}


def arrives(page: str) -> bool:
    """Return whether this is the first run on a page that somebody has just come to."""
    before = st.session_state.get("page_now")
    if page == before:
        return False
    st.session_state["page_now"] = page
    st.session_state["page_by_link"] = before is None
    return True


def came_by_link() -> bool:
    """Return whether the page is the first of its session: its address says what somebody wants to see."""
    return bool(st.session_state.get("page_by_link"))


def is_demo() -> bool:
    """Return whether controls and parameters are hidden, for a projector."""
    return get("view") == DEMO


def is_whole() -> bool:
    """Return whether all of a page is drawn at once, for a printer."""
    return get("view") == WHOLE


def bump(key: str) -> None:
    """Give a widget another key from the next run on: the only way to empty an uploader and free its bytes."""
    st.session_state[f"{key}_version"] = st.session_state.get(f"{key}_version", 0) + 1


def versioned(key: str) -> str:
    """Return the present key of a widget that `bump` empties."""
    return f"{key}_{st.session_state.get(f'{key}_version', 0)}"
