"""What the disk refuses, as a sentence that says what to do."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from recsys_core.errors import DiskFull, StoreError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DISK_WORDS = {
    errno.ENOSPC: "the disk is full; free some space and start it again",
    errno.EDQUOT: "the disk quota is used up; free some space and start it again",
    errno.EFBIG: "the file would be larger than the disk or a limit allows; free some space and start it again",
    errno.EACCES: "this is not allowed; check who owns the folder",
    errno.EPERM: "this is not allowed; check who owns the folder",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports an error of its own; check it before going on",
}
"""What to tell a person when the operating system refuses."""


def store_error(path: Path, error: OSError) -> StoreError:
    """Return what went wrong on disk as a sentence that says what to do."""
    words = DISK_WORDS.get(error.errno or 0, f"the system says: {error.strerror or error}")
    kind = DiskFull if error.errno in FULL else StoreError
    return kind(f"Cannot write '{path.name}': {words}.")


@contextlib.contextmanager
def disk_errors_in_words(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into `StoreError`.

    Raises:
        StoreError: Anything that the operating system refused inside the block.
    """
    try:
        yield
    except OSError as error:
        raise store_error(path, error) from error


@contextlib.contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Turn what safetensors says about the disk into `StoreError`.

    Raises:
        StoreError: The disk refused inside the block.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        full = "No space left" in str(error)
        raise store_error(path, OSError(errno.ENOSPC if full else 0, str(error))) from error
