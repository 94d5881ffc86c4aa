"""The queue: one small file a job that has not ended, in the order in which jobs were asked for.

A file stays until its job has reached a final state, so an engine that starts after a crash finds all that is open.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, sync

TICKET_BYTES = 512
ENTRY = re.compile(r"\d{20}-[0-9a-f]{8}\.json")


@dataclass(frozen=True)
class Ticket:
    """A job's place in the queue."""

    path: Path
    run_id: str
    model_id: str

    @property
    def job(self) -> tuple[str, str]:
        """Experiment and model."""
        return self.run_id, self.model_id


class Prepared:
    """Tickets that take up their room on the disk already, but stand in no queue yet.

    Args:
        folder: Of the queue.
        run_id: The experiment.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._run_id = run_id
        self._files: list[Path] = []

    def lay_ready(self, number: int) -> None:
        """Write so many tickets aside.

        Raises:
            OSError: The disk refused.
        """
        for _ in range(number):
            path = self._folder / f".{uuid4().hex}.part"
            self._files.append(path)
            path.write_bytes(b" " * TICKET_BYTES)
            sync(path)

    def put(self, model_ids: Sequence[str]) -> None:
        """Put jobs into the queue, in this order: all of them, or none.

        Raises:
            StoreError: The disk refused all the same.
        """
        put: list[Path] = []
        try:
            with disk_errors_in_words(self._folder):
                for model_id, path in zip(model_ids, self._files, strict=False):
                    self._fill(path, model_id)
                for path in self._files[: len(model_ids)]:
                    ticket = self._folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.json"
                    path.rename(ticket)
                    put.append(ticket)
                sync(self._folder)
        except StoreError:
            for ticket in put:
                ticket.unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Remove what was not put."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def _fill(self, path: Path, model_id: str) -> None:
        """Write who the ticket is for over the blanks, which takes no more room."""
        text = json.dumps({"run": self._run_id, "model": model_id}).encode()
        with path.open("r+b") as file:
            file.write(text.ljust(TICKET_BYTES))
        sync(path)


class JobQueue:
    """Tickets in a folder of the workspace; any process may add one, the engine takes them away.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "queue"

    def add(self, run_id: str, model_id: str) -> None:
        """Put a job at the end, unless it is in the queue already.

        Raises:
            StoreError: The disk refused.
        """
        if any(ticket.job == (run_id, model_id) for ticket in self.tickets()):
            return
        with self.prepared(run_id) as tickets:
            tickets.put([model_id])

    @contextlib.contextmanager
    def prepared(self, run_id: str, jobs: int = 1) -> Iterator["Prepared"]:
        """Give tickets for jobs of an experiment that lie ready, so that nothing is left to fail when they are put.

        Tickets that were not put by the end of the block are gone.

        Args:
            run_id: The experiment.
            jobs: Most tickets that will be put.

        Raises:
            StoreError: The disk has no room for them.
        """
        with disk_errors_in_words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        prepared = Prepared(self.folder, run_id)
        try:
            with disk_errors_in_words(self.folder / "ticket"):
                prepared.lay_ready(jobs)
            yield prepared
        finally:
            prepared.clear()

    def tickets(self) -> list[Ticket]:
        """Return all tickets, the oldest first; a file that is none is thrown away."""
        try:
            names = sorted(path.name for path in self.folder.iterdir() if ENTRY.fullmatch(path.name))
        except OSError:
            return []
        found = []
        for name in names:
            path = self.folder / name
            try:
                values = read_json(path)
                found.append(Ticket(path, str(values["run"]), str(values["model"])))
            except (StoreError, KeyError, TypeError):
                with contextlib.suppress(OSError):  # a folder, or another user's: it names no job either way
                    path.unlink(missing_ok=True)
        return found

    def place(self, run_id: str, model_id: str) -> int | None:
        """Return how many jobs stand before one, None if it is not in the queue."""
        jobs = [ticket.job for ticket in self.tickets()]
        return jobs.index((run_id, model_id)) if (run_id, model_id) in jobs else None

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket away."""
        ticket.path.unlink(missing_ok=True)
