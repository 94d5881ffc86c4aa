"""Progress display for background computations."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from pages.ui.text import fragment, safe, seconds
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.serving.background import Ticket

T = TypeVar("T")
PATIENCE_SECONDS = 0.8
"""Seconds the page waits before it shows a progress bar."""
LOOK_AGAIN_SECONDS = 0.7


def all_of(tickets: "Collection[Ticket[Any]]") -> bool:
    """Wait for several tickets together, as long as for one; return whether all are done."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    return all(ticket.wait(max(0.0, deadline - time.monotonic())) for ticket in tickets)


def outcome(ticket: "Ticket[T]", words: str, patience: float | None = None) -> "T | None":
    """Return the result; None, with a progress bar or an error message, if there is none. The page reruns when done.

    The bar or the message is in a container that is there without them, too: an element whose number in the page
    changes is drawn anew, and what is being typed into it is lost.

    Args:
        ticket: Ticket of the computation.
        words: Label of the progress bar.
        patience: Seconds to wait before the progress bar is shown.
    """
    with st.container():
        if not ticket.wait(PATIENCE_SECONDS if patience is None else patience):
            fragment(_bar, run_every=LOOK_AGAIN_SECONDS)(ticket, words, time.monotonic())
            return None
        try:
            return ticket.result()
        except RecscopeError as error:
            st.error(safe(error))
            return None


def _bar(ticket: "Ticket[T]", words: str, since: float) -> None:
    if ticket.is_done:
        st.empty()  # here Streamlit takes up what the user asked for meanwhile; a rerun would replace a change of page
        st.rerun()
    from recsys_core.viz.progress import stage_text

    parts = [words, safe(stage_text(ticket.progress.stage)), seconds(time.monotonic() - since)]
    st.progress(ticket.fraction or 0.0, " · ".join(part for part in parts if part))
