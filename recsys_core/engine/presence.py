"""Whether an engine works on a workspace, and the lock that keeps a second one out."""

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
    """What an engine says about itself.

    Args:
        process: The engine's process.
        address: Address of its Dask scheduler; empty while it starts.
        since: When it started, in Unix seconds.
        jobs: Jobs at the same time.
        threads: Cores a job.
        job_memory: Bytes a job.
        cluster: Whether the scheduler is somebody else's.
    """

    process: ProcessMark
    address: str
    since: float
    jobs: int
    threads: int
    job_memory: int
    cluster: bool = False


class EngineFolder:
    """The engine's own folder in the workspace: who it is, its lock and its log.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / "engine"

    @property
    def log(self) -> Path:
        """What the engine and its workers write to their standard output."""
        return self.path / "engine.log"

    @property
    def scratch(self) -> Path:
        """Where Dask keeps what does not fit into memory."""
        return self.path / "scratch"

    def make(self) -> None:
        """Make the folder.

        Raises:
            StoreError: The disk refused.
        """
        with disk_errors_in_words(self.path):
            private_folder(self.path.parent)
            self.path.mkdir(exist_ok=True)

    def announce(self, presence: Presence) -> None:
        """Write down who the engine is.

        Raises:
            StoreError: The disk refused.
        """
        write_json(self.path / "engine.json", asdict(presence))
        (self.path / "starting.json").unlink(missing_ok=True)

    def announce_start(self, process: ProcessMark) -> None:
        """Write down that a process was started that will be the engine, so that nobody starts another one.

        Raises:
            StoreError: The disk refused.
        """
        write_json(self.path / "starting.json", process.to_json())

    def is_starting(self) -> bool:
        """Whether such a process is under way."""
        try:
            return not ProcessMark.from_json(read_json(self.path / "starting.json")).is_gone
        except (StoreError, ValueError):
            return False

    def withdraw(self) -> None:
        """Take that away again; from now on whoever needs an engine starts another one."""
        (self.path / "engine.json").unlink(missing_ok=True)

    def presence(self) -> Presence | None:
        """Return the engine that works on this workspace, None if there is none or its process is gone."""
        try:
            values = read_json(self.path / "engine.json")
            presence = Presence(**values | {"process": ProcessMark.from_json(values["process"])})
        except (StoreError, KeyError, TypeError, ValueError):
            return None
        return None if presence.process.is_gone else presence

    def lock(self, patience: float) -> "BaseFileLock | None":
        """Take the lock that one engine holds as long as it lives.

        Args:
            patience: Seconds to wait for an engine that is about to end.

        Returns:
            The lock, held until it is released or the process ends; None if another engine works here.

        Raises:
            StoreError: The disk refused.
        """
        self.make()
        deadline = time.monotonic() + patience
        with disk_errors_in_words(self.path / "lock"):
            return take_lock(
                self.path / "lock", give_up=lambda: self.presence() is not None or time.monotonic() > deadline
            )
