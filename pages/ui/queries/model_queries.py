"""Queries to trained models: array models in this process, torch models in a process that keeps them loaded.

A page names the query (`recsys_core.serving.requests`), not where it is computed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services

if TYPE_CHECKING:
    from recsys_core.contracts import RunContext
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.experiments.spec import ModelSpec
    from recsys_core.serving.background import Background, Ticket
    from recsys_core.serving.model_server import Answers
    from recsys_core.serving.requests import Trained

WAITING_THREADS = 8
"""These threads wait for the other process and compute nothing."""


@dataclass(frozen=True)
class Named:
    """A finished model.

    Args:
        root: Folder of the workspace.
        run: The experiment.
        id: Id of its job.
        key: Its algorithm.
    """

    root: str
    run: str
    id: str
    key: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process holds the model, so that an answer may be delayed."""
        return services.model_info(self.key).runtime == "torch"

    @property
    def stamp(self) -> int:
        """Changes when the model is trained again."""
        from recsys_core.serving.requests import stamp

        return stamp(Path(self.root), self.run, self.id)


def named(run_id: str, model: "ModelSpec | Contender") -> Named:
    """Return a finished model of an experiment."""
    return Named(str(services.root()), run_id, model.id, model.key)


def ticket(model: Named, question: str, *about: object, **arguments: Any) -> "Ticket[Any]":
    """Return the ticket of a query, which is computed in the background.

    Args:
        model: A finished model.
        question: The query, a name in `requests.QUESTIONS`.
        *about: What the arguments depend on, in comparable form: the key of a user, an item, ...
        **arguments: Arguments of the query.
    """
    threads = pool(model, question=question)
    return threads.ask((question, model, *about), model.stamp, lambda ctx: ask(model, question, ctx, **arguments))


def pool(model: Named, purpose: str = "computing", *, question: str = "") -> "Background":
    """Return the threads that wait for another process; for a query in this process, those of a purpose."""
    if _is_elsewhere(model, question):
        return services.background("models elsewhere", WAITING_THREADS)
    return services.background(purpose)


def give_up(model: Named, question: str, *about: object) -> None:
    """Cancel a running query without arguments; a later query starts again.

    A finished answer is kept.
    """
    under_way = ticket(model, question, *about)
    if not under_way.is_done:
        under_way.cancel()


def outcome(
    model: Named, question: str, words: str, *about: object, patience: float | None = None, **arguments: Any
) -> Any:
    """Return the answer of a query; for a model in another process None, with a progress bar, until it is there.

    Args:
        model: A finished model.
        question: The query.
        words: Label of the progress bar.
        *about: See `ticket`.
        patience: Seconds to wait for another process before the progress bar is shown.
        **arguments: Arguments of the query.

    Raises:
        RecscopeError: A model in this process has no answer; errors of another process are shown instead.
    """
    if not model.is_elsewhere:
        return ask(model, question, None, **arguments)
    return pending.outcome(ticket(model, question, *about, **arguments), words, patience)


def ask(model: Named, question: str, ctx: "RunContext | None", **arguments: Any) -> Any:
    """Return the answer of a query, waiting for it.

    Raises:
        RecscopeError: There is none, with the reason.
    """
    from recsys_core.contracts import RunContext
    from recsys_core.serving.requests import question as known

    if _is_elsewhere(model, question):
        return answers().ask(model.root, model.run, model.id, question, ctx=ctx, **arguments)
    return known(question).answer(_trained(model, model.stamp), ctx or RunContext(), **arguments)


def _is_elsewhere(model: Named, question: str) -> bool:
    """Return whether another process answers: it holds the model, or trains models for the answer."""
    from recsys_core.serving.requests import question as known

    return model.is_elsewhere or (bool(question) and known(question).trains)


@st.cache_resource(max_entries=12, show_spinner=False)
def _trained(model: Named, stamp: int) -> "Trained":
    """Return a trained model in this process, reloaded if it was trained again."""
    from recsys_core.serving.requests import Trained

    return Trained(Path(model.root), model.run, model.id, services.dataset)


@st.cache_resource(show_spinner=False)
def answers() -> "Answers":
    """Return the process that holds torch models; it is started on first use and ends with this one."""
    from recsys_core.serving.model_server import Answers

    return Answers()
