"""`python -m recsys_core.serving.model_process NUMBER`: keeps trained models loaded and answers the pages.

It is started by `model_server.Answers` with one end of a pipe (an open file of that number) and ends with the other
end, or when nobody has asked anything for a while. Each lane of `requests.Lane` has a thread and loaded models of its
own, so that a long question holds up no short one, and no model is asked twice at the same time.
"""

import argparse
import contextlib
import logging
import os
import queue
import threading
import time
from multiprocessing.connection import Connection

from recsys_core.contracts import Progress, RunContext
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import Cancelled, NoAnswer, RecscopeError
from recsys_core.experiments.resources import limited_threads
from recsys_core.serving.messages import Asked, GivenUp, Kind, Line, Said, packed
from recsys_core.serving.requests import Lane, Shelf, question
from recsys_core.storage.processes import give_way

logger = logging.getLogger(__name__)
NICENESS = 5
"""The page goes first, training last."""
IDLE_SECONDS = 1800.0
SECONDS_BETWEEN_NOTES = 0.1
SECONDS_BETWEEN_SIGNS = 1.0
NO_QUESTION = -1


class _Worker:
    """A thread that answers one question after the other, with models of its own."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._shelf = Shelf()
        self._waiting: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._given_up: set[int] = set()
        self.unanswered = 0
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def put(self, asked: Asked) -> None:
        """Take a question."""
        self.unanswered += 1
        self._waiting.put(asked)

    def give_up(self, number: int) -> None:
        """Stop at the next step if this question is under way or waits here."""
        self._given_up.add(number)

    def _work(self) -> None:
        while True:
            asked = self._waiting.get()
            said = self._said(asked)
            self._given_up.discard(asked.number)
            self.unanswered -= 1
            with contextlib.suppress(OSError):  # nobody is there to listen: the reading thread ends the process
                self._line.send(said)

    def _said(self, asked: Asked) -> Said:
        """Answer; every error becomes a message, so that the next question is answered."""
        try:
            return Said(asked.number, Kind.ANSWER, self._answer(asked))
        except RecscopeError as error:
            return Said(asked.number, Kind.ERROR, packed(error))
        except Exception as error:
            logger.exception("The question '%s' about %s/%s failed.", asked.question, asked.run_id, asked.model_id)
            words = (
                f"The model could not be asked: it stopped with an unexpected error "
                f"({type(error).__name__}: {error}). The log of the server says more."
            )
            return Said(asked.number, Kind.ERROR, packed(NoAnswer(words)))

    def _answer(self, asked: Asked) -> bytes:
        notes = _Notes(self._line, asked.number)

        def stop_requested() -> bool:
            notes.sign_of_life()
            return asked.number in self._given_up

        ctx = RunContext(report=notes, stop_requested=stop_requested, threads=usable_cores())
        if ctx.stop_requested():
            raise Cancelled("Nobody waits for the answer any more.")
        with limited_threads(ctx.threads):
            trained = self._shelf.take(asked.root, asked.run_id, asked.model_id)
            return packed(question(asked.question).answer(trained, ctx, **asked.arguments))


class _Notes:
    """Passes progress on, at most ten messages a second; while there is none, a sign of life, at most one a second.

    Work that asks whether it should stop is alive: training does so with every batch, however long an epoch takes.
    """

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._number = number
        self._held: Progress | None = None
        self._told = self._sent = 0.0

    def __call__(self, progress: Progress) -> None:
        self._held = progress
        self._tell_if_due()

    def sign_of_life(self) -> None:
        """Say that the work goes on, or what was held back of its progress."""
        if not self._tell_if_due() and time.monotonic() - self._sent >= SECONDS_BETWEEN_SIGNS:
            self._send(Said(self._number, Kind.ALIVE))

    def _tell_if_due(self) -> bool:
        """Pass the latest progress on unless the one before it went but a moment ago; return whether it went."""
        now = time.monotonic()
        if self._held is None or now - self._told < SECONDS_BETWEEN_NOTES:
            return False
        held, self._held, self._told = self._held, None, now
        self._send(Said(self._number, Kind.PROGRESS, packed(held)))
        return True

    def _send(self, said: Said) -> None:
        self._sent = time.monotonic()
        with contextlib.suppress(OSError):  # nobody is there to listen: the reading thread ends the process
            self._line.send(said)


def serve(line: Line, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer until the other end is gone or nobody has asked for so long."""
    workers = {lane: _Worker(line, lane) for lane in Lane}
    with contextlib.suppress(OSError):  # the other end has gone already: receiving will say so
        line.send(Said(NO_QUESTION, Kind.READY))
    while True:
        try:
            message = line.receive(idle_seconds)
        except (EOFError, OSError):
            return
        if isinstance(message, Asked):
            workers[question(message.question).lane].put(message)
        elif isinstance(message, GivenUp):
            for worker in workers.values():
                worker.give_up(message.number)
        elif not any(worker.unanswered for worker in workers.values()):
            return


def main() -> None:
    """Be the answering process."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys_core.serving.model_process", description="Answers the pages."
    )
    parser.add_argument("pipe", type=int, help="Number of the open file that is the end of a pipe.")
    pipe = parser.parse_args().pipe
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    give_way(NICENESS)
    serve(Line(Connection(pipe)))
    os._exit(0)  # threads that still compute are not waited for


if __name__ == "__main__":
    main()
