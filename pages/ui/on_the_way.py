"""Values that an event has just set, and that the browser's next event may overwrite with those from before.

An event sends the states of all widgets. One that the browser sends before it has drawn what the earlier event set
sends the states from before, besides that of the widget that was used.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import streamlit as st

SECONDS = 3.0
"""Seconds after an event during which the browser may not have drawn what it set."""
Place = TypeVar("Place")


def remember(key: str, values: "Mapping[Place, tuple[Any, Any]]") -> None:
    """Remember in session state under `key` what an event sets: each value before and after, equal if it stays."""
    st.session_state[key] = time.monotonic(), dict(values)


def overwritten(key: str, current: "Callable[[Place, Any], Any]") -> "dict[Place, Any]":
    """Return what the event set and the browser's next event overwrote, to be set again.

    The next event was sent too early if it differs less from the values before than from those after. If it differs
    from the values before in nothing, and only one value was set, the user may as well have set this one back.

    Args:
        key: That of `remember`.
        current: Returns the present value; the given one, which the event set, if there is no other.
    """
    when, values = st.session_state.get(key, (0.0, {}))
    present = {place: current(place, after) for place, (_before, after) in values.items()}
    changed = [place for place, (before, after) in values.items() if before != after]
    late = {place: values[place][1] for place in changed if present[place] == values[place][0]}
    to_before, to_after = (sum(present[place] != values[place][side] for place in values) for side in (0, 1))
    is_early = to_before < to_after and (to_before > 0 or len(changed) > 1)
    return late if is_early and time.monotonic() - when < SECONDS else {}
