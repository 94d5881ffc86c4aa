"""What a session remembers: ids and small plain values. What can be linked to is in the address, too.

Streamlit empties the address when the page changes, and forgets the session when the tab is reloaded. So each name is
kept in both places, and `sync` fills whichever is empty.
"""

import streamlit as st

NAMES = ("data", "run", "model", "user", "seed", "lang", "view", "intake")
"""Parameters of the address: data set, experiment, model, user, seed, language, view, files being taken in."""
BELOW = {"data": ("run", "model", "user"), "run": ("model",)}
"""What no longer fits when something else is chosen."""
DEMO = "demo"


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


def is_demo() -> bool:
    """Return whether controls and parameters are hidden, for a projector."""
    return get("view") == DEMO


def bump(key: str) -> None:
    """Give a widget another key from the next run on: the only way to empty an uploader and free its bytes."""
    st.session_state[f"{key}_version"] = st.session_state.get(f"{key}_version", 0) + 1


def versioned(key: str) -> str:
    """Return the present key of a widget that `bump` empties."""
    return f"{key}_{st.session_state.get(f'{key}_version', 0)}"
