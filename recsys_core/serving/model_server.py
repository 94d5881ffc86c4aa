"""Client of the model process: trained models and their libraries live in a child process, not in the web process.

    answers = Answers()
    trace = answers.ask(root, run_id, model_id, "trace", query=query)

`requests.QUESTIONS` lists the available questions; `messages` defines the protocol between the two processes.
"""

import atexit
import contextlib
import itertools
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled, NoAnswer
from recsys_core.serving.messages import Cancel, Connection, Kind, Request, Response, unpacked
from recsys_core.serving.requests import Priority
from recsys_core.serving.requests import question as known
from recsys_core.storage.processes import start_python
from recsys_core.text import _

logger = logging.getLogger(__name__)
PROCESS = ("-m", "recsys_core.serving.model_process")
PATIENCE_SECONDS = 120.0
"""A process that sends nothing for this long during a request is killed; long requests send heartbeats."""
POLL_SECONDS = 0.1
STARTING_SECONDS = 60.0
"""Additional time to load libraries on a busy machine."""
ENDING_SECONDS = 5.0
"""Time to exit for a process that has closed its end of the pipe."""
ATTEMPTS = 2
"""A request is repeated once if the process ended: the cause may have been unrelated."""
SILENT = (
    "The model gave no answer for {seconds} seconds, so its process was restarted. "
    "Try again, with a shorter history if it is very long."
)
HUNG = (
    "The computation made no progress for {seconds} seconds, so its process was ended and the work is lost. "
    "Try again when the machine is less busy; if it happens again, the model or the data exceed this machine."
)
"""Message for requests of the priorities USER and BATCH, which send heartbeats between their steps."""


class Answers:
    """A process that answers questions about trained models: started on first use, restarted when it has ended.

    Any thread may ask. Requests of the same priority are answered one after the other, in parallel to other
    priorities. The process ends with this one, however this one ends.

    Args:
        process: Arguments of Python to start it; the file descriptor of its end of the pipe is appended.
        patience: Timeout in seconds without a message during a request, after which the process is killed.
    """

    def __init__(self, process: Sequence[str] = PROCESS, patience: float = PATIENCE_SECONDS) -> None:
        self._process = tuple(process)
        self._patience = patience
        self._lock = threading.Lock()
        self._child: _Child | None = None
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Process id, None if no process is running."""
        child = self._child
        return child.process.pid if child is not None and child.is_running else None

    def ask(
        self,
        root: Path | str,
        run_id: str,
        model_id: str,
        question: str,
        *,
        ctx: RunContext | None = None,
        **arguments: Any,
    ) -> Any:
        """Return the answer to a question about a trained model; blocks until it is available.

        Args:
            root: The workspace's folder.
            run_id: The experiment.
            model_id: A finished model of it.
            question: A name in `requests.QUESTIONS`.
            ctx: Receives the progress; its `stop_requested` cancels the request.
            **arguments: Arguments of the question, by name.

        Raises:
            NoAnswer: The process ended twice, timed out, or had an unexpected error.
            Cancelled: `ctx` requested a stop.
            ConfigError: The question does not exist.
            RecscopeError: Raised by the question itself: the model is missing, does not support it, ...
        """
        ctx = ctx or RunContext()
        priority = known(question).priority
        for _unused in range(ATTEMPTS):
            child = self._running()
            request = Request(next(child.numbers), Path(root), run_id, model_id, question, arguments)
            try:
                return child.ask(request, ctx, self._patience, priority)
            except _Ended as error:
                ending = str(error)
                logger.warning("The model process ended: %s", ending)
        raise NoAnswer(
            _(
                "The process that holds the trained models {ending} during this request, and again "
                "after a restart. Close other programs if memory is short, then try again."
            ).format(ending=ending)
        )

    def close(self) -> None:
        """End the process; the next request starts a new one."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _running(self) -> "_Child":
        with self._lock:
            if self._child is None or not self._child.is_running:
                self._child = _Child(self._process)
            return self._child


class _Ended(Exception):
    """The process ended; the message is a predicate such as `ended (status 1)`."""


class _Pending:
    """A request without an answer yet."""

    def __init__(self, priority: Priority) -> None:
        self.priority = priority
        self.response: Future[Response] = Future()
        self.progress: bytes | None = None
        self.last_message = time.monotonic()


class _Child:
    """One model process, with our end of the pipe."""

    def __init__(self, process: Sequence[str]) -> None:
        ours, theirs = Pipe()
        with theirs:
            self.process = start_python([*process, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        self._connection = Connection(ours)
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self.numbers = itertools.count()
        self.is_running = True
        self._is_ready = False
        threading.Thread(target=self._listen, name="answers", daemon=True).start()

    def ask(self, request: Request, ctx: RunContext, patience: float, priority: Priority) -> Any:
        """Send a request and wait for its answer.

        Raises:
            _Ended: The process has ended.
            NoAnswer: The process timed out and was killed.
            RecscopeError: Raised by the question.
        """
        pending = _Pending(priority)
        with self._lock:
            if not self.is_running:
                raise _Ended(self._ending())
            self._pending[request.number] = pending
        try:
            with contextlib.suppress(OSError):  # the process ended: the listening thread handles that
                self._connection.send(request)
            response = self._wait(request, pending, ctx, patience)
        finally:
            with self._lock:
                self._pending.pop(request.number, None)
        content = unpacked(response.content)
        if response.kind is Kind.ERROR:
            raise content
        return content

    def end(self) -> None:
        """Kill the process and wait until it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def _wait(self, request: Request, pending: _Pending, ctx: RunContext, patience: float) -> Response:
        """Return the answer when it is there; meanwhile forward progress and check for cancellation and timeout."""
        while True:
            with contextlib.suppress(TimeoutError):
                return pending.response.result(POLL_SECONDS)
            if pending.progress is not None:
                progress, pending.progress = pending.progress, None
                ctx.report(unpacked(progress))
            if ctx.stop_requested():
                with contextlib.suppress(OSError):
                    self._connection.send(Cancel(request.number))
                raise Cancelled(_("The request was cancelled."))
            if time.monotonic() - pending.last_message > (patience if self._is_ready else patience + STARTING_SECONDS):
                self.end()
                message = SILENT if pending.priority is Priority.INTERACTIVE else HUNG
                raise NoAnswer(message.format(seconds=f"{patience:g}"))

    def _listen(self) -> None:
        """Dispatch responses until the process has ended; the body of a thread."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._dispatch(self._connection.receive())
        with self._lock:
            self.is_running = False
            unanswered = list(self._pending.values())
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
        self._connection.close()
        for pending in unanswered:
            if not pending.response.done():
                pending.response.set_exception(_Ended(self._ending()))

    def _dispatch(self, response: Response) -> None:
        with self._lock:
            pending = self._pending.get(response.number)
            for other in self._pending.values():
                if not self._is_ready or (pending is not None and other.priority is pending.priority):
                    other.last_message = time.monotonic()  # queued behind the request that is being processed
            self._is_ready = True
        if pending is None or response.kind is Kind.ALIVE:
            return
        if response.kind is Kind.PROGRESS:
            pending.progress = response.content
        else:
            pending.response.set_result(response)

    def _ending(self) -> str:
        """Return how the process ended, as a predicate."""
        status = self.process.wait()
        if status >= 0:
            return f"ended (status {status})"
        name = signal.Signals(-status).name
        return f"was killed from outside ({name}; the system does this when memory runs out)"
