"""Inter-process file locks, released by the operating system when the holding process ends."""

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
    """Hold the lock file at `path` (created if absent) exclusively among processes and threads.

    Raises:
        StoreError: The file cannot be opened, for example because its folder was deleted.
    """
    lock = _lock(path)
    with disk_errors_in_words(path):
        lock.acquire(poll_interval=POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def take_lock(path: Path, give_up: Callable[[], bool]) -> "BaseFileLock | None":
    """Acquire a lock that is held until `release` is called or the process ends.

    Args:
        path: The lock file.
        give_up: Polled while another process holds the lock; True stops waiting.

    Returns:
        The lock, or None if another process holds it. Keep a reference: the lock is released when it is collected.

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
    from filelock import FileLock  # lazy: the first page needs no lock

    return FileLock(path, mode=OWNER_ONLY, thread_local=False)
