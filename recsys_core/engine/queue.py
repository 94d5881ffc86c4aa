"""The job queue: one small file per job that has not ended, in the order of submission.

A file stays until its job has reached a final state, so an engine that starts after a crash finds all open jobs.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, sync

Kind = Literal["train", "tune"]
TRAIN: Kind = "train"
TUNE: Kind = "tune"
ENTRY_BYTES = 512
ENTRY = re.compile(r"\d{20}-[0-9a-f]{8}\.json")


@dataclass(frozen=True)
class QueueEntry:
    """A queued or running job in the queue.

    Args:
        path: Its file.
        run_id: The experiment, or the tuning.
        model_id: One of its models.
        kind: Whether it trains a model of an experiment, or runs the next trial of a tuning.
    """

    path: Path
    run_id: str
    model_id: str
    kind: Kind = TRAIN

    @property
    def job(self) -> tuple[str, str]:
        """Experiment and model."""
        return self.run_id, self.model_id


class Prepared:
    """Queue entries with reserved disk space that are not in the queue yet.

    Args:
        folder: Folder of the queue.
        run_id: The experiment, or the tuning.
        kind: Kind of its jobs.
    """

    def __init__(self, folder: Path, run_id: str, kind: Kind) -> None:
        self._folder = folder
        self._run_id = run_id
        self._kind = kind
        self._files: list[Path] = []

    def reserve(self, number: int) -> None:
        """Reserve space for `number` entries.

        Raises:
            OSError: A disk error.
        """
        for _ in range(number):
            path = self._folder / f".{uuid4().hex}.part"
            self._files.append(path)
            path.write_bytes(b" " * ENTRY_BYTES)
            sync(path)

    def put(self, model_ids: Sequence[str]) -> None:
        """Put jobs into the queue, in this order: all of them, or none.

        Raises:
            StoreError: A disk error.
        """
        put: list[Path] = []
        try:
            with disk_errors_in_words(self._folder):
                for model_id, path in zip(model_ids, self._files, strict=False):
                    self._fill(path, model_id)
                for path in self._files[: len(model_ids)]:
                    entry = self._folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.json"
                    path.rename(entry)
                    put.append(entry)
                sync(self._folder)
        except StoreError:
            for entry in put:
                entry.unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Remove unused entries."""
        for path in self._files:
            path.unlink(missing_ok=True)

    def _fill(self, path: Path, model_id: str) -> None:
        """Overwrite the reserved bytes with the job, which takes no additional space."""
        text = json.dumps({"run": self._run_id, "model": model_id, "kind": self._kind}).encode()
        with path.open("r+b") as file:
            file.write(text.ljust(ENTRY_BYTES))
        sync(path)


class JobQueue:
    """Queue entries in a folder of the workspace; any process may add one, the engine removes them.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "queue"

    def add(self, run_id: str, model_id: str, kind: Kind = TRAIN) -> None:
        """Append a job, unless it is already in the queue.

        Raises:
            StoreError: A disk error.
        """
        if any(entry.job == (run_id, model_id) for entry in self.entries()):
            return
        with self.prepared(run_id, kind=kind) as entries:
            entries.put([model_id])

    @contextlib.contextmanager
    def prepared(self, run_id: str, jobs: int = 1, kind: Kind = TRAIN) -> Iterator["Prepared"]:
        """Reserve entries for jobs of an experiment, so that putting them into the queue cannot fail for lack of space.

        Entries that are not put by the end of the block are removed.

        Args:
            run_id: The experiment, or the tuning.
            jobs: Maximum number of jobs to put.
            kind: Kind of the jobs.

        Raises:
            StoreError: The disk is full.
        """
        with disk_errors_in_words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        prepared = Prepared(self.folder, run_id, kind)
        try:
            with disk_errors_in_words(self.folder / "ticket"):
                prepared.reserve(jobs)
            yield prepared
        finally:
            prepared.clear()

    def entries(self) -> list[QueueEntry]:
        """Return all entries, oldest first; invalid files are deleted."""
        try:
            names = sorted(path.name for path in self.folder.iterdir() if ENTRY.fullmatch(path.name))
        except OSError:
            return []
        entries = []
        for name in names:
            path = self.folder / name
            try:
                values = read_json(path)
                kind = TUNE if values.get("kind") == TUNE else TRAIN
                entries.append(QueueEntry(path, str(values["run"]), str(values["model"]), kind))
            except (StoreError, KeyError, TypeError, AttributeError):
                with contextlib.suppress(OSError):  # a folder, or another user's file: not an entry in any case
                    path.unlink(missing_ok=True)
        return entries

    def remove(self, entry: QueueEntry) -> None:
        """Remove an entry."""
        entry.path.unlink(missing_ok=True)
