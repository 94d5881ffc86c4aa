"""Locks between processes: a file that one of them holds, given back by the system when its process ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.storage.disk_errors import disk_errors_in_words

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL_SECONDS = 0.01
OWNER_ONLY = 0o600


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` (made if it is not there) against all other processes and threads.

    Raises:
        StoreError: The file cannot be opened, for instance because its folder was deleted.
    """
    lock = _lock(path)
    with disk_errors_in_words(path):
        lock.acquire(poll_interval=POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def take_lock(path: Path, give_up: Callable[[], bool]) -> "BaseFileLock | None":
    """Take a lock that is kept until `release` is called or the process ends.

    Args:
        path: The lock file.
        give_up: Asked while another process holds it; True ends the waiting.

    Returns:
        The lock, which must be kept: it is given back when nobody refers to it; None if another process holds it.

    Raises:
        OSError: The file cannot be opened.
    """
    from filelock import Timeout

    lock = _lock(path)
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if give_up():
                return None
            time.sleep(POLL_SECONDS)
        else:
            return lock


def _lock(path: Path) -> "BaseFileLock":
    from filelock import FileLock  # loaded on first need: the first page changes nothing

    return FileLock(path, mode=OWNER_ONLY, thread_local=False)
