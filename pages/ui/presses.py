"""Presses of buttons that act on what the page holds, noted when they happen and taken up where the script can act.

A callback would run with the values that widgets had when the button was drawn: what was typed just before the press
arrives with it, in one script run. And a press that the script asks about at the button alone is lost if another event
restarts the script before, such as the end of a training, or the closing of a form by the same click.
"""

import time

import streamlit as st

MOMENT_SECONDS = 60.0
"""How long a press stays valid, in seconds: returning to the page later starts nothing."""


def note(button: str) -> None:
    """Note a press; callback of the button.

    Args:
        button: Session key of the press.
    """
    st.session_state[button] = time.monotonic()


def was_noted(button: str) -> bool:
    """Return, once, whether a button was pressed recently."""
    pressed: float | None = st.session_state.pop(button, None)
    return pressed is not None and time.monotonic() - pressed < MOMENT_SECONDS
