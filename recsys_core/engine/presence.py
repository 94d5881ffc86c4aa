"""Detection of the running engine of a workspace, and the lock that prevents a second one."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json
from recsys_core.storage.locks import take_lock
from recsys_core.storage.permissions import private_folder
from recsys_core.storage.processes import ProcessMark

if TYPE_CHECKING:
    from filelock import BaseFileLock


@dataclass(frozen=True)
class Presence:
    """Announcement of a running engine.

    Args:
        process: The engine's process.
        address: Address of its Dask scheduler; empty while it starts.
        since: Start time, in Unix seconds.
        jobs: Number of concurrent jobs.
        threads: Cores per job.
        job_memory: Bytes per job.
        cluster: Whether it uses an existing Dask cluster.
    """

    process: ProcessMark
    address: str
    since: float
    jobs: int
    threads: int
    job_memory: int
    cluster: bool = False


class EngineFolder:
    """The engine's folder in the workspace: announcement, lock and log.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / "engine"
        self.log = self.path / "engine.log"
        """Standard output of the engine and its workers."""
        self.scratch = self.path / "scratch"
        """Scratch folder of the Dask workers."""

    def make(self) -> None:
        """Create the folder.

        Raises:
            StoreError: A disk error.
        """
        with disk_errors_in_words(self.path):
            private_folder(self.path.parent)
            self.path.mkdir(exist_ok=True)

    def announce(self, presence: Presence) -> None:
        """Announce the running engine.

        Raises:
            StoreError: A disk error.
        """
        write_json(self.path / "engine.json", asdict(presence))
        (self.path / "starting.json").unlink(missing_ok=True)

    def announce_start(self, process: ProcessMark) -> None:
        """Announce an engine process that is starting, so that no second one is started.

        Raises:
            StoreError: A disk error.
        """
        write_json(self.path / "starting.json", process.to_json())

    def is_starting(self) -> bool:
        """Return whether an engine process is starting."""
        try:
            return not ProcessMark.from_json(read_json(self.path / "starting.json")).is_gone
        except (StoreError, ValueError):
            return False

    def withdraw(self) -> None:
        """Withdraw the announcement; a client that needs an engine will start a new one."""
        (self.path / "engine.json").unlink(missing_ok=True)

    def presence(self) -> Presence | None:
        """Return the running engine of this workspace, None if there is none or its process has ended."""
        try:
            values = read_json(self.path / "engine.json")
            presence = Presence(**values | {"process": ProcessMark.from_json(values["process"])})
        except (StoreError, KeyError, TypeError, ValueError):
            return None
        return None if presence.process.is_gone else presence

    def lock(self, patience: float) -> "BaseFileLock | None":
        """Acquire the lock that an engine holds while it runs.

        Args:
            patience: Timeout in seconds, for an engine that is about to end.

        Returns:
            The lock, held until it is released or the process ends; None if another engine is running.

        Raises:
            StoreError: A disk error.
        """
        self.make()
        deadline = time.monotonic() + patience
        with disk_errors_in_words(self.path / "lock"):
            return take_lock(
                self.path / "lock", give_up=lambda: self.presence() is not None or time.monotonic() > deadline
            )
