"""Asking trained models: those made of arrays in this process, those that need torch in one that keeps them loaded.

A page says what it wants to know, by the names of `recsys_core.serving.requests`, and not where that is computed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services

if TYPE_CHECKING:
    from recsys_core.contracts import RunContext
    from recsys_core.serving.background import Background, Ticket
    from recsys_core.serving.model_server import Answers
    from recsys_core.serving.requests import Trained

WAITING_THREADS = 8
"""They wait for the other process and compute nothing."""


@dataclass(frozen=True)
class Named:
    """A finished model.

    Args:
        root: Folder of the workspace.
        run: The experiment.
        id: Of its job.
        key: Its algorithm.
    """

    root: str
    run: str
    id: str
    key: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process keeps it loaded, so that an answer may take a moment."""
        from recsys_core.models.registry import model_class

        return model_class(self.key).info.runtime == "torch"

    @property
    def stamp(self) -> int:
        """What changes when it is trained again."""
        from recsys_core.serving.requests import stamp

        return stamp(Path(self.root), self.run, self.id)


def ticket(model: Named, question: str, *about: object, **arguments: Any) -> "Ticket[Any]":
    """Return the ticket of the answer to a question, which is found beside the page.

    Args:
        model: A finished model.
        question: What is asked, a name in `requests.QUESTIONS`.
        *about: What the arguments depend on, in a form that can be compared: the key of a person, an item, ...
        **arguments: What the question takes.
    """
    pool = _waiting() if model.is_elsewhere else services.background()
    name = (question, model, *about)
    return pool.ask(name, model.stamp, lambda ctx: ask(model, question, ctx, **arguments))


def give_up(model: Named, question: str, *about: object) -> None:
    """Stop what is under way to answer a question that takes no arguments; asked again, it begins anew.

    An answer that is there already stays.
    """
    under_way = ticket(model, question, *about)
    if not under_way.is_done:
        under_way.give_up()


def outcome(
    model: Named, question: str, words: str, *about: object, patience: float | None = None, **arguments: Any
) -> Any:
    """Return the answer of a model in this process at once; of another one when it is there, None with a bar meanwhile.

    Args:
        model: A finished model.
        question: What is asked.
        words: What is being done, as the bar says it.
        *about: See `ticket`.
        patience: Seconds to wait for another process before the bar is shown.
        **arguments: What the question takes.

    Raises:
        RecscopeError: A model in this process has no answer; what another process says is shown instead.
    """
    if not model.is_elsewhere:
        return ask(model, question, None, **arguments)
    return pending.outcome(ticket(model, question, *about, **arguments), words, patience)


def ask(model: Named, question: str, ctx: "RunContext | None", **arguments: Any) -> Any:
    """Return the answer; waits for it.

    Raises:
        RecscopeError: There is none, with the reason.
    """
    from recsys_core.contracts import RunContext
    from recsys_core.serving.requests import question as known

    if model.is_elsewhere:
        return _answers().ask(model.root, model.run, model.id, question, ctx=ctx, **arguments)
    return known(question).answer(_trained(model, model.stamp), ctx or RunContext(), **arguments)


@st.cache_resource(max_entries=8, show_spinner=False)
def _trained(model: Named, stamp: int) -> "Trained":
    """Return a trained model of this process, read anew if it was trained again."""
    from recsys_core.serving.requests import Trained

    return Trained(Path(model.root), model.run, model.id, services.dataset)


@st.cache_resource(show_spinner=False)
def _answers() -> "Answers":
    """Return the process that keeps models of torch; it is started when it is first asked, and ends with this one."""
    from recsys_core.serving.model_server import Answers

    return Answers()


@st.cache_resource(show_spinner=False)
def _waiting() -> "Background":
    from recsys_core.serving.background import Background

    return Background(threads=WAITING_THREADS)
