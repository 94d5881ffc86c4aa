"""What a page shows while something is computed beside it."""

import time
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.shared.text import safe, seconds
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.engine.background import Ticket

T = TypeVar("T")
PATIENCE_SECONDS = 0.8
"""The page waits so long before it shows a bar instead."""
LOOK_AGAIN_SECONDS = 0.7


def outcome(ticket: "Ticket[T]", words: str) -> "T | None":
    """Return what came out; None with a bar or with the reason if there is nothing (yet). The page is drawn anew then.

    Args:
        ticket: Of the work.
        words: What is being computed, as the bar says it.
    """
    if not ticket.wait(PATIENCE_SECONDS):
        st.fragment(_bar, run_every=LOOK_AGAIN_SECONDS)(ticket, words, time.monotonic())
        return None
    try:
        return ticket.result()
    except RecscopeError as error:
        st.error(safe(error))
        return None


def _bar(ticket: "Ticket[object]", words: str, since: float) -> None:
    if ticket.is_done:
        st.rerun()
    parts = [words, safe(ticket.progress.stage), seconds(time.monotonic() - since)]
    st.progress(ticket.fraction or 0.0, " · ".join(part for part in parts if part))
