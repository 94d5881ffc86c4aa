"""`python -m recsys_core.serving.model_process NUMBER`: keeps trained models loaded and answers requests of the pages.

`model_server.Answers` starts it with one end of a pipe (an open file of that number). It exits when the other end is
closed or no request has arrived for a while. Each `requests.Priority` has its own thread and its own loaded models, so
long requests do not block short ones, and no model is used by two threads.
"""

import argparse
import contextlib
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection as PipeEnd

from recsys_core.contracts import Progress, RunContext
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import Cancelled, NoAnswer, RecscopeError
from recsys_core.experiments.resources import limited_threads
from recsys_core.serving.messages import Cancel, Connection, Kind, Request, Response, packed
from recsys_core.serving.requests import ModelCache, Priority, question
from recsys_core.storage.processes import give_way
from recsys_core.text import _

logger = logging.getLogger(__name__)
NICENESS = 5
"""Below the web server, above training."""
IDLE_SECONDS = 1800.0
SECONDS_BETWEEN_PROGRESS = 0.1
SECONDS_BETWEEN_HEARTBEATS = 1.0
NO_REQUEST = -1


class _Worker:
    """A thread that answers requests one after the other, with its own loaded models."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._models = ModelCache()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.cancelled: dict[int, threading.Event] = {}
        """One event per request that is running or queued here; a request stops at its next step when it is set."""

    def put(self, request: Request) -> None:
        """Queue a request."""
        self.cancelled[request.number] = threading.Event()
        self._thread.submit(self._work, request)

    def _work(self, request: Request) -> None:
        response = self._respond(request)
        del self.cancelled[request.number]
        with contextlib.suppress(OSError):  # the other end is closed: the receiving thread ends the process
            self._connection.send(response)

    def _respond(self, request: Request) -> Response:
        """Answer a request; every error becomes a response, so the thread survives."""
        try:
            return Response(request.number, Kind.ANSWER, self._answer(request))
        except RecscopeError as error:
            return Response(request.number, Kind.ERROR, packed(error))
        except Exception as error:
            logger.exception("The request '%s' for %s/%s failed.", request.question, request.run_id, request.model_id)
            words = (
                f"The model could not answer because of an unexpected error ({type(error).__name__}: {error}). "
                "See the log of the server for details."
            )
            return Response(request.number, Kind.ERROR, packed(NoAnswer(words)))

    def _answer(self, request: Request) -> bytes:
        reporter, cancelled = _ProgressReporter(self._connection, request.number), self.cancelled[request.number]

        def stop_requested() -> bool:
            reporter.heartbeat()
            return cancelled.is_set()

        asked = question(request.question)
        threads = (
            1 if asked.priority is Priority.INTERACTIVE else usable_cores()
        )  # one prediction is too little to share
        ctx = RunContext(report=reporter, stop_requested=stop_requested, threads=threads)
        if ctx.stop_requested():
            raise Cancelled(_("The request was cancelled."))
        with limited_threads(ctx.threads):
            model = request.root, request.run_id, request.model_id
            trained = self._models.get(*model) if asked.needs_model else None
            return packed(asked.answer(trained, ctx, **request.arguments))


class _ProgressReporter:
    """Sends progress, at most ten messages per second, and heartbeats without progress, at most one per second.

    Heartbeats are sent when the work checks for cancellation, which training does for each batch.
    """

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._latest: Progress | None = None
        self._progress_sent = self._sent = 0.0

    def __call__(self, progress: Progress) -> None:
        self._latest = progress
        self._send_if_due()

    def heartbeat(self) -> None:
        """Send unsent progress, or else a heartbeat."""
        if not self._send_if_due() and time.monotonic() - self._sent >= SECONDS_BETWEEN_HEARTBEATS:
            self._send(Response(self._number, Kind.ALIVE))

    def _send_if_due(self) -> bool:
        """Send the latest progress unless the previous one was sent a moment ago; return whether it was sent."""
        now = time.monotonic()
        if self._latest is None or now - self._progress_sent < SECONDS_BETWEEN_PROGRESS:
            return False
        latest, self._latest, self._progress_sent = self._latest, None, now
        self._send(Response(self._number, Kind.PROGRESS, packed(latest)))
        return True

    def _send(self, response: Response) -> None:
        self._sent = time.monotonic()
        with contextlib.suppress(OSError):  # the other end is closed: the receiving thread ends the process
            self._connection.send(response)


def serve(connection: Connection, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer requests until the other end is closed, or until no request has arrived for `idle_seconds`."""
    workers = {priority: _Worker(connection, priority) for priority in Priority}
    with contextlib.suppress(OSError):  # the other end is closed: `receive` raises
        connection.send(Response(NO_REQUEST, Kind.ALIVE))
    while True:
        try:
            message = connection.receive(idle_seconds)
        except (EOFError, OSError):
            return
        if isinstance(message, Request):
            workers[question(message.question).priority].put(message)
        elif isinstance(message, Cancel):
            for worker in workers.values():
                if cancelled := worker.cancelled.get(message.number):
                    cancelled.set()
        elif not any(worker.cancelled for worker in workers.values()):
            return


def main() -> None:
    """Run the model process."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys_core.serving.model_process", description="Answers requests about trained models."
    )
    parser.add_argument("pipe", type=int, help="File descriptor of one end of a pipe.")
    pipe = parser.parse_args().pipe
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    give_way(NICENESS)
    serve(Connection(PipeEnd(pipe)))
    os._exit(0)  # do not wait for threads that still compute


if __name__ == "__main__":
    main()
