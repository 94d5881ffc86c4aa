"""Asking trained models whose libraries the web process does not load: a child process keeps them and answers.

    answers = Answers()
    trace = answers.ask(root, run_id, model_id, "trace", query=query)

What can be asked is the table `requests.QUESTIONS`; how the two processes talk, `messages`.
"""

import atexit
import contextlib
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from recsys_core.contracts import RunContext
from recsys_core.errors import Cancelled, NoAnswer
from recsys_core.serving.messages import Asked, GivenUp, Kind, Line, Said, unpacked
from recsys_core.serving.requests import Lane
from recsys_core.serving.requests import question as known
from recsys_core.storage.processes import detached

logger = logging.getLogger(__name__)
PROJECT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "recsys_core.serving.model_process")
PATIENCE_SECONDS = 120.0
"""A process that says nothing for so long while it is asked is ended; long work says now and then that it goes on."""
LOOK_SECONDS = 0.1
STARTING_SECONDS = 60.0
"""So long it may take to load its libraries on a machine that is busy."""
ENDING_SECONDS = 5.0
"""A process that has closed its end of the pipe has so long to end by itself."""
ATTEMPTS = 2
"""A question is asked again once if the process ended meanwhile: it may have ended for another reason."""
SILENT = (
    "The model gave no answer for {seconds} seconds, so the process that holds it was restarted. "
    "Try again, with a shorter history if it has very many items."
)
HUNG = (
    "The work stood still for {seconds} seconds, without a step or a sign of life, so its process was ended and what "
    "it had done is lost. Try again when the machine has less else to do; if it stands still again, the model or the "
    "data are too large for this machine."
)
"""What is said of a question that takes long, whose work gives signs of life between its steps."""


class Answers:
    """A process that answers questions about trained models: started on first need, and anew when it has ended.

    Any thread may ask; the questions of a lane are answered one after the other, beside those of other lanes. The
    process ends with this one, however this one ends.

    Args:
        command: What to start; the number of its end of the pipe is added.
        patience: Seconds without a word from it while it is asked, after which it is ended.
    """

    def __init__(self, command: Sequence[str] = COMMAND, patience: float = PATIENCE_SECONDS) -> None:
        self._command = tuple(command)
        self._patience = patience
        self._lock = threading.Lock()
        self._child: _Child | None = None
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Number of the process, None if there is none."""
        child = self._child
        return child.process.pid if child is not None and child.is_there else None

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
        """Return the answer to a question about a trained model; waits for it.

        Args:
            root: The workspace's folder.
            run_id: The experiment.
            model_id: A finished model of it.
            question: A name in `requests.QUESTIONS`.
            ctx: Gets the progress, and is asked whether the answer is still wanted.
            **arguments: What that question takes, by name.

        Raises:
            NoAnswer: The process ended twice or fell silent, or stopped with an unexpected error.
            Cancelled: `ctx` says that the answer is not wanted any more.
            ConfigError: There is no such question.
            RecscopeError: What the question itself raises: the model is gone, it cannot answer this, ...
        """
        ctx = ctx or RunContext()
        lane = known(question).lane
        for _ in range(ATTEMPTS):
            child = self._running()
            asked = Asked(next(child.numbers), Path(root), run_id, model_id, question, arguments)
            try:
                return child.ask(asked, ctx, self._patience, lane)
            except _Ended as error:
                ending = str(error)
                logger.warning("The answering process ended: %s", ending)
        raise NoAnswer(
            f"The process that keeps the trained models {ending} while it was asked, and did so again when it was "
            "started anew. Close other programs if memory is short, then try again."
        )

    def close(self) -> None:
        """End the process; the next question starts another one."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _running(self) -> "_Child":
        with self._lock:
            if self._child is None or not self._child.is_there:
                self._child = _Child(self._command)
            return self._child


class _Ended(Exception):
    """The process ended; says how, to follow its name."""


class _Question:
    """A question that waits for its answer."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.answered = threading.Event()
        self.said: Said | None = None
        self.progress: bytes | None = None
        self.heard = time.monotonic()


class _Child:
    """One answering process with our end of the pipe to it."""

    def __init__(self, command: Sequence[str]) -> None:
        ours, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                cwd=PROJECT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                **detached(),  # what a terminal sends to the web server is not for this process
            )
        self._line = Line(ours)
        self._lock = threading.Lock()
        self._questions: dict[int, _Question] = {}
        self.numbers = itertools.count()
        self.is_there = True
        self._is_ready = False
        threading.Thread(target=self._listen, name="answers", daemon=True).start()

    def ask(self, asked: Asked, ctx: RunContext, patience: float, lane: Lane) -> Any:
        """Send a question and wait for its answer.

        Raises:
            _Ended: The process has ended.
            NoAnswer: It said nothing for so long, and was ended.
            RecscopeError: What the question raised.
        """
        waiting = _Question(lane)
        with self._lock:
            if not self.is_there:
                raise _Ended(self._how())
            self._questions[asked.number] = waiting
        try:
            with contextlib.suppress(OSError):  # it is gone: the listening thread will say so
                self._line.send(asked)
            self._wait(asked, waiting, ctx, patience)
        finally:
            with self._lock:
                self._questions.pop(asked.number, None)
        if waiting.said is None:
            raise _Ended(self._how())
        content = unpacked(waiting.said.content)
        if waiting.said.kind is Kind.ERROR:
            raise content
        return content

    def end(self) -> None:
        """End the process and wait for that."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def _wait(self, asked: Asked, waiting: _Question, ctx: RunContext, patience: float) -> None:
        """Wait for the answer; meanwhile pass progress on and look whether somebody still wants it."""
        while not waiting.answered.wait(LOOK_SECONDS):
            if waiting.progress is not None:
                progress, waiting.progress = waiting.progress, None
                ctx.report(unpacked(progress))
            if ctx.stop_requested():
                with contextlib.suppress(OSError):
                    self._line.send(GivenUp(asked.number))
                raise Cancelled("Nobody waits for the answer any more.")
            if time.monotonic() - waiting.heard > (patience if self._is_ready else patience + STARTING_SECONDS):
                self.end()
                raise NoAnswer((SILENT if waiting.lane is Lane.SHORT else HUNG).format(seconds=f"{patience:g}"))

    def _listen(self) -> None:
        """Hand out what the process says until it has ended."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._hear(self._line.receive())
        with self._lock:
            self.is_there = False
            left = list(self._questions.values())
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
        self._line.close()
        for waiting in left:
            waiting.answered.set()

    def _hear(self, said: Said) -> None:
        with self._lock:
            waiting = self._questions.get(said.number)
            for other in self._questions.values():
                if not self._is_ready or (waiting is not None and other.lane is waiting.lane):
                    other.heard = time.monotonic()  # it works on another one, and comes to this one later
            self._is_ready = True
        if waiting is None or said.kind is Kind.ALIVE:
            return
        if said.kind is Kind.PROGRESS:
            waiting.progress = said.content
        else:
            waiting.said = said
            waiting.answered.set()

    def _how(self) -> str:
        """Return how the process ended, to follow its name."""
        status = self.process.wait()
        if status >= 0:
            return f"ended (status {status})"
        name = signal.Signals(-status).name
        return f"was ended from outside ({name}; the system does so when memory runs out)"
