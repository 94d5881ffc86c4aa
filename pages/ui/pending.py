"""What a page shows while something is computed beside it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.ui.text import safe, seconds
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.serving.background import Ticket

T = TypeVar("T")
PATIENCE_SECONDS = 0.8
"""The page waits so long before it shows a bar instead."""
LOOK_AGAIN_SECONDS = 0.7


def all_of(tickets: "Sequence[Ticket[T]]") -> None:
    """Give several pieces of work the patience of one together, before they are shown one after the other."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for ticket in tickets:
        ticket.wait(max(0.0, deadline - time.monotonic()))


def outcome(ticket: "Ticket[T]", words: str, patience: float | None = None) -> "T | None":
    """Return what came out; None with a bar or with the reason if there is nothing (yet). The page is drawn anew then.

    Args:
        ticket: Of the work.
        words: What is being computed, as the bar says it.
        patience: Seconds to wait before a bar is shown instead.
    """
    if not ticket.wait(PATIENCE_SECONDS if patience is None else patience):
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
