"""Inter-process file locks, released by the operating system when the holding process ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

if TYPE_CHECKING:
    from filelock import BaseFileLock

POLL_SECONDS = 0.01
OWNER_ONLY = 0o600


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` (created if absent) exclusively among processes and threads.

    The folder of the file must exist: the lock would create it, and what another window has deleted, even while this
    one was waiting, would come back as an empty folder that its restoration finds in the way.

    Raises:
        StoreError: The folder does not exist, or the file cannot be opened.
    """
    lock = None
    with disk_errors_in_words(path):
        folder = _number(path.parent)
        while lock is None:
            lock = take_lock(path, give_up=lambda: True) if folder is not None else None
            if folder is None or _number(path.parent) != folder:
                _undo(lock, path)
                words = _("'{name}' no longer exists: it was deleted meanwhile.")
                raise StoreError(words.format(name=path.parent.name))
            if lock is None:
                time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _number(folder: Path) -> int | None:
    """Return the number of a folder in its file system; None if it does not exist."""
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return None


def _undo(lock: "BaseFileLock | None", path: Path) -> None:
    """Release a lock whose folder was deleted, and remove the folder if the lock has created it."""
    if lock is None:
        return
    lock.release()
    with suppress(OSError):
        if list(path.parent.iterdir()) == [path]:
            path.unlink()
            path.parent.rmdir()


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
