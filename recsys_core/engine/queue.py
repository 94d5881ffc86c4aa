"""The queue: one small file a job that has not ended, in the order in which jobs were asked for.

A file stays until its job has reached a final state, so an engine that starts after a crash finds all that is open.
"""

import contextlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from recsys_core.errors import StoreError
from recsys_core.experiments.durable import disk_errors_in_words, read_json, written_aside

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
        with disk_errors_in_words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.json"
        with written_aside(path) as aside:
            aside.write_text(json.dumps({"run": run_id, "model": model_id}), encoding="utf-8")

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
